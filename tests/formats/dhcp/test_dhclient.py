"""dhclient's lease file: every form of option 245 and of routes, several blocks, dates."""

from __future__ import annotations

import socket
from typing import Tuple

import pytest

from lightinit.formats.dhcp.dhclient import read_leases
from tests.lib.leases import NOW_S, PLATFORM_ROUTES, dhclient_with


@pytest.mark.parametrize(
    ("written", "address"),
    [
        (b"unknown-245 a8:3f:81:10;", "168.63.129.16"),
        (b"unknown-245 A8:3F:81:10;", "168.63.129.16"),
        (b"unknown-245 a:0:0:5;", "10.0.0.5"),  # no leading zeros
        (b"unknown-245 a8:3f:81:1;", "168.63.129.1"),
        (b"unknown-245   a8:3f:81:10 ;", "168.63.129.16"),
        (b'unknown-245 "\\250?\\201\\020";', "168.63.129.16"),
        (b'unknown-245 "\\"?\\201\\020";', "34.63.129.16"),  # 0x22 is a quote, escaped
        (b'unknown-245 "\\"\\"\\"\\"";', "34.34.34.34"),
        (b'unknown-245 "\\\\?\\201\\020";', "92.63.129.16"),  # 0x5c is a backslash, escaped
        (b'unknown-245 "\\\\\\\\\\\\\\\\";', "92.92.92.92"),
        (b'unknown-245 "\\\\201";', "92.50.48.49"),  # a backslash and three digits, no octal escape
        (b'unknown-245 ";?\\201\\020";', "59.63.129.16"),  # 0x3b does not end the statement
        (b'unknown-245 "\\250;}\\020";', "168.59.125.16"),  # 0x7d does not end the block
        (b'unknown-245 "{#;}";', "123.35.59.125"),  # 0x23 begins no comment
        (
            b'unknown-245 "\\250" \\020";',
            "168.34.32.16",
        ),  # an older release left the quote as it was
        (b'unknown-245 "\\?\\201\\020";', "92.63.129.16"),  # and the backslash
        (b'unknown-245 "\xa8?\x81\x10";', "168.63.129.16"),  # bytes as they are
        (b'unknown-245 "\n\n\n\n";', "10.10.10.10"),
        (b'unknown-245 "abcd";', "97.98.99.100"),
        (b'unknown-245 "a8:3f:81:10";', "168.63.129.16"),
        (b"option-245 a8:3f:81:10;", "168.63.129.16"),
        (b"unknown-245 168.63.129.16;", "168.63.129.16"),  # declared as ip-address in dhclient.conf
        (b"unknown-245 a83f8110;", "168.63.129.16"),
        (b"unknown-245 7f:0:0:1;", "127.0.0.1"),  # loopback is for tests
    ],
)
def test_dhclient_option_245(written: bytes, address: str) -> None:
    assert dhclient_with(b"option " + written).wireserver == address


@pytest.mark.parametrize(
    "value", [b'""', b'"abc"', b'"abcde"', b'"\\0\\0\\0\\0"', b'"\\377\\377\\377\\377"']
)
def test_a_bad_string_in_option_245_leaves_the_lease_without_it(value: bytes) -> None:
    assert dhclient_with(b"option unknown-245 " + value + b";").wireserver is None


def test_every_address_survives_dhclients_printer() -> None:
    """The way the client prints text, done here anew, over all byte values in every place."""

    def printed(data: bytes) -> bytes:
        if all(32 <= byte < 127 for byte in data):
            text = b"".join(
                b"\\" + bytes([byte]) if byte in b"\"'$`\\|&" else bytes([byte]) for byte in data
            )
        else:
            text = b"".join(
                (
                    b"\\" + bytes([byte])
                    if byte in b'"\\'
                    else bytes([byte])
                    if 32 <= byte < 127
                    else b"\\%03o" % byte
                )
                for byte in data
            )
        return b'"' + text + b'"'

    for byte in range(256):
        for data in (
            bytes([168, byte, 129, 16]),
            bytes([33, 63, byte, byte]),
            bytes([99, 34, 92, byte]),
        ):
            lease = dhclient_with(b"option unknown-245 " + printed(data) + b";")
            assert lease.wireserver == socket.inet_ntoa(data)


def block(address: str, expire: str = "never", interface: str = "eth0", extra: str = "") -> bytes:
    return (
        'lease {\n  interface "%s";\n  fixed-address %s;\n  %s\n  expire %s;\n}\n'
        % (interface, address, extra, expire)
    ).encode()


def addresses(data: bytes, now_s: float = NOW_S) -> Tuple[str, ...]:
    return tuple(lease.address for lease in read_leases(data, now_s))


def test_the_last_unexpired_block_wins() -> None:
    data = (
        block("10.0.0.1")
        + block("10.0.0.2", "1 2027/01/01 00:00:00")
        + block("10.0.0.3", "4 2020/01/02 00:00:00")
    )
    assert addresses(data) == ("10.0.0.2",)


