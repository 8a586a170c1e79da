"""User data are taken apart: what comes of each kind, and what is bounded."""

from __future__ import annotations

import base64
import gzip
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import pytest

from lightinit.errors import LightinitError, ProvisioningError, TransientError
from lightinit.host.clock import Clock
from lightinit.host.network.download import Downloader
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.user_data import parts
from lightinit.user_data.pieces import MAX_INCLUDES, MAX_PARTS
from tests.lib.mime_document import multipart
from tests.lib.scratch import HERE

SH = "#!/bin/sh\necho x\n"


def no_fetch(url: str, timeout_s: float, limit_bytes: int) -> bytes:
    raise AssertionError("nothing is fetched: " + url)


class Server:
    """Answers by URL. An exception is raised."""

    def __init__(self, answers: Dict[str, Any]) -> None:
        self.answers = answers
        self.asked: List[str] = []

    def fetch(self, url: str, timeout_s: float, limit_bytes: int) -> bytes:
        assert 0 < timeout_s <= 60 and limit_bytes > 0
        self.asked.append(url)
        answer = self.answers[url]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, LightinitError):
            raise answer
        return bytes(answer)


class QuickClock(Clock):
    """Its sleep takes no time, and moves its monotonic time on."""

    def __init__(self) -> None:
        self.slept_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.slept_s

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds


def take(
    data: bytes, fetch: Callable[[str, float, int], bytes] = no_fetch, root: str = "/nonexistent"
) -> parts.Collected:
    system = System(root, QuickClock())
    return parts.collect(system, "custom data", data, fetch, lambda: {"v1": {"region": "here"}})


def short(found: parts.Collected) -> List[Tuple[str, str, bytes]]:
    return [(part.name, part.kind, part.data) for part in found.parts]


@pytest.mark.parametrize(
    "data",
    [
        SH.encode(),
        b"\xef\xbb\xbf" + SH.encode(),
        SH.replace("\n", "\r\n").encode(),
        b"\r\n\r\n " + SH.encode(),
        SH.encode("utf-16"),
        gzip.compress(SH.encode()),
        base64.b64encode(SH.encode()),
        base64.b64encode(base64.b64encode(base64.b64encode(SH.encode()))),
        base64.encodebytes(gzip.compress(base64.b64encode(gzip.compress(SH.encode())))),
    ],
    ids=["plain", "bom", "crlf", "blank lines", "utf-16", "gzip", "base64", "thrice", "nested"],
)
def test_a_script_in_whatever_wrapping(data: bytes) -> None:
    found = take(data)
    assert short(found) == [("custom data", "script", SH.encode())] and not found.warnings
    assert found.parts[0].is_whole and found.parts[0].frequency == ""


@pytest.mark.parametrize("data", [b"", b"AAAA" * 40, b"\xff\xfebinary\0", b"some words"])
def test_what_is_no_wrapping_stays(data: bytes) -> None:
    assert short(take(data)) == [("custom data", "other", data)]


def test_a_multipart_of_everything() -> None:
    inner = multipart("x-shellscript-per-once:in.sh " + SH)
    data = multipart(
        "x-shellscript:a.sh " + SH,
        "cloud-config:c.yaml a: 1",
        "cloud-boothook #cloud-boothook\n" + SH,
        "x-shellscript-per-boot " + SH,
        "plain:packed " + base64.b64encode(gzip.compress(inner)).decode(),
        "part-handler:h.py #part-handler\n",
        "html <html>",
        'plain {"ignition": {"version": "3.0.0"}}',
    )
    data = data.replace(b'"c.yaml"\n', b'"c.yaml"\nMerge-Type: list(append)\n')
    found = take(gzip.compress(data))
    name = "custom data, part %s"
    assert short(found) == [
        (name % "1 (a.sh)", "script", SH.encode()),
        (name % "2 (c.yaml)", "#cloud-config", b"a: 1"),
        (name % "3", "#cloud-boothook", SH.encode()),
        (name % "4", "script", SH.encode()),
        (name % "5.1 (in.sh)", "script", SH.encode()),
    ]
    assert [part.frequency for part in found.parts] == ["", "", "per-boot", "per-boot", "per-once"]
    assert [part.merge for part in found.parts] == ["", "list(append)", "", "", ""]
    assert not any(part.is_whole for part in found.parts)
    told = [warning.partition(";")[0] for warning in found.warnings]
    why = " is left out: custom data has a format that is not supported (format=%s)"
    assert told == [
        name % "6 (h.py)" + why % "#part-handler",
        name % "7" + why % "text/html",
        name % "8" + why % "Ignition",
    ]


