"""Lease files below a root: where they are, and what their names tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lightinit.host.dhcp.lease_files import LIMIT_BYTES, LeaseFile, lease_files, lease_folders
from lightinit.host.system import System
from tests.lib.planned_clock import put


@pytest.mark.parametrize(
    ("path", "client", "interface"),
    [
        ("/run/systemd/netif/leases/2", "networkd", "eth0"),
        ("/run/systemd/netif/leases/7", "networkd", None),
        ("/run/NetworkManager/devices/2", "networkmanager", "eth0"),
        (
            "/var/lib/NetworkManager/internal-11111111-2222-3333-4444-555555555555-eth0.lease",
            "networkmanager",
            "eth0",
        ),
        (
            "/var/lib/NetworkManager/internal-11111111-2222-3333-4444-555555555555-br-lan.lease",
            "networkmanager",
            "br-lan",
        ),
        (
            "/run/NetworkManager/internal-11111111-2222-3333-4444-555555555555-eth0.lease",
            "networkmanager",
            "eth0",
        ),
        (
            "/var/lib/NetworkManager/dhclient-11111111-2222-3333-4444-555555555555-eth0.lease",
            "dhclient",
            "eth0",
        ),
        ("/var/lib/dhcp/dhclient.leases", "dhclient", None),
        ("/var/lib/dhcp/dhclient.eth0.leases", "dhclient", "eth0"),
        ("/var/lib/dhcp/dhclient-eth0.leases", "dhclient", "eth0"),
        ("/var/lib/dhcp/dhclient.lease", "dhclient", None),
        ("/var/lib/dhcp3/dhclient.eth0.leases", "dhclient", "eth0"),
        ("/var/lib/dhclient/dhclient--eth0.lease", "dhclient", "eth0"),
        ("/var/lib/dhclient/dhclient.leases", "dhclient", None),
        ("/run/dhclient.eth0.leases", "dhclient", "eth0"),
        ("/var/lib/dhcpcd/eth0.lease", "dhcpcd", "eth0"),
        ("/var/lib/dhcpcd5/dhcpcd-eth0.lease", "dhcpcd", "eth0"),
        ("/var/db/dhcpcd/eth0.lease", "dhcpcd", "eth0"),
        ("/var/state/dhcp/dhclient.leases", "dhclient", None),
        ("/var/db/dhclient.leases.eth0", "dhclient", None),
        ("/var/lib/wicked/lease-eth0-dhcp-ipv4.xml", "wicked", "eth0"),
        ("/run/wicked/lease-br-lan-dhcp-ipv4.xml", "wicked", "br-lan"),
        ("/run/lightinit/leases/eth0.udhcpc", "udhcpc", "eth0"),
        ("/run/lightinit/leases/eth0.100.udhcpc", "udhcpc", "eth0.100"),
    ],
)
def test_every_place_is_looked_at(tmp_path: Path, path: str, client: str, interface: str) -> None:
    put(tmp_path, "/sys/class/net/eth0/ifindex", b"2\n")
    put(tmp_path, path, b"data\n", 1234.0)
    (found,) = lease_files(System(str(tmp_path)))
    assert found == LeaseFile(client, path, b"data\n", 1234.0, interface)
    assert os.path.dirname(path) in lease_folders()


@pytest.mark.parametrize(
    "path",
    [
        "/var/lib/dhcp/dhcpd.leases",
        "/var/lib/dhcpcd/duid",
        "/run/systemd/netif/leases/.#2abc",
        "/run/systemd/netif/links/2",
        "/run/lightinit/leases/.eth0.99",
        "/run/NetworkManager/devices/.2",
        "/run/systemd/netif/leases/2x",
        "/var/lib/NetworkManager/timestamps",
        "/var/lib/wicked/lease-eth0-dhcp-ipv6.xml",
        "/var/lib/wicked/lease-eth0-dhcp-ipv4.xml.Xy12Za",
        "/var/lib/dhcp/dhclient.leases~",
    ],
)
def test_other_files_are_left_alone(tmp_path: Path, path: str) -> None:
    put(tmp_path, path)
    assert lease_files(System(str(tmp_path))) == []


def test_the_file_written_last_is_the_last(tmp_path: Path) -> None:
    put(tmp_path, "/run/lightinit/leases/eth0.udhcpc", written_s=3.0)
    put(tmp_path, "/var/lib/dhcp/dhclient.leases", written_s=1.0)
    put(tmp_path, "/var/lib/dhcpcd/eth0.lease", written_s=2.0)
    clients = [file.client for file in lease_files(System(str(tmp_path)))]
    assert clients == ["dhclient", "dhcpcd", "udhcpc"]


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    os.mkfifo(str(put(tmp_path, "/var/lib/dhcpcd/x").parent / "eth0.lease"))
    put(tmp_path, "/var/lib/dhcp/dhclient.leases", b"x" * (LIMIT_BYTES + 1))
    (tmp_path / "var/lib/dhclient/dhclient.leases").mkdir(parents=True)
    (tmp_path / "var/lib/dhcp/dhclient.eth0.leases").symlink_to("dhclient.eth0.leases")
    problems = {file.path: file.problem for file in lease_files(System(str(tmp_path)))}
    assert problems == {
        "/var/lib/dhcpcd/eth0.lease": "not a regular file",
        "/var/lib/dhcp/dhclient.leases": "file is too large",
        "/var/lib/dhclient/dhclient.leases": "Is a directory",
        "/var/lib/dhcp/dhclient.eth0.leases": "too many symbolic links",
    }


def test_a_link_out_of_the_root_stays_inside(tmp_path: Path) -> None:
    put(tmp_path, "/root/outside", b"inside\n")
    (tmp_path / "root/var/lib/dhcp").mkdir(parents=True)
    (tmp_path / "root/var/lib/dhcp/dhclient.leases").symlink_to("/outside")
    (tmp_path / "outside").write_bytes(b"outside\n")
    (found,) = lease_files(System(str(tmp_path / "root")))
    assert found.data == b"inside\n"
