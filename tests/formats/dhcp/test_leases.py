"""Readers of leases: every form of option 245 and of routes, several blocks, files that were cut,
random bytes.
"""

from __future__ import annotations

import random
import socket
from typing import Callable, Dict, Tuple

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.dhcp import options as lease_options
from lightinit.formats.dhcp.keyvalue import CLIENTS, read_dhclient, read_leases
from lightinit.model import Lease, Route

NOW_S = 1795403607.0  # 2026-11-23 03:13:27 UTC
PLATFORM_ROUTES = (
    Route("168.63.129.16/32", "10.99.0.1"),
    Route("0.0.0.0/0", "10.99.0.1"),
    Route("169.254.169.254/32", "10.99.0.1"),
)
ROUTE_BYTES = bytes(
    [32, 168, 63, 129, 16, 10, 99, 0, 1, 0, 10, 99, 0, 1, 32, 169, 254, 169, 254, 10, 99, 0, 1]
)

# What the real clients wrote when a server gave them the same lease.
DHCLIENT = b"""lease {
  interface "eth7";
  fixed-address 10.99.0.92;
  option subnet-mask 255.255.255.0;
  option routers 10.99.0.1;
  option dhcp-lease-time 3600;
  option dhcp-message-type 5;
  option dhcp-server-identifier 10.99.0.1;
  option dhcp-renewal-time 1800;
  option unknown-245 a8:3f:81:10;
  option rfc3442-classless-static-routes 32,168,63,129,16,10,99,0,1,0,10,99,0,1,\
32,169,254,169,254,10,99,0,1;
  option broadcast-address 10.99.0.255;
  option dhcp-rebinding-time 3150;
  option host-name "vm";
  option unknown-249 20:a8:3f:81:10:a:63:0:1;
  renew 1 2026/11/23 03:58:50;
  rebind 1 2026/11/23 04:22:00;
  expire 1 2026/11/23 04:29:30;
}
"""
NETWORKD = b"""# This is private data. Do not parse.
ADDRESS=10.99.0.92
NETMASK=255.255.255.0
ROUTER=10.99.0.1
SERVER_ADDRESS=10.99.0.1
T1=1800
T2=3150
LIFETIME=3600
HOSTNAME=vm
CLASSLESS_ROUTES=168.63.129.16/32,10.99.0.1 0.0.0.0/0,10.99.0.1 169.254.169.254/32,10.99.0.1
CLIENTID=012aebd9692dcd
OPTION_245=a83f8110
"""
NM_DEVICE = b"""[device]
managed=true
perm-hw-addr-fake=EE:0A:B6:CA:A5:02
connection-uuid=11111111-2222-3333-4444-555555555555
next-server=10.99.0.1

[dhcp4]
dhcp4.dhcp_lease_time=3600
dhcp4.expiry=1795407207
dhcp4.ip_address=10.99.0.92
dhcp4.private_245=a8:3f:81:10
dhcp4.rfc3442_classless_static_routes=168.63.129.16/32 10.99.0.1 \
0.0.0.0/0 10.99.0.1 169.254.169.254/32 10.99.0.1
dhcp4.routers=10.99.0.1
"""
NM_INTERNAL = b"# This is private data. Do not parse.\nADDRESS=10.99.0.92\n"
NMCLI = b"""GENERAL.DEVICE:                         eth7
DHCP4.OPTION[1]:                        dhcp_lease_time = 3600
DHCP4.OPTION[2]:                        expiry = 1795407207
DHCP4.OPTION[3]:                        ip_address = 10.99.0.92
DHCP4.OPTION[4]:                        private_245 = a8:3f:81:10
DHCP4.OPTION[5]:                        requested_routers = 1
DHCP4.OPTION[6]:                        rfc3442_classless_static_routes = 168.63.129.16/32 \
10.99.0.1 0.0.0.0/0 10.99.0.1 169.254.169.254/32 10.99.0.1
DHCP4.OPTION[7]:                        routers = 10.99.0.1

GENERAL.DEVICE:                         lo

"""
UDHCPC = b"""interface=eth7
ip=10.99.0.92
opt245=a83f8110
router=10.99.0.1
staticroutes=168.63.129.16/32 10.99.0.1 0.0.0.0/0 10.99.0.1 169.254.169.254/32 10.99.0.1
lease=3600
"""


