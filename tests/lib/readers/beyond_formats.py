"""Readers of what others wrote that are not in formats/: headers, URLs, labels of file systems, the
kernel's files, and user data as a whole.
"""

from __future__ import annotations

from typing import Any, Mapping

from lightinit.commands import query
from lightinit.datasources import kernel_line
from lightinit.errors import ProvisioningError
from lightinit.host.media.reading import labels
from lightinit.host.network import download, http_headers, online
from lightinit.settings import check_endpoint
from lightinit.user_data import find_kind, parts
from lightinit.user_data.checking import check_parts
from lightinit.user_data.overview import Untouched, fetch_nothing
from tests.lib.readers.reader import Reader, text

# Where nothing is.
SYSTEM = Untouched("/proc/self/fdinfo/none")
MIXED = b'Content-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: text/'
ARCHIVE = b"#cloud-config-archive\n- "
# Sector size, clusters, reserved sectors, tables, entries, short table.
FAT = b"\xeb\x3c\x90mkfs.fat\x00\x02\x04\x01\x00\x02\x00\x02\x00\x00\xf8\x01\x00".ljust(38, b"\0")
FAT += b"\x29abcdCIDATA     FAT16   "
LABELLED = b"CIDATA     \x08".ljust(32, b"\0")
HEAD = FAT.ljust(510, b"\0") + b"\x55\xaa"


def _no_variables() -> Mapping[str, Any]:
    raise ProvisioningError("library cannot be loaded")  # each template would be a process


def _user_data(data: bytes) -> None:
    found = parts.collect(SYSTEM, "user data", data, fetch_nothing, _no_variables)
    for part in found.parts:
        try:
            part.handler.check(part.name, part.kind, part.data)
        except ProvisioningError:
            pass
    if b"jinja" not in data and not data.startswith(b"#cloud-config\n"):
        check_parts(SYSTEM, "user data", data)
    find_kind(data, text(data[:40]))


def _labels(data: bytes) -> None:
    """Each place has the same bytes: the descriptors, the anchor, and the root directory."""
    labels.find_labels(lambda offset, size: data[:size])
    labels.iso_labels(data.ljust(2 * labels.DESCRIPTOR_BYTES, b"\0"))
    labels.dstring(data)
    if len(data) > 1:
        labels.find_labels(lambda offset, size: data[offset % len(data) :][:size])


def _headers(data: bytes) -> None:
    fields = [line.partition(":")[::2] for line in text(data).split("\n")]
    headers = http_headers.joined_headers(fields)
    http_headers.parse_retry_after(headers, 0.0)
    http_headers.one_line(text(data))
    http_headers.content_length(headers, "u")


def _urls(data: bytes) -> None:
    given = text(data)
    download.show_url(given)
    try:
        check_endpoint(given)
    except ValueError:
        pass  # it says so
    download.check_url(given)
    download._login_in(given)


def _line(data: bytes) -> None:
    for word in kernel_line.split_words(text(data)):
        assert word == word.strip('"') or '"' in text(data)


def _paths(data: bytes) -> None:
    document = {"a": {"b": [1, 2, {"": None}]}, "1": "c"}
    query.render(query.look_up(document, text(data)))


READERS = (
    Reader(
        "user_data.parts",
        _user_data,
        (
            (b"", b""),
            (MIXED, b"\n\n#!/bin/sh\n--x--\n"),
            (MIXED + b"x-shellscript\n", b"\n\n#!/bin/sh\n--x--\n"),
            (ARCHIVE + b"type: ", b"\n  content: a\n"),
            (ARCHIVE + b"{content: '", b"'}\n"),
            (b"#!", b"\n"),
            (b"#include\nhttp://", b"/a\n"),
            (b"{", b'"ignition": {}}'),
            (b"#part-handler\n", b""),
            (b"#cloud-boothook\n", b""),
        ),
        (
            (MIXED + b"plain\n\na\n", b"--x\n\n#!/bin/sh\n", b"--x--\n"),
            (ARCHIVE[:-2], b"- '#!/bin/sh'\n", b""),
        ),
        (
            b'#!/bin/sh\r\necho "a"\r\n',
            MIXED + b'cloud-config; charset="utf-16"\nContent-Disposition: attachment; filename="a'
            b'"\nX-Merge-Type: list(append)\n\n#cloud-config\n--x--\n',
            b"\xff\xfe" + "#!/bin/sh\n".encode("utf-16-le"),
            b"IyEvYmluL3NoCmVjaG8gaGkK",
        ),
        limit_bytes=2048,
    ),
    Reader(
        "media.labels",
        _labels,
        ((HEAD, b""), (b"\1CD001\1", b""), (b"\2\0CD001", b"%/E"), (b"", LABELLED)),
        ((HEAD, b"\xe5" + LABELLED[1:], b""), (b"", b"\1CD001\1".ljust(2048, b"\0"), b"")),
        (
            HEAD,
            LABELLED,
            b"\1CD001\1\0".ljust(40, b"\0") + b"cidata".ljust(32) + bytes(16) + b"%/E",
            b"\2\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\x08\0\0\0\0\0\0\x08cidata\0NSR02\0".ljust(
                512, b"\7"
            ),
        ),
    ),
    Reader(
        "http.headers",
        _headers,
        ((b"retry-after: ", b"\n"), (b"content-length: ", b"\n"), (b"date: ", b"\n")),
        ((b"", b"a%d: b\n", b""), (b"content-length: ", b"1, ", b"1")),
        (
            b"retry-after: Fri, 27 Nov 2026 07:00:00 GMT\ndate: Fri, 27 Nov 2026 06:59:59 GMT\n",
            b"retry-after: 120\ncontent-length: 17, 17\n",
        ),
    ),
    Reader(
        "http.urls",
        _urls,
        ((b"http://", b"/a"), (b"https://[", b"]:443/"), (b"http://a:", b"@b/?c"), (b"a:", b"")),
        seeds=(b"http://user:pass%20word@host.example:8080/a/b?c=d#e", b"168.63.129.16:80"),
    ),
    Reader(
        "kernel_line",
        _line,
        ((b'a="', b'" b'), (b"ds=nocloud\\;s=", b""), (b"'", b"'")),
        ((b"", b"a%d=b ", b""), (b"", b'"', b""), (b"", b"\\;", b"")),
        (b"BOOT_IMAGE=/vmlinuz root=UUID=a ro 'ds=nocloud;s=http://a/' quiet\n",),
    ),
    Reader(
        "online.ipv6_routes",
        lambda data: online.has_ipv6_default(text(data)),
        items=((b"", b"0 " * 9 + b"eth0\n", b""),),
        seeds=(
            b"%s 00 %s 00 %s 00000400 00000001 00000000 00000001     eth0\n" % ((b"0" * 32,) * 3),
        ),
    ),
    Reader("query", _paths, ((b"a.", b""),), ((b"a", b".b", b""),), (b"a.b.2", b"1")),
)