def test_each_interface_has_its_own_last_block() -> None:
    data = block("10.0.0.1") + block("10.1.0.1", interface="eth1") + block("10.0.0.2")
    assert addresses(data) == ("10.1.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("expire", "expires_s"),
    [
        ("never", None),
        ("epoch 1795403608", 1795403608.0),
        ("epoch 1795403608; # Mon Nov 23 03:13:28 2026\n  renew never", 1795403608.0),
        ("2 2026/11/23 03:13:28", NOW_S + 1),
        ("2 2026/11/23 03:13:28 UTC", NOW_S + 1),
        ("4 2162/12/30 23:59:59", 6090422399.0),
        ("1 2028/02/29 00:00:00", 1835395200.0),
        ("0 2100/03/01 00:00:00", 4107542400.0),
    ],
)
def test_dates(expire: str, expires_s: float) -> None:
    (lease,) = read_leases(block("10.0.0.4", expire), NOW_S)
    assert lease.expires_s == expires_s


@pytest.mark.parametrize(
    "expire",
    [
        "epoch 1795403607",
        "1 2026/11/23 03:13:27",
        "4 1970/01/01 00:00:00",
        "epoch 0",
        "soon",
        "2",
        "1 2026/13/23 03:13:27",
        "1 2026/11/23 24:00:00",
        "1 2027/11/23 03:13:61",
        "epoch -5",
        "1 2026-11-23 03:13:27",
        "epoch",
        "epoch 1 2",
        "9 2027/11/23 03:13:27",
    ],
)
def test_a_block_that_has_ended_or_has_no_readable_date_does_not_count(expire: str) -> None:
    assert addresses(block("10.0.0.3") + block("10.0.0.4", expire)) == ("10.0.0.3",)


def test_other_declarations_are_passed_over() -> None:
    data = (
        b'default-duid "\\000\\001}{;";\n# lease { fixed-address 9.9.9.9; expire never; }\nlease6'
        b' {\n interface "eth0";\n ia-na 1a:2b {\n  starts 1;\n  iaaddr fe80::1 { max-life 1; }\n'
        b" }\n}\n"
        + block("10.0.0.4", extra="vendor option space x { y 1; }")
        + b'key "k" {\n secret "s";\n}\nlease6 {\n interface "eth0";\n}\n'
    )
    assert addresses(data) == ("10.0.0.4",)


def test_statements_of_other_declarations_are_no_lease() -> None:
    assert addresses(
        b"pool {\n state { fixed-address 9.9.9.9; expire never; }\n}\n" + block("10.0.0.4")
    ) == ("10.0.0.4",)


def test_a_block_that_was_cut_is_not_read_and_swallows_nothing() -> None:
    whole = block("10.0.0.9", interface="eth9")
    for length in range(len(whole) - 3):
        if whole[:length].count(b'"') % 2 == 0:
            # An open string swallows what follows, up to the next quote.
            assert "10.0.0.2" in addresses(
                block("10.0.0.1") + whole[:length] + b"\n" + block("10.0.0.2")
            )


def test_an_old_block_counts_until_the_new_one_is_whole() -> None:
    old, new = block("10.0.0.1"), block("10.0.0.2")
    for length in range(len(new) + 1):
        assert addresses(old + new[:length]) == (
            ("10.0.0.2",) if length >= len(new) - 1 else ("10.0.0.1",)
        )


def test_names_that_no_interface_has_are_not_taken() -> None:
    (lease,) = read_leases(block("10.0.0.4", interface="../../etc"), NOW_S, interface="eth0")
    assert lease.interface == "eth0"


@pytest.mark.parametrize(
    "option",
    [
        (
            b"option rfc3442-classless-static-routes"
            b" 32,168,63,129,16,10,99,0,1,0,10,99,0,1,32,169,254,169,254,10,99,0,1;"
        ),
        (
            b"option rfc3442-classless-static-routes 32, 168, 63, 129, 16, 10, 99, 0, 1, 0, 10, 99,"
            b" 0, 1, 32, 169, 254, 169, 254, 10, 99, 0, 1;"
        ),
        (
            b"option classless-static-routes 32.168.63.129.16 10.99.0.1,0"
            b" 10.99.0.1,32.169.254.169.254 10.99.0.1;"
        ),
        b"option unknown-121 20:a8:3f:81:10:a:63:0:1:0:a:63:0:1:20:a9:fe:a9:fe:a:63:0:1;",
        b"option unknown-249 20:a8:3f:81:10:a:63:0:1:0:a:63:0:1:20:a9:fe:a9:fe:a:63:0:1;",
        (
            b"option ms-classless-static-routes"
            b" 32,168,63,129,16,10,99,0,1,0,10,99,0,1,32,169,254,169,254,10,99,0,1;"
        ),
        (
            b'option unknown-121 " \\250?\\201\\020\\nc\\000\\001\\000\\nc\\000\\001'
            b' \\251\\376\\251\\376\\nc\\000\\001";'
        ),
    ],
)
def test_dhclient_routes(option: bytes) -> None:
    if b"\\n" in option:
        option = option.replace(b"\\n", b"\\012")
    assert dhclient_with(option).routes == PLATFORM_ROUTES
