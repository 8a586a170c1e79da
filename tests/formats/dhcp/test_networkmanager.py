"""NetworkManager's three forms of a lease."""

from __future__ import annotations

from lightinit.formats.dhcp.clients import read_leases
from lightinit.model import Lease
from tests.lib.leases import NETWORKD, NM_DEVICE, NM_INTERNAL, NMCLI, NOW_S, PLATFORM_ROUTES


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