SETUP = b'#!/bin/sh\necho "a = b"\n\necho --x\nFrom here\n'
HOOK = b"#!/bin/sh\necho hook\n"


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(
    "name, expected",
    [
        (
            "make-mime",
            [
                ("1 (setup.sh)", "script", SETUP, "per-boot"),
                ("2 (config.yaml)", "#cloud-config", "hostname: web-1\n# ä\n".encode(), ""),
                ("3 (hook)", "#cloud-boothook", HOOK, "per-boot"),
            ],
        ),
        (
            "write-mime-multipart",
            [
                ("1 (setup.sh)", "script", SETUP.rstrip(b"\n"), ""),
                ("2.1 (https://example.org/x)", "script", SH.encode(), ""),
                ("3 (hook)", "#cloud-boothook", HOOK.rstrip(b"\n"), "per-boot"),
                ("4 (packed.gz)", "script", SETUP, ""),
            ],
        ),
    ],
)
def test_what_cloud_inits_tools_make(
    tmp_path: Path, name: str, expected: List[Any], ending: bytes
) -> None:
    with open(os.path.join(HERE, "tests/data/user_data", name), "rb") as handle:
        data = handle.read().replace(b"\n", ending)
    server = Server({"https://example.org/x": SH.encode()})
    found = take(data, server.fetch, str(tmp_path))
    assert [
        (part.name.partition(", part ")[2], part.kind, text_of(part), part.frequency)
        for part in found.parts
    ] == [(each[0], each[1], each[2].rstrip(b"\n"), each[3]) for each in expected]
    assert not found.warnings


def text_of(part: parts.Part) -> bytes:
    """Without its first line, if that only says what it is; and without the last line's end."""
    return part.data.replace(b"#cloud-config\n", b"").rstrip(b"\n")


def test_a_document_with_a_head_and_one_part() -> None:
    data = b"Content-Type: text/x-shellscript\nMIME-Version: 1.0\n\n" + SH.encode()
    assert short(take(data)) == [("custom data", "script", SH.encode())]


def test_a_damaged_part_does_not_lose_the_others() -> None:
    """A wrong charset, a wrong encoding, and no end."""
    data = multipart("x-shellscript:a " + SH, "x-shellscript:b " + SH, "x-shellscript:c " + SH)
    heads = data.split(b"base64\n")
    data = heads[0] + b"uuencode\n" + heads[1] + b"base64\n" + heads[2] + b"base64\n" + heads[3]
    before, _, after = data.rpartition(b'"utf-8"')
    found = take((before + b'"utf-99"' + after).rpartition(b"--==")[0])
    assert [part.name for part in found.parts] == [
        "custom data, part 2 (b)",
        "custom data, part 3 (c)",
    ]
    assert [warning.partition(" (")[0] for warning in found.warnings][1:] == [
        "custom data, part 1",
        "custom data, part 3",
    ]
    assert "may be cut off" in found.warnings[0] and "charset is unknown" in found.warnings[2]


MESSAGE = "Content-Type: message/rfc822\n\n"
MIXED = "Content-Type: multipart/mixed; boundary=x\n\n--x\n"


@pytest.mark.parametrize(
    "before, after", [("", ""), (MESSAGE, ""), (MIXED + MESSAGE, "--x--\n")], ids=["", "in", "part"]
)
def test_a_message_in_a_message_and_old_line_ends(before: str, after: str) -> None:
    inner = "MIME-Version: 1.0\nContent-Type: text/cloud-config\n\n#cloud-config\n"
    for end in ("\n", "\r"):
        found = take((before + inner + after).replace("\n", end).encode())
        assert not found.warnings and [part.kind for part in found.parts] == ["#cloud-config"]


