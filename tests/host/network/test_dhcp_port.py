"""Who holds the DHCP client's port, as /proc says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Sequence

from lightinit.host.network.dhcp_port import port_holders
from lightinit.host.system import System
from tests.lib.planned_clock import put

UDP = (
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout"
    " inode ref pointer drops\n"
    "  111: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0"
    " %s 2 0000000000000000 0\n"
    "  112: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0"
    " 900 2 0000000000000000 0\n"
)
PACKET = (
    "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"
    "ffff8e03c47ea000 3      3    %s   2     1 0      0      %s\n"
)


def machine(root: Path, udp: str = "800", protocol: str = "0003", packet: str = "801") -> System:
    put(root, "/proc/net/udp", (UDP % udp).encode())
    put(root, "/proc/net/packet", (PACKET % (protocol, packet)).encode())
    return System(str(root))


def process(root: Path, pid: int, comm: str, sockets: Sequence[str]) -> None:
    put(root, "/proc/%d/comm" % pid, comm.encode() + b"\n")
    (root / "proc" / str(pid) / "fd").mkdir()
    for number, inode in enumerate(sockets):
        os.symlink("socket:[%s]" % inode, str(root / "proc" / str(pid) / "fd" / str(number)))


def test_the_port_comes_first(tmp_path: Path) -> None:
    system = machine(tmp_path)
    process(tmp_path, 11, "resolved", ["900"])
    process(tmp_path, 12, "strange-dhcp", ["700", "800"])
    process(tmp_path, 13, "tcpdump", ["801"])
    assert port_holders(system) == [(12, "strange-dhcp")]


def test_else_a_packet_socket(tmp_path: Path) -> None:
    system = machine(tmp_path, udp="802")
    process(tmp_path, 13, "strange-dhcp", ["801"])
    assert port_holders(system) == [(13, "strange-dhcp")]


def test_no_packet_socket_of_another_protocol(tmp_path: Path) -> None:
    system = machine(tmp_path, udp="802", protocol="88cc")
    process(tmp_path, 13, "lldpd", ["801"])
    assert port_holders(system) == []


def test_nothing_readable(tmp_path: Path) -> None:
    assert port_holders(System(str(tmp_path))) == []
    put(tmp_path, "/proc/net/udp", b"junk\n\n1 2 3\n:0044\n")
    assert port_holders(System(str(tmp_path))) == []
    system = machine(tmp_path)
    put(tmp_path, "/proc/14/comm", b"ended\n")  # its fd cannot be read
    assert port_holders(system) == []