def packet(
    *options: Tuple[int, bytes],
    address: str = "10.99.0.92",
    file: bytes = b"",
    sname: bytes = b"",
    end: bytes = b"\xff",
) -> bytes:
    """A BOOTP reply with these options."""
    head = bytes([2, 1, 6, 0]) + bytes(12) + socket.inet_aton(address) + bytes(24)
    body = b"".join(bytes([code, len(value)]) + value for code, value in options)
    return head + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + b"\x63\x82\x53\x63" + body + end


ACK = (53, b"\x05")
WIRESERVER = (245, bytes([168, 63, 129, 16]))
DHCPCD = packet(
    ACK, (51, (3600).to_bytes(4, "big")), (3, bytes([10, 99, 0, 1])), (121, ROUTE_BYTES), WIRESERVER
)

REAL: Dict[str, Tuple[str, bytes]] = {
    "dhclient": ("dhclient", DHCLIENT),
    "networkd": ("networkd", NETWORKD),
    "dhcpcd": ("dhcpcd", DHCPCD),
    "nm-device": ("networkmanager", NM_DEVICE),
    "nm-internal": ("networkmanager", NM_INTERNAL),
    "nmcli": ("networkmanager", NMCLI),
    "udhcpc": ("udhcpc", UDHCPC),
}


def dhclient_with(option: bytes) -> Lease:
    """The lease in a dhclient file with this option line, and another after it that must not be
    lost.
    """
    data = (
        b'lease {\n  interface "eth0";\n  fixed-address 10.0.0.4;\n  '
        + option
        + b"\n  option routers 10.0.0.1;\n  expire never;\n}\n"
    )
    leases = read_dhclient(data, NOW_S)
    assert len(leases) == 1
    assert (leases[0].address, leases[0].routers) == ("10.0.0.4", ("10.0.0.1",))
    return leases[0]


# -- what the clients really write
# ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in REAL if name != "nm-internal"])
def test_each_client_gives_the_same_lease(name: str) -> None:
    client, data = REAL[name]
    (lease,) = read_leases(client, data, NOW_S, "/the/file", interface="eth7", written_s=NOW_S)
    assert lease.client == client
    assert lease.source == "/the/file"
    assert lease.interface == "eth7"
    assert lease.address == "10.99.0.92"
    assert lease.wireserver == "168.63.129.16"
    assert lease.routers == ("10.99.0.1",)
    assert lease.routes == PLATFORM_ROUTES
    assert lease.expires_s == (1795408170.0 if client == "dhclient" else NOW_S + 3600)


@pytest.mark.parametrize("name", list(REAL))
def test_an_ended_lease_is_left_out(name: str) -> None:
    client, data = REAL[name]
    late_s = NOW_S + 100000
    ended = read_leases(client, data, late_s, written_s=NOW_S)
    assert ended == () or name == "nm-internal"  # which says nothing about its end


def test_networkmanagers_lease_file_has_the_address_alone() -> None:
    (lease,) = read_leases("networkmanager", NM_INTERNAL, NOW_S, interface="eth7")
    assert lease == Lease("networkmanager", "10.99.0.92", "eth7")


def test_nmcli_without_device_names_gives_a_lease_without_interface() -> None:
    data = NMCLI.replace(b"GENERAL.DEVICE:                         eth7\n", b"\n")
    (lease,) = read_leases("networkmanager", data, NOW_S)
    assert (lease.interface, lease.wireserver) == (None, "168.63.129.16")


def test_nmcli_with_two_devices_keeps_them_apart() -> None:
    second = NMCLI.replace(b"eth7", b"eth8").replace(b"10.99.0.92", b"10.98.0.7")
    second = second.replace(b"private_245", b"unknown_245")
    for data in (NMCLI + second, (NMCLI + second).replace(b"\n\n", b"\n")):
        leases = read_leases("networkmanager", data, NOW_S)
        assert [(one.interface, one.address, one.wireserver) for one in leases] == [
            ("eth7", "10.99.0.92", "168.63.129.16"),
            ("eth8", "10.98.0.7", "168.63.129.16"),
        ]


def test_a_device_without_dhcp_is_no_lease_and_no_error() -> None:
    assert read_leases("networkmanager", b"[device]\nmanaged=true\n", NOW_S) == ()