def test_a_multipart_of_nothing_is_told() -> None:
    found = take(b"Content-Type: multipart/mixed; boundary=x\n\n--x--\n")
    assert not found.parts and "has no parts" in "".join(found.warnings)


def test_what_is_nested_too_deeply() -> None:
    data = SH.encode()
    for at in range(50):
        data = b"Content-Type: multipart/mixed; boundary=x%d\n\n--x%d\n%s" % (at, at, data)
        data += b"\n--x%d--\n" % at
    found = take(data)
    assert not found.parts
    assert len(found.warnings) == 1 and "nested too deeply (limit=8)" in found.warnings[0]


def test_too_many_parts() -> None:
    data = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n" * 999
    assert "user data has too many parts" in take(data).warnings[0]
    inner = b"--x\n\n#!/bin/sh\n" * 99
    head = b"Content-Type: multipart/mixed; boundary="
    data = head + b"y\n\n" + (b"--y\n" + head + b"x\n\n" + inner) * 9
    found = take(data)
    assert len(found.parts) < MAX_PARTS and "more than 256 parts" in found.warnings[-1]
    assert len(found.warnings) < 20, "not each is told"


def test_gzip_bombs_are_bounded_in_all() -> None:
    bomb = base64.b64encode(gzip.compress(b"#cloud-config\n" + b"\0" * 9000000)).decode()
    found = take(multipart("plain " + bomb, "plain " + bomb, "x-shellscript " + SH))
    assert [part.kind for part in found.parts] == ["#cloud-config", "script"]
    assert "gzip data unpack to too much" in found.warnings[0]


def test_includes_in_order_and_in_includes(tmp_path: Path) -> None:
    server = Server(
        {
            "https://a/1?sig=SECRET": gzip.compress(SH.encode()),
            "http://b/2": b"#include-once\nhttp://c/3\n",
            "http://c/3": b"#cloud-config\n",
            "http://d/4": ProvisioningError("download failed", status=404),
        }
    )
    data = b"#include https://a/1?sig=SECRET\n# no\n\nhttp://d/4\n http://b/2 \r\n"
    found = take(data, server.fetch, str(tmp_path))
    assert short(found) == [
        ("custom data, part 1 (https://a/1)", "script", SH.encode()),
        ("custom data, part 3.1 (http://c/3)", "#cloud-config", b"#cloud-config\n"),
    ]
    assert found.warnings == (
        "custom data, part 2 (http://d/4) is left out: download failed (status=404)",
    )
    assert server.asked == ["https://a/1?sig=SECRET", "http://d/4", "http://b/2", "http://c/3"]


def test_what_was_included_is_kept_for_the_instance(tmp_path: Path) -> None:
    """Only #include is fetched again, and only where the module runs at each boot. If that fails,
    what was kept is used.
    """
    system = System(str(tmp_path), QuickClock())
    server = Server({"http://a/1": [SH.encode(), b"#!/bin/new\n"], "http://b/2": [SH.encode()]})
    data = b"#include\nhttp://a/1\n#include-once\nhttp://b/2\n"

    def again(refetch: bool) -> List[bytes]:
        found = parts.collect(system, "user data", data, server.fetch, dict, refetch)
        return [part.data for part in found.parts]

    assert again(False) == again(False) == [SH.encode()] * 2
    assert again(True) == [b"#!/bin/new\n", SH.encode()]
    server.answers["http://a/1"] = ProvisioningError("gone")
    assert again(True) == [b"#!/bin/new\n", SH.encode()]
    kept = list((tmp_path / "var/lib/lightinit/instance/sem").iterdir())
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600] * 2


def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    busy = TransientError("download failed", status=503)
    server = Server({"http://a/1": [busy, busy, SH.encode()], "http://b/2": busy})
    found = take(b"#include\nhttp://a/1\nhttp://b/2\n", server.fetch, str(tmp_path))
    assert len(found.parts) == 1 and len(server.asked) == 8
    assert found.warnings[0].startswith("custom data, part 2 (http://b/2) is left out: ")


