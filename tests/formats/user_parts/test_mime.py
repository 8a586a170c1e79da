"""MIME documents as Python's email package, cloud-init's make-mime and Debian's
write-mime-multipart make them, and damaged ones.
"""

from __future__ import annotations

import email.encoders
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any, List, Optional, Tuple

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.user_parts import mime

SCRIPT = "#!/bin/sh\necho --x ä €\n\n--not=3Da boundary\n From here\n"
PARTS = [("a b.sh", "x-shellscript", SCRIPT), ("c.yaml", "cloud-config", "a: 1")]


def by_make_mime() -> MIMEMultipart:
    """`cloud-init devel make-mime`: base64 and UTF-8."""
    outer = MIMEMultipart()
    for name, subtype, text in PARTS:
        part = MIMEText(text, subtype, "utf-8")
        part.add_header("Content-Disposition", 'attachment; filename="%s"' % name)
        outer.attach(part)
    return outer


def by_write_mime_multipart() -> MIMEMultipart:
    """cloud-image-utils: text as it is, everything else as base64."""
    outer = MIMEMultipart()
    for name, subtype, text in PARTS:
        part: Any = MIMEText(text.encode("ascii", "ignore").decode(), subtype)
        if name == "c.yaml":
            part = MIMEBase("application", "octet-stream")
            part.set_payload(text)
            email.encoders.encode_base64(part)
        part.add_header("Content-Disposition", "attachment", filename=name)
        outer.attach(part)
    return outer


def by_hand() -> MIMEMultipart:
    outer = MIMEMultipart("alternative", boundary="a'()+_,-./:=? b")
    for name, subtype, text in PARTS:
        part = MIMEText("", subtype)
        del part["Content-Transfer-Encoding"]
        part.set_payload(text, "utf-8")
        del part["Content-Transfer-Encoding"]
        part.set_payload(text.encode("utf-8"))
        email.encoders.encode_quopri(part)
        part["X-Merge-Type"] = "list(append)\n + dict(no_replace)"
        part.add_header("content-disposition", "inline", filename=name)
        outer.attach(part)
    return outer


def ours(data: bytes) -> List[Tuple[str, str, bytes]]:
    found = mime.split(mime.read(data), 100)
    assert found.is_whole
    entities = [mime.read(part, is_part=True) for part in found.parts]
    return [(each.content_type, each.filename, mime.decode(each)) for each in entities]


def theirs(data: bytes) -> List[Tuple[str, Optional[str], Any]]:
    parts: Any = email.message_from_bytes(data).get_payload()
    return [
        (part.get_content_type(), part.get_filename(), part.get_payload(decode=True))
        for part in parts
    ]


@pytest.mark.parametrize("make", [by_make_mime, by_write_mime_multipart, by_hand])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_the_parts_are_those_of_pythons_email(make: Any, ending: bytes) -> None:
    data = make().as_bytes().replace(b"\n", ending)
    assert ours(data) == theirs(data)
    for before in (b"\n", b"From nobody Thu Nov 26 2026" + ending):
        assert mime.is_mime(before + data) and ours(before + data) == theirs(data)


def test_headers_may_be_folded_and_in_any_case() -> None:
    data = b'mime-version: 1.0\nCONTENT-type: Multipart/Mixed;\n\tBoundary="x;\\"y"\n\n--x;"y\n'
    found = mime.read(data + b'\n#!/bin/sh\n--x;"y--  \nafter')
    assert found.content_type == "multipart/mixed" and found.parameters["boundary"] == 'x;"y'
    assert mime.split(found, 9) == mime.Split((b"\n#!/bin/sh",), True)
    folded = mime.read(b"Merge-Type: list(append)\n +dict()\nMerge-Type: other\n\n")
    assert folded.headers["merge-type"] == "list(append) +dict()"


def test_what_terraform_makes() -> None:
    """The provider cloudinit: the head ends its lines in LF, the rest in CR LF, a content in LF."""
    data = (
        b'Content-Type: multipart/mixed; boundary="MIMEBOUNDARY"\nMIME-Version: 1.0\r\n\r\n'
        b'--MIMEBOUNDARY\r\nContent-Disposition: attachment; filename="a.sh"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\nContent-Type: text/x-shellscript\r\n"
        b"Mime-Version: 1.0\r\nX-Merge-Type: list(append)\r\n\r\n#!/bin/sh\necho\n\r\n"
        b"--MIMEBOUNDARY--\r\n"
    )
    assert mime.is_mime(data)
    assert ours(data) == [("text/x-shellscript", "a.sh", b"#!/bin/sh\necho\n")]


def test_without_its_last_boundary_it_is_not_whole() -> None:
    found = mime.split(
        mime.read(b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x\n\nb"), 9
    )
    assert found == mime.Split((b"\na", b"\nb"), False)


@pytest.mark.parametrize(
    "head, body, reason",
    [
        (b"", b"--x\n", "multipart has no boundary"),
        (b"; boundary=", b"--\n", "multipart has no boundary"),
        (b"; boundary=y", b"--x\n", "multipart has no boundary"),
        (b"; boundary=" + b"x" * 201, b"", "multipart has no boundary"),
        (b"; boundary=x", b"--x\n" * 12, "user data has too many parts"),
    ],
)
def test_what_cannot_be_split(head: bytes, body: bytes, reason: str) -> None:
    entity = mime.read(b"Content-Type: multipart/mixed" + head + b"\n\n" + body)
    with pytest.raises(MalformedError) as raised:
        mime.split(entity, 10)
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    "encoding, body, reason",
    [
        ("base64", b"YWJ", "part is not in its encoding"),
        ("x-uuencode", b"begin", "encoding of a part is not supported"),
    ],
)
def test_what_cannot_be_decoded(encoding: str, body: bytes, reason: str) -> None:
    entity = mime.read(b"Content-Transfer-Encoding: %s\n\n%s" % (encoding.encode(), body))
    with pytest.raises(MalformedError) as raised:
        mime.decode(entity)
    assert raised.value.reason == reason


def test_a_misspelt_encoding_leaves_the_body_as_it_is() -> None:
    """As Python's email does, and so cloud-init."""
    for encoding, is_unknown in (("7bitspra", True), ("BASE-64", True), (" 8Bit ", False)):
        entity = mime.read(b"Content-Transfer-Encoding: %s\n\nYWJj" % encoding.encode())
        assert mime.decode(entity) == b"YWJj"
        assert mime.has_unknown_encoding(entity) == is_unknown


def test_charsets() -> None:
    for name in ("iso-8859-1", "UTF-16", "windows-1252", "utf-16le", "", "utf-8"):
        assert mime.to_utf8("ä".encode(name or "utf-8"), name) == "ä".encode()
    for name in ("punycode", "idna", "zip", "unicode_escape", "x-no-such"):
        with pytest.raises(MalformedError, match="charset is unknown"):
            mime.to_utf8(b"a", name)
    with pytest.raises(MalformedError, match="text is not in its charset"):
        mime.to_utf8(b"abc", "utf-16le")


def test_a_long_head_is_refused() -> None:
    for one in (b"a: b\n", b"a: b\n " * 2, b"a:" + b"b" * 70000):
        with pytest.raises(MalformedError, match="head of a part is too long"):
            mime.read(one * 20000)
