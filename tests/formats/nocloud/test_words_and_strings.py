"""What names a seed: words, and strings of SMBIOS type 11."""

from __future__ import annotations

from typing import Any, Dict, Optional

import pytest

from lightinit.datasources.kernel_line import split_words
from lightinit.formats.nocloud.oem_strings import read_credentials, read_strings
from lightinit.formats.nocloud.words import read_words


@pytest.mark.parametrize(
    "line, found",
    [
        ("root=/dev/vda1 ro quiet", None),
        ("ds=ec2", None),
        ("ds=nocloudy xds=nocloud ds=", None),
        ("ro ds=nocloud", {}),
        ("ds=nocloud;", {}),
        ("ds=nocloud;i=iid-1;h=web", {"instance-id": "iid-1", "local-hostname": "web"}),
        ("ds=nocloud-net;s=http://h/a=b/", {"seedfrom": "http://h/a=b/"}),
        ('"ds=nocloud;h=web"', {"local-hostname": "web"}),
        ("'ds=nocloud;h=web' x", {"local-hostname": "web"}),
        ('ds="nocloud;h=web" x', {"local-hostname": "web"}),
        ('"x y" "ds=nocloud;h=web;a=b c"', {"local-hostname": "web", "a": "b c"}),
        ("ds=nocloud;h='web';i=\"a", {"local-hostname": "web", "instance-id": "a"}),
        ('ro "ds=nocloud;h=web" foo="a b', {"local-hostname": "web"}),
        ("ds=nocloud\\;h=web\\\\;i=a", {"local-hostname": "web", "instance-id": "a"}),
        ("CI.ds=ec2 ci.ds=NoCloudNet;i=a", {"instance-id": "a"}),
        ("ds=nocloud;h=a ds=nocloud;h=b", {"local-hostname": "b"}),
        ("ds=nocloud;;dsmode", {"dsmode": ""}),
        ("ds=nocloud;h=" + "x" * 5000, None),
    ],
)
def test_words(line: str, found: Optional[Dict[str, str]]) -> None:
    assert read_words(split_words(line)) == found


def structure(*strings: bytes, kind: int = 11) -> bytes:
    return bytes([kind, 5, 1, 0, len(strings)]) + b"".join(s + b"\0" for s in strings) + b"\0"


def test_strings_and_credentials() -> None:
    raw = structure(
        b"cloud-init:ds=nocloud;i=1",
        b"io.systemd.credential:a=x=y",
        b"io.systemd.credential.binary:b=AA\nE=\n",
        b"io.systemd.credential.binary:c=?",
        b"io.systemd.credential:other=1",
        b"io.systemd.credential:a=second",
    )
    strings = read_strings(raw)
    assert strings[0] == "cloud-init:ds=nocloud;i=1" and len(strings) == 6
    assert read_credentials(strings, ["a", "b", "c"]) == {"a": b"x=y", "b": b"\0\1"}


@pytest.mark.parametrize(
    "raw, found",
    [
        (b"", []),
        (b"\x0b\x05\0\0", []),
        (structure(b"a", kind=12), []),
        (b"\x0b\x04\0\0\x01a\0\0", []),
        (b"\x0b\x05\0\0\x01cut", ["cut"]),
        (b"\x0b\xff\0\0\x01a\0\0", []),
        (structure(b"\xff"), ["\ufffd"]),
    ],
)
def test_damaged_structures(raw: bytes, found: Any) -> None:
    assert read_strings(raw) == found
