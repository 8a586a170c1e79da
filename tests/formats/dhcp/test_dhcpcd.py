"""dhcpcd's lease file, a BOOTP packet: options that are split, moved or cut."""

from __future__ import annotations

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.dhcp.clients import read_leases
from tests.lib.leases import ACK, NETWORKD, NOW_S, PLATFORM_ROUTES, ROUTE_BYTES, WIRESERVER, packet


@pytest.mark.parametrize(
    "value", [b"", b"\xa8\x3f\x81", b"\xa8\x3f\x81\x10\x00", bytes(4), b"\xff" * 4]
)
def test_a_bad_option_245_in_a_packet(value: bytes) -> None:
    (lease,) = read_leases("dhcpcd", packet(ACK, (245, value)), NOW_S)
    assert (lease.address, lease.wireserver) == ("10.99.0.92", None)


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