def test_an_older_networkd_and_networkmanager_wrote_the_same_file() -> None:
    data = NETWORKD.replace(b"CLASSLESS_ROUTES", b"ROUTES")
    for client in ("networkd", "networkmanager"):
        (lease,) = read_leases(client, data, NOW_S)
        assert (lease.wireserver, lease.routes) == ("168.63.129.16", PLATFORM_ROUTES)


def test_keyfile_escapes_are_undone() -> None:
    data = NM_DEVICE.replace(b"dhcp4.private_245=a8:3f:81:10", b"dhcp4.private_245=\\sa8:3f:81:10")
    assert read_leases("networkmanager", data, NOW_S)[0].wireserver == "168.63.129.16"


def test_an_unknown_client_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="pump"):
        read_leases("pump", b"", NOW_S)


# -- option 245
# --------------------------------------------------------------------------------------------------


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


BAD_245 = [
    b"",
    b"a8",
    b"a8:3f:81",
    b"a8:3f:81:10:00",
    b"a83f81",
    b"a83f811",
    b"a83f811000",
    b"a8:3f:81:110",
    b"g8:3f:81:10",
    b"a8::81:10",
    b"0:0:0:0",
    b"00000000",
    b"ff:ff:ff:ff",
    b"e0:0:0:1",
    b"0:0:0:1",
    b"168.63.129",
    b"168.63.129.256",
    b"one",
    b"--",
]


@pytest.mark.parametrize("value", BAD_245)
def test_a_bad_option_245_leaves_the_lease_without_it(value: bytes) -> None:
    assert dhclient_with(b"option unknown-245 " + value + b";").wireserver is None
    for client, template, good in (
        ("networkd", NETWORKD, b"a83f8110"),
        ("udhcpc", UDHCPC, b"a83f8110"),
        ("networkmanager", NM_DEVICE, b"a8:3f:81:10"),
        ("networkmanager", NMCLI, b"a8:3f:81:10"),
    ):
        (lease,) = read_leases(client, template.replace(good, value), NOW_S)
        assert (lease.address, lease.wireserver) == ("10.99.0.92", None)


@pytest.mark.parametrize(
    "value", [b'""', b'"abc"', b'"abcde"', b'"\\0\\0\\0\\0"', b'"\\377\\377\\377\\377"']
)
def test_a_bad_string_in_option_245_leaves_the_lease_without_it(value: bytes) -> None:
    assert dhclient_with(b"option unknown-245 " + value + b";").wireserver is None


@pytest.mark.parametrize(
    "value", [b"", b"\xa8\x3f\x81", b"\xa8\x3f\x81\x10\x00", bytes(4), b"\xff" * 4]
)
def test_a_bad_option_245_in_a_packet(value: bytes) -> None:
    (lease,) = read_leases("dhcpcd", packet(ACK, (245, value)), NOW_S)
    assert (lease.address, lease.wireserver) == ("10.99.0.92", None)


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


# -- dhclient: blocks and dates
# ------------------------------------------------------------------------------------


def block(address: str, expire: str = "never", interface: str = "eth0", extra: str = "") -> bytes:
    return (
        'lease {\n  interface "%s";\n  fixed-address %s;\n  %s\n  expire %s;\n}\n'
        % (interface, address, extra, expire)
    ).encode()


def addresses(data: bytes, now_s: float = NOW_S) -> Tuple[str, ...]:
    return tuple(lease.address for lease in read_dhclient(data, now_s))


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
    (lease,) = read_dhclient(block("10.0.0.4", expire), NOW_S)
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


def test_dates_against_the_standard_library() -> None:
    import calendar
    import time

    chance = random.Random(2026)
    for _ in range(500):
        seconds = chance.randrange(0, 1 << 33)
        parts = time.gmtime(seconds)
        text = time.strftime("%w %Y/%m/%d %H:%M:%S", parts)
        assert lease_options.time_from_date(text) == calendar.timegm(parts)


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
    (lease,) = read_dhclient(block("10.0.0.4", interface="../../etc"), NOW_S, interface="eth0")
    assert lease.interface == "eth0"


