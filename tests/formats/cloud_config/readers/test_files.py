"""``write_files``: content, mode, owner."""

from __future__ import annotations

import base64
import gzip
from typing import Any, List

import pytest

from lightinit.formats.cloud_config.document import read
from lightinit.formats.cloud_config.readers.files import GivenFile, read_files
from tests.lib.needs_yaml import needs_yaml


def one(**values: Any) -> GivenFile:
    """A file without mistakes."""
    files, mistakes = read_files({"write_files": [dict({"path": "/a"}, **values)]})
    assert len(files) == 1 and not mistakes
    return files[0]


def told(*files: Any) -> List[str]:
    return [str(each) for each in read_files({"write_files": list(files)})[1]]


# Without the time of day, which would be in the names of tests: pytest-xdist wants the same names
# in each process.
PACKED = gzip.compress(b"hi")
PACKED = PACKED[:4] + bytes(4) + PACKED[8:]


@pytest.mark.parametrize(
    "encoding, content",
    [
        (None, "hi"),
        ("", "hi"),
        ("text/plain", b"hi"),
        ("b64", "aGk="),
        ("base64", "aG\n k="),
        ("B64 ", "aGk="),
        ("gz", PACKED),
        ("gzip", PACKED),
        ("gz+b64", base64.b64encode(PACKED).decode()),
        ("gz+base64", base64.b64encode(PACKED)),
        ("gzip+b64", base64.b64encode(PACKED)),
        ("gzip+base64", base64.b64encode(PACKED)),
    ],
)
def test_encodings(encoding: Any, content: Any) -> None:
    assert one(encoding=encoding, content=content).content == b"hi"


# What was written -> the mode. The first three are what cloud-init makes of them, too.
@pytest.mark.parametrize(
    "written, mode",
    [
        ("'0644'", 0o644),
        ("0644", 0o644),
        ("'0o644'", 0o644),
        ("0o644", 0o644),
        ("'644'", 0o644),
        ("644", 0o644),
        ("420", 0o644),
        ("493", 0o755),
        ("384", 0o600),
        ("416", 0o640),
        ("448", 0o700),
        ("600", 0o600),
        ("0755", 0o755),
        ("1777", 0o1777),
        ("04755", 0o4755),
        ("'00644'", 0o644),
        ("0", 0),
    ],
)
@needs_yaml
def test_modes(written: str, mode: int) -> None:
    document = read(b"write_files: [{path: /a, permissions: %s}]\n" % written.encode())
    files, mistakes = read_files(document.values)
    assert files[0].mode == mode
    assert all(each.has_effect for each in mistakes)
    assert bool(mistakes) == (written.isdigit() and not written.startswith("0"))


@pytest.mark.parametrize("mode", ["rw-r--r--", "0888", "", "12345", True, [6], -1, 99999, 6.44])
@needs_yaml
def test_what_is_no_mode(mode: Any) -> None:
    files, mistakes = read_files({"write_files": [{"path": "/a", "permissions": mode}]})
    assert files[0].mode == 0o644
    assert "not an octal mode" in str(mistakes[0]) and not mistakes[0].has_effect


def test_owner_path_and_flags() -> None:
    assert one() == GivenFile("/a", b"", 0o644, "", "", False, False)
    found = one(owner="app:web", append=True, defer=True)
    assert (found.owner, found.group, found.append, found.defer) == ("app", "web", True, True)
    assert (one(owner="app").owner, one(owner=":web").group, one(owner="0:0").group) == (
        "app",
        "web",
        "0",
    )
    assert one(path="/a//b/../c").path == "/a/c"


@pytest.mark.parametrize(
    "file, says, count",
    [
        ({"content": "x"}, "write_files[0].path: it is not the path of a file", 0),
        ({"path": "/a/"}, "path: it is not the path of a file", 0),
        ({"path": ["/a"]}, "path: it is a list", 0),
        ({"path": "etc/motd"}, "it is relative; taken from /", 1),
        ({"path": "/a\nb"}, "it has several lines", 0),
        ({"path": "/a", "content": "a%", "encoding": "b64"}, "content: it is not base64", 0),
        ({"path": "/a", "content": "aG%k=", "encoding": "b64"}, "are passed over; as `base64", 1),
        ({"path": "/a", "content": "x", "encoding": "gzip"}, "content: it is not gzip", 0),
        ({"path": "/a", "encoding": "rot13"}, "encoding: it is unknown", 1),
        ({"path": "/a", "owner": "a b"}, "owner: it is not an owner; root is taken", 1),
        (
            {"path": "/a", "contents": "x"},
            "contents: the key is unknown here; did you mean `cont",
            1,
        ),
        ({"path": "/a", "source": {"uri": "http://a"}}, "source: it is not supported", 0),
        ({"path": "/a", "source": {}, "content": "x"}, "source: it is not supported", 1),
        ({"path": "/a", "content": ["x"]}, "content: it is a list, and must be text", 0),
        ({"path": "/a", "content": {"x": 1}}, "content: it is a mapping, and must be text", 0),
        ({"path": "/a", "content": True}, "content: it is a boolean, and must be text", 0),
        ("/etc/motd", "write_files[0]: it is text, and must be a mapping", 0),
    ],
)
def test_mistakes(file: Any, says: str, count: int) -> None:
    assert says in told(file)[0]
    good = {"path": "/good"}
    assert len(read_files({"write_files": [file, good]})[0]) == count + 1


def test_a_bomb_and_a_list_that_is_none() -> None:
    bomb = gzip.compress(b"\0" * (17 * 1024 * 1024))
    assert (
        "it is not gzip: gzip data unpack to too much"
        in told({"path": "/a", "encoding": "gz", "content": bomb})[0]
    )
    assert "begin each item with" in str(read_files({"write_files": {"path": "/a"}})[1][0])


def test_content_is_not_shown() -> None:
    assert "s3cret" not in repr(one(content="s3cret"))
