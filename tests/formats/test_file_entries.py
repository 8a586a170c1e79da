"""The entries of write_files: what they mean, and that what is wrong is told without telling what
they hold.
"""

from __future__ import annotations

import base64
import gzip

import pytest

from lightinit.errors import ProvisioningError
from lightinit.formats.file_entries import CONTENT_LIMIT_BYTES, FileEntry, parse_entry

PACKED = base64.b64encode(gzip.compress(b"big" * 1000)).decode()
PACKED_AND_MORE = base64.b64encode(gzip.compress(b"1") + b"secret").decode()


@pytest.mark.parametrize(
    "line, means",
    [
        ("/etc/motd text=Hello", FileEntry("/etc/motd", content=b"Hello\n")),
        ("/etc/motd text=", FileEntry("/etc/motd")),
        (r"/a text=one\ntwo\n", FileEntry("/a", content=b"one\ntwo\n")),
        (r"/a text=\tC:\\new", FileEntry("/a", content=b"\tC:\\new\n")),
        (
            "/a text=  two  blanks, mode=0600, ünïcode",
            FileEntry("/a", content="  two  blanks, mode=0600, ünïcode\n".encode()),
        ),
        (
            "/a   mode=0600\towner=x text=y".replace("\t", " "),
            FileEntry("/a", 0o600, "x", content=b"y\n"),
        ),
        (
            "/a owner=app:web mode=4755 append base64=AAEC",
            FileEntry("/a", 0o4755, "app", "web", True, content=b"\0\1\2"),
        ),
        (
            "/a owner=0:0 source=/usr/share/a",
            FileEntry("/a", None, "0", "0", source="/usr/share/a"),
        ),
        ("/a base64=", FileEntry("/a")),
        pytest.param("/a gzip=" + PACKED, FileEntry("/a", content=b"big" * 1000), id="gzip"),
    ],
)
def test_what_entries_mean(line: str, means: FileEntry) -> None:
    assert parse_entry(line, 1) == means


@pytest.mark.parametrize(
    "line, why",
    [
        ("etc/motd text=secret", "plain path"),
        ("text=secret", "plain path"),
        ("/a/../b text=secret", "plain path"),
        ("/a/ text=secret", "plain path"),
        ("//a text=secret", "plain path"),
        ("/ text=secret", "plain path"),
        ("", "plain path"),
        ("/a", "does not say"),
        ("/a mode=0600", "does not say"),
        ("/a secret", "word 2"),
        ("/a mode=0600 secret text=x", "word 3"),
        ("/a mode=0600 mode=0644 text=secret", "word 3"),
        ("/a append append text=secret", "word 3"),
        ("/a content=secret", "word 2"),
        ("/a mode= text=secret", "word 2"),
        ("/a mode=9 text=secret", "octal"),
        ("/a mode=u+x text=secret", "octal"),
        ("/a mode=77777 text=secret", "octal"),
        ("/a owner=: text=secret", "owner"),
        ("/a owner=a: text=secret", "owner"),
        ("/a owner=a/b text=secret", "owner"),
        (r"/a text=secret\x", "backslash"),
        ("/a text=secret\\", "backslash"),
        ("/a base64=secret!", "base64"),
        ("/a base64=sécret", "base64"),
        ("/a gzip=c2VjcmV0", "gzip"),
        pytest.param("/a gzip=" + PACKED[:-8], "one whole gzip", id="truncated gzip"),
        pytest.param("/a gzip=" + PACKED_AND_MORE, "one whole gzip", id="more than one gzip"),
        ("/a source=secret", "source"),
        ("/a source=", "source"),
        ("/a source=/x/../secret", "source"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_more(line: str, why: str) -> None:
    with pytest.raises(ProvisioningError) as caught:
        parse_entry(line, 7)
    assert caught.value.reason == "entry of a file is not valid"
    assert why in caught.value.details["why"] and caught.value.details["entry"].startswith("7")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(FileEntry("/a", content=b"secret"))


def test_what_unpacks_to_too_much_is_refused() -> None:
    bomb = base64.b64encode(gzip.compress(bytes(CONTENT_LIMIT_BYTES + 1))).decode()
    with pytest.raises(ProvisioningError, match="is larger than"):
        parse_entry("/a gzip=" + bomb, 1)