# -- routes
# --------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("text", "routes"),
    [
        ("8 10 10 0 0 1", (Route("10.0.0.0/8", "10.0.0.1"),)),
        ("17 10 1 128 10 0 0 1", (Route("10.1.128.0/17", "10.0.0.1"),)),
        ("25 10 1 2 128 10 0 0 1", (Route("10.1.2.128/25", "10.0.0.1"),)),
        ("10.0.0.0/8 10.0.0.1", (Route("10.0.0.0/8", "10.0.0.1"),)),
        ("10.0.0.0/8,10.0.0.1 bad/7,1 11.0.0.0/33,1.2.3.4", (Route("10.0.0.0/8", "10.0.0.1"),)),
        ("200a0a0a0a0a000001", (Route("10.10.10.10/32", "10.0.0.1"),)),
        ("", ()),
        ("33 1 2 3 4 5 6 7 8 9", ()),
        ("32 168 63 129 16 10 0 0", ()),
        ("300 1 1 1 1", ()),
        ("\xb2 1", ()),
        ("8 10 10 0 0 1 32", ()),
    ],
)
def test_routes_as_text(text: str, routes: Tuple[Route, ...]) -> None:
    assert lease_options.routes_from_text(text) == routes


def test_udhcpc_gives_microsofts_routes_when_there_are_no_others() -> None:
    data = b"ip=10.0.0.4\nmsstaticroutes=168.63.129.16/32 10.0.0.1\nopt249=20a83f81100a000001\n"
    assert read_leases("udhcpc", data, NOW_S)[0].routes == (Route("168.63.129.16/32", "10.0.0.1"),)
    raw = b"ip=10.0.0.4\nopt249=20a83f81100a000001\n"
    assert read_leases("udhcpc", raw, NOW_S)[0].routes == (Route("168.63.129.16/32", "10.0.0.1"),)


# -- dhcpcd's packet
# -----------------------------------------------------------------------------------------------


def test_padding_is_passed_over_and_what_follows_the_end_is_not_read() -> None:
    body = packet(
        ACK,
        end=b"\0\0\0" + bytes([245, 4, 168, 63, 129, 16]) + b"\xff" + bytes([245, 4, 1, 2, 3, 4]),
    )
    assert read_leases("dhcpcd", body, NOW_S)[0].wireserver == "168.63.129.16"
    after = packet(ACK, end=b"\xff" + bytes([245, 4, 1, 2, 3, 4]))
    assert read_leases("dhcpcd", after, NOW_S)[0].wireserver is None


def test_a_split_option_is_joined() -> None:
    body = packet(
        ACK, (121, ROUTE_BYTES[:9]), (245, b"\xa8\x3f"), (121, ROUTE_BYTES[9:]), (245, b"\x81\x10")
    )
    (lease,) = read_leases("dhcpcd", body, NOW_S)
    assert (lease.wireserver, lease.routes) == ("168.63.129.16", PLATFORM_ROUTES)


@pytest.mark.parametrize(
    ("overload", "address"), [(1, "1.1.1.1"), (2, "2.2.2.2"), (3, None), (0, None), (4, None)]
)
def test_options_in_file_and_sname(overload: int, address: str) -> None:
    file, sname = bytes([245, 4, 1, 1, 1, 1, 255]), bytes([245, 4, 2, 2, 2, 2, 255])
    (lease,) = read_leases(
        "dhcpcd", packet(ACK, (52, bytes([overload])), file=file, sname=sname), NOW_S
    )
    assert lease.wireserver == address  # with both there are eight bytes, which is a wrong length


def test_an_option_that_goes_on_in_file_and_then_sname() -> None:
    body = packet(
        ACK,
        (52, b"\x03"),
        (245, b"\xa8\x3f"),
        file=bytes([245, 1, 129, 255]),
        sname=bytes([245, 1, 16, 255]),
    )
    assert read_leases("dhcpcd", body, NOW_S)[0].wireserver == "168.63.129.16"


