"""What a NoCloud seed has, and the words that name one."""

from __future__ import annotations

from lightinit.formats.nocloud import meta_data, network_config, oem_strings, plain, words
from tests.lib.readers.reader import Reader, text

WHOLE = b"instance-id: iid-1\nlocal-hostname: 'desk'  # mine\npublic-keys:\n- ssh-rsa A\n"
CREDENTIAL = b"\x0b\x05\0\0\x01io.systemd.credential.binary:a="
# What is no plain line is YAML, of which more would take minutes of a test.
YAML_BYTES = 65536


def _words(data: bytes) -> None:
    words.read_words(text(data).split())


def _strings(data: bytes) -> None:
    oem_strings.read_credentials(oem_strings.read_strings(data), ["a", "b"])


def _plain(data: bytes) -> None:
    plain.find_value(text(data), "instance-id")
    plain.read_lines(text(data))


def _meta_data(data: bytes) -> None:
    found = meta_data.read(data)
    meta_data.settle_id(meta_data.text_of(found, "instance-id"), "", data, data)
    meta_data.read_keys(found.values.get("public-keys"))
    meta_data.read_keys(found.values)


READERS = (
    Reader(
        "nocloud.words",
        _words,
        ((b"ds=nocloud;", b""), (b"ds=nocloud;h=", b""), (b'"ds=nocloud;', b'"'), (b"", b"")),
        ((b"", b"ds=nocloud;h=%d ", b""), (b"ds=nocloud;", b"k%d=v;", b"")),
    ),
    Reader(
        "nocloud.oem_strings",
        _strings,
        ((b"\x0b\x05\0\0\x01", b"\0\0"), (CREDENTIAL, b"\0\0")),
        ((b"\x0b\x05\0\0\x01", b"s\0", b"\0"), (CREDENTIAL, b"AAAA", b"\0\0")),
    ),
    Reader(
        "nocloud.plain",
        _plain,
        (
            (b"a: ", b"\n"),
            (b"", b": b\n"),
            (b"a: '", b"'\n"),
            (b'instance-id: "', b'"'),
            (b"", b""),
        ),
        ((b"", b"k%d: v\n", b""), (b"", b"instance-id: %d\n", b""), (b"", b"# c\n", b"")),
        (WHOLE,),
    ),
    Reader(
        "nocloud.meta_data",
        _meta_data,
        ((b"", b""), (b"instance-id: ", b"\n"), (b'{"instance-id": "', b'"}'), (b"<", b"")),
        (
            (b"", b"k%d: v\n", b""),
            (b"public-keys:\n", b"- ssh-rsa %d\n", b""),
            (b"{", b'"k%d": {"a": ["b"]}, ', b'"z": 1}'),
            (b"", b'{"a": ', b""),
        ),
        (WHOLE, b'{"instance-id": "iid-1", "public-keys": {"a": {"openssh-key": "ssh-rsa A"}}}'),
        limit_bytes=YAML_BYTES,
    ),
    Reader(
        "nocloud.network_config",
        network_config.asks_only_for_dhcp,
        ((b"", b""), (b"version: 2\nethernets: {", b"}\n")),
        ((b"version: 2\nethernets:\n", b"  e%d: {dhcp4: true}\n", b""),),
        (b"version: 1\nconfig: [{type: physical, subnets: [{type: dhcp}]}]\n",),
        limit_bytes=YAML_BYTES,
    ),
)