def test_a_server_that_hangs_leaves_time_for_the_others(tmp_path: Path) -> None:
    system = System(str(tmp_path), QuickClock())
    waits: List[float] = []

    def fetch(url: str, timeout_s: float, limit_bytes: int) -> bytes:
        if url.startswith("http://good/"):
            return SH.encode()
        waits.append(timeout_s)
        system.clock.sleep(timeout_s)
        raise TransientError("request timed out")

    for urls, reasons in (
        ("http://hangs/\nhttp://good/\n", ["request timed out"]),
        (
            "http://a/\nhttp://b/\nhttp://c/\nhttp://good/2\n",
            ["request timed out"] * 3 + ["user data take too long to fetch"],
        ),
    ):
        del waits[:]
        data = b"#include\n" + urls.encode()
        found = parts.collect(system, "user data", data, fetch, dict, refetch=True)
        told = [warning.partition(" is left out: ")[2] for warning in found.warnings]
        assert told == reasons and len(found.parts) == (1 if len(reasons) == 1 else 0)
        assert 20 < sum(waits) < 61 and max(waits) <= 10


def test_a_later_boot_tries_once_what_was_missing(tmp_path: Path) -> None:
    """sshd may wait for that boot. If the server is back, the content is there for good."""
    limits: List[float] = []
    answers: List[Any] = [TransientError("no")] * 6 + [SH.encode()]

    def fetch(url: str, timeout_s: float, limit_bytes: int) -> bytes:
        limits.append(timeout_s)
        answer = answers.pop(0)
        if isinstance(answer, LightinitError):
            raise answer
        return bytes(answer)

    asked = []
    for _ in range(4):
        found = take(b"#include\nhttp://a/\n", fetch, str(tmp_path))
        asked.append((len(limits), len(found.parts), len(found.warnings)))
    assert asked == [(5, 0, 1), (6, 0, 1), (7, 1, 0), (7, 1, 0)] and limits[5:] == [5.0, 5.0]
    assert len(list((tmp_path / "var/lib/lightinit/instance/sem").iterdir())) == 1


def test_a_document_is_taken_apart_once_a_run(tmp_path: Path) -> None:
    """The modules' settings and the module custom_data ask for the same."""
    system, data = System(str(tmp_path)), b"#include\nhttp://127.0.0.1:9/x?y\n"
    first = parts.take_apart(system, Instance("a"), "user data", data)
    assert parts.take_apart(system, Instance("a"), "user data", data) is first
    assert parts.take_apart(system, Instance("a"), "custom data", data) is not first
    assert parts.take_apart(System(str(tmp_path)), Instance("a"), "user data", data) is not first


def test_includes_without_end(tmp_path: Path) -> None:
    server = Server({"http://a/1": b"#include\nhttp://a/1\n"})
    found = take(b"#include\nhttp://a/1\n", server.fetch, str(tmp_path))
    assert "nested too deeply" in found.warnings[0] and len(found.warnings) == 1
    many = b"#include\n" + b"".join(b"http://a/%d\n" % at for at in range(MAX_INCLUDES + 9))
    server = Server({"http://a/%d" % at: SH.encode() for at in range(MAX_INCLUDES + 9)})
    found = take(many, server.fetch, str(tmp_path / "two"))
    assert len(found.parts) == MAX_INCLUDES
    assert found.warnings == ("custom data: the last 9 URLs are left out: the limit is 64",)


@pytest.mark.parametrize(
    "text, says",
    [("#include\n# none\n", "names no URL"), ("#include\n/a\n", "part 1 (no URL) is left out")],
)
def test_an_include_without_a_url_is_told(tmp_path: Path, text: str, says: str) -> None:
    found = take(text.encode(), Downloader().get, str(tmp_path))
    assert len(found.warnings) == 1 and says in found.warnings[0]


def test_two_equal_parts_have_one_identity() -> None:
    found = take(
        multipart("x-shellscript " + SH, "x-shellscript:other " + SH, "cloud-boothook " + SH)
    )
    assert len({part.identity for part in found.parts}) == 1
