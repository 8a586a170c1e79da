"""What the platform sends: XML, JSON, certificates, keys and user data."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

from lightinit import gunzip
from lightinit.errors import MalformedError
from lightinit.formats import secrets, user_data, xml
from lightinit.formats.accounts import passwords
from lightinit.formats.azure import goal_state, health, imds, imds_instance, kvp, ovf, ovf_redaction
from lightinit.formats.certificates import bundle, der, pkcs12, x509
from lightinit.formats.ssh import given_keys
from lightinit.formats.user_parts import archive, first_line, include, mime, placeholders
from lightinit.model import Certificate, GoalState, SshKey
from tests.lib.imds_document import DOCUMENT
from tests.lib.ovf_document import WHOLE
from tests.lib.readers.reader import Reader, text

OVF = WHOLE.encode()
GOAL_STATE = (
    b"<GoalState><Incarnation>1</Incarnation><Container><ContainerId>c</ContainerId>"
    b"<RoleInstanceList><RoleInstance><InstanceId>i</InstanceId></RoleInstance></RoleInstanceList>"
    b"</Container></GoalState>"
)
XML_FRAMES = (
    (b"<Environment ", b'="v"/>'),
    (b'<Environment a="', b'"/>'),
    (b"<Environment a='", b"'><b/></Environment>"),
    (b"<Environment ", b""),
    (b"<", b"/>"),
    (b"<Environment><Password ", b'="v" c="d"/></Environment>'),
    (b"<Environment><b>", b"</b></Environment>"),
    (b"<Environment><!-- ", b" --></Environment>"),
    (b"<Environment><?pi ", b"?></Environment>"),
    (b"<Environment><![CDATA[", b"]]></Environment>"),
    (b"<Environment>", b"</Environment>"),
)
XML_ITEMS = (
    (b"<Environment ", b'a%d="v" ', b"/>"),
    (b"<Environment ", b"password%d = 'secret%d'\n", b"/>"),
    (b"<Environment ", b'xmlns:a%d="urn:a%d" ', b"/>"),
    (b"<Environment>", b"<Password>sec%d</Password>", b"</Environment>"),
    (b"<Environment>", b"<b c='d'/>", b"</Environment>"),
    (b"<Environment><b>", b"a<!--x-->", b"</b></Environment>"),
    (b"<Environment><Password>", b"a<b/>", b"</Password></Environment>"),
    (b"<Environment>", b"&amp;&#10;", b"</Environment>"),
    (b"<Environment>", b"<a>", b""),
    (b"<Environment>", b"<a>" * 30 + b"t" + b"</a>" * 30, b"</Environment>"),
    (b"<Environment>", b"<?a?>", b"</Environment>"),
)
GOAL = GoalState("1", "c", "i")


def _imds(data: bytes) -> None:
    warnings: Any = []
    document = imds.parse(data, warnings=warnings)
    secrets.redact(document)
    imds_instance.pool_type(document)
    imds_instance.instance_from_document(document, "i", warnings)
    imds_instance.missing_parts(document)


def _health(data: bytes) -> None:
    given = text(data)
    said = health.failure_description(given, {given: given, "b": given}, given, given, given)
    health.not_ready(GOAL, "ProvisioningFailed", said + given)
    health.success_description(given, given, given)


def _kvp(data: bytes) -> None:
    kvp.encode_report(text(data))
    kvp.encode_records(text(data), text(data))


def _walk(data: bytes) -> None:
    """Go down to each element, as far as der itself goes."""
    todo = [(der.read(data, "test"), 0)]
    while todo:
        element, depth = todo.pop()
        for reading in (element.oid, element.integer, element.octets, element.algorithm):
            try:
                reading("test")
            except MalformedError:
                pass
        if element.tag & der.CONSTRUCTED and depth < 6:
            todo += [(each, depth + 1) for each in element.children(element.tag, "test")]


def _given(data: bytes) -> None:
    known = (Certificate("A" * 40, "pem", ""),)
    given_keys.read_given(text(data))
    given_keys.read_given_keys([SshKey(text(data)), SshKey("", "", text(data))], known, x509_line)


def x509_line(data: bytes) -> str:
    return x509.public_key_line(data)


def _gunzip(data: bytes) -> None:
    gunzip.gunzip(data, 16 * 1024 * 1024)


def pack(data: bytes) -> bytes:
    """The same bytes each time: gzip.compress writes the time into them."""
    output = io.BytesIO()
    with gzip.GzipFile(fileobj=output, mode="wb", mtime=0) as handle:
        handle.write(data)
    return output.getvalue()


MULTIPART = b"Content-Type: multipart/mixed; boundary=x\n\n"


def _mime(data: bytes) -> None:
    mime.is_mime(data)
    entity = mime.read(data)
    if entity.content_type.startswith("multipart/"):
        for part in mime.split(entity, 1000).parts:
            mime.read(part, is_part=True)
    else:
        mime.to_utf8(mime.decode(entity), entity.parameters.get("charset", ""))


READERS = (
    Reader("xml", lambda data: xml.parse(data, None), XML_FRAMES, XML_ITEMS, (OVF,)),
    Reader("xml.escape", lambda data: xml.escape(text(data))),
    Reader("azure.ovf", ovf.parse, XML_FRAMES, XML_ITEMS, (OVF,)),
    Reader(
        "azure.ovf_redaction",  # S3: an attribute name of 200 kB
        ovf_redaction.redact,
        XML_FRAMES,
        XML_ITEMS,
        (OVF,),
    ),
    Reader(
        "azure.goal_state",
        goal_state.parse_goal_state,
        ((b"<GoalState>", b"</GoalState>"), (b"<GoalState ", b"='1'/>")),
        ((b"<GoalState>", b"<Container/>", b"</GoalState>"),),
        (GOAL_STATE,),
    ),
    Reader(
        "azure.goal_state.versions",
        goal_state.parse_versions,
        ((b"<Versions><Preferred><Version>", b"</Version></Preferred></Versions>"),),
        ((b"<Versions><Supported>", b"<Version>%d</Version>", b"</Supported></Versions>"),),
    ),
    Reader("azure.health", _health, limit_bytes=65536),
    Reader("azure.kvp", _kvp),
    Reader(
        "azure.imds",
        _imds,
        (
            (b'{"compute":{"name":"', b'"}}'),
            (b'{"', b'":1}'),
            (b'{"a":', b"}"),
            (b'{"a":1', b".5}"),
            (b'{"compute":{"userData":"', b""),
        ),
        (
            (b'{"compute":{"tagsList":[', b'{"name":"a%d","value":"b"},', b"{}]}}"),
            (b'{"compute":{"publicKeys":[', b'{"keyData":"a%d","path":"b"},', b"{}]}}"),
            (b'{"compute":{', b'"a%d":1,', b'"b":[]}}'),
            (b'{"a":[', b"[],", b"1]}"),
            (b'{"a":[', b"1e999,", b"1]}"),
            (b'{"a":', b"[", b""),
            (b'{"a":', b'{"a":', b""),
            (b'{"a":"', b"\\ud800", b'"}'),
        ),
        (json.dumps(DOCUMENT).encode(),),
    ),
    Reader("azure.imds.text", imds.parse_text),
    Reader(
        "azure.imds.versions",
        imds.newest_versions,
        ((b'{"newest-versions":["', b'"]}'),),
        ((b'{"newest-versions":[', b'"2020-01-%d",', b"1]}"),),
    ),
    Reader(
        "certificates.bundle",
        bundle.parse_certificate_file,
        ((b"<CertificateFile><Data>", b"</Data></CertificateFile>"),),
    ),
    Reader(
        "certificates.der",
        _walk,
        ((b"\x30\x80", b"\0\0"), (b"\x04\x83\x01\0\0", b"")),
        (
            (b"\x30\x80", b"\x02\x01\x01", b"\0\0"),
            (b"\x30\x80", b"\x30\x80\x30\x80\x04\0\0\0\0\0", b"\0\0"),
            (b"\x24\x80", b"\x04\x01a", b"\0\0"),
            (b"", b"\x30\x80", b""),
            (b"\x30\x80" * 30, b"\x04\x01a", b"\0\0" * 30),
        ),
    ),
    Reader("certificates.x509", x509.public_key_line, ((b"\x30\x80", b"\0\0"),)),
    Reader("certificates.x509.fields", x509.read_fields, ((b"\x30\x80", b"\0\0"),)),
    Reader("certificates.pkcs12", pkcs12.read, ((b"\x30\x80", b"\0\0"),)),
    Reader(
        "ssh.given_keys",
        _given,
        (
            (b"ssh-rsa AAAA", b""),
            (b"ssh-rsa AAAA\n", b"\nssh-rsa AAAA"),
            (b'command="', b'" ssh-rsa AAAA'),
            (b"", b" ssh-rsa AAAA"),
            (b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"),
        ),
        (
            (b"", b"-----BEGIN CERTIFICATE-----", b""),
            (b"", b"-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----", b""),
            (b"", b"-", b""),
            (b"", b"ssh-rsa AAAA%d\n", b""),
            (b"", b"A\n", b""),
            (b"ssh-rsa\n", b"A\n", b""),
            (b"", b"ssh-rsa AAAA\n" + b"A\n" * 399, b""),
            (b"", b'"\\"\n', b""),
            (b"", b"AB CD\n", b""),
        ),
    ),
    Reader("user_data", lambda data: user_data.decode(text(data)), seeds=(b"YWJj\n",)),
    Reader(
        "user_data.unpack",
        user_data.unpack,
        ((pack(b"a"), b""), (b"\x1f\x8b", b"")),
        (
            (b"", pack(b""), b""),
            (pack(b"") * 900, b"a", b""),
        ),
    ),
    Reader(
        "user_parts.mime",
        _mime,
        (
            (b"", b""),
            (b"Content-Type: ", b"\n\n"),
            (b'Content-Type: multipart/mixed; boundary="', b'"\n\n'),
            (MULTIPART, b"\n--x--\n"),
            (b"Content-Type: text/plain; charset=", b"\n\na"),
            (b"Content-Transfer-Encoding: base64\n\n", b""),
            (b"Content-Transfer-Encoding: quoted-printable\n\n", b""),
        ),
        (
            (MULTIPART, b"--x\n", b""),
            (MULTIPART, b"--x \n", b"--x--"),
            (MULTIPART, b"--x ", b""),
            (MULTIPART, b"\r\n", b"--x\n"),
            (MULTIPART, b"--x\nContent-Type: a/b; c=d\n\n", b""),
            (b"", b"a%d: b\n", b"\n"),
            (b"Content-Type: a/b", b";a=", b"\n\n"),
            (b"Content-Type: a/b", b';a="', b"\n\n"),
            (b"Content-Type: a", b"\n b", b"\n\n"),
            (b"Content-Transfer-Encoding: quoted-printable\n\n", b"=3D=\n", b""),
            (b"", b" \n", b"a: b"),
        ),
    ),
    Reader("user_parts.archive", lambda data: archive.read([text(data), {"content": data}, data])),
    Reader(
        "user_parts.first_line",
        first_line.find_slip,
        ((b"", b""), (b"#cloud", b""), (b"#", b"\nruncmd:")),
    ),
    Reader(
        "user_parts.include",
        lambda data: [include.describe(each.url) for each in include.read(data)],
        ((b"#include\n", b""), (b"#include http://a", b"")),
        ((b"#include\n", b"http://a/%d\n", b""), (b"", b"#include-once\n", b"")),
    ),
    Reader(
        "user_parts.placeholders",
        lambda data: placeholders.fill_in(text(data), {"a": "$b"}),
        ((b"", b""), (b"${", b"}"), (b"$", b"")),
        ((b"", b"$a%d ", b""), (b"", b"${a%d}", b""), (b"", b"${", b""), (b"", b"$a", b"")),
        (b"up $UPTIME at ${timestamp}, $unknown\n",),
    ),
    Reader("gunzip", _gunzip, ((b"\x1f\x8b\x08\0\0\0\0\0\0\0", b""),)),
    Reader("secrets", lambda data: secrets.redact({text(data): text(data), "a": [text(data)]})),
    Reader("accounts.passwords", lambda data: passwords.is_strong_hash(text(data))),
)