def test_a_lease_without_end() -> None:
    forever = packet(ACK, (51, b"\xff" * 4))
    assert read_leases("dhcpcd", forever, NOW_S, written_s=0.0)[0].expires_s is None
    unknown = packet(ACK, (51, b"\0\0\0\x0a"))
    assert read_leases("dhcpcd", unknown, NOW_S)[0].expires_s is None
    assert (
        read_leases("networkd", NETWORKD.replace(b"3600", b"4294967295"), NOW_S, written_s=0.0)
        != ()
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too short"),
        (bytes(239), "too short"),
        (bytes(240), "not a dhcp reply"),
        (packet(ACK).replace(b"\x63\x82\x53\x63", b"\x63\x82\x53\x62"), "not a dhcp reply"),
        (b"\x01" + packet(ACK)[1:], "not a dhcp reply"),
        (packet((53, b"\x02"), WIRESERVER), "no acknowledgement"),
        (packet(ACK, address="0.0.0.0"), "no address"),
        (packet(ACK, end=b"\xf5\x04\xa8\x3f"), "cut inside an option"),
        (packet(ACK, end=b"\xf5"), "cut inside an option"),
    ],
)
def test_what_is_no_lease_packet(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        read_leases("dhcpcd", data, NOW_S)


def test_a_packet_without_end_mark_is_read() -> None:
    assert (
        read_leases("dhcpcd", packet(ACK, WIRESERVER, end=b""), NOW_S)[0].wireserver
        == "168.63.129.16"
    )


# -- files that were cut, and bytes that mean nothing
# --------------------------------------------------------------


@pytest.mark.parametrize("name", list(REAL))
def test_a_cut_file_never_gives_a_wrong_value(name: str) -> None:
    client, data = REAL[name]
    (whole,) = read_leases(client, data, NOW_S, interface="eth7", written_s=NOW_S)
    for length in range(len(data)):
        try:
            leases = read_leases(client, data[:length], NOW_S, interface="eth7", written_s=NOW_S)
        except MalformedError:
            continue
        for lease in leases:
            assert lease.address == whole.address
            assert lease.wireserver in (None, whole.wireserver)
            assert lease.routes == whole.routes[: len(lease.routes)]
            assert lease.expires_s in (None, whole.expires_s)


@pytest.mark.parametrize("data", [NETWORKD, UDHCPC, NM_INTERNAL])
def test_a_last_line_without_newline_does_not_count(data: bytes) -> None:
    cut_at = data.index(b"10.99.0.92") + len(b"10.99.0.9")
    client = {id(NETWORKD): "networkd", id(UDHCPC): "udhcpc"}.get(id(data), "networkmanager")
    with pytest.raises(MalformedError, match="no address"):
        read_leases(client, data[:cut_at], NOW_S)


def mutations(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(changed))
        kind = chance.randrange(3)
        if kind == 0:
            changed[at] = chance.randrange(256)
        elif kind == 1:
            del changed[at : at + chance.randrange(1, 20)]
            changed = changed or bytearray(b"x")
        else:
            changed[at:at] = bytes(
                chance.choice(b'"\\;{}\n=#\xff0a:.,/ ') for _ in range(chance.randrange(1, 6))
            )
    return bytes(changed)


def noise(_data: bytes, chance: random.Random) -> bytes:
    return bytes(chance.randrange(256) for _ in range(chance.randrange(600)))


@pytest.mark.parametrize("make", [mutations, noise])
def test_whatever_the_bytes_are(make: Callable[[bytes, random.Random], bytes]) -> None:
    chance = random.Random(245)
    for _ in range(250):
        for _client, template in REAL.values():
            data = make(template, chance)
            for client in CLIENTS:
                try:
                    leases = read_leases(client, data, NOW_S, "/file", None, NOW_S)
                except MalformedError:
                    continue
                for lease in leases:
                    socket.inet_aton(lease.address)
                    assert lease.address != "0.0.0.0"
                    if lease.wireserver is not None:
                        assert 0 < socket.inet_aton(lease.wireserver)[0] < 224


def test_a_large_file_is_read_in_time() -> None:
    import time

    hostile = [
        b'"' * 200000,
        b"\\" * 200000,
        b"{" * 200000,
        b"lease {" * 30000,
        b'lease { option x "' * 12000,
        b"#" * 200000,
        b" " * 200000,
        b"1," * 100000 + b"/",
        b"\n" * 200000,
        b'"  ' * 70000,
        b"DHCP4.OPTION[1" * 9000,
    ]
    started_s = time.process_time()
    for data in hostile:
        for client in CLIENTS:
            try:
                read_leases(client, data, NOW_S)
            except MalformedError:
                pass
    assert time.process_time() - started_s < 5
