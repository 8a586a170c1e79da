"""Finds the processes that hold the DHCP client's port, or a packet socket, as DHCP clients do."""

from __future__ import annotations

import os
import re
from typing import List, Set, Tuple

from lightinit.digits import read_digits
from lightinit.host.system import System

PORT = 68  # RFC 2131, section 4.1
# ETH_P_ALL and ETH_P_IP: other packet sockets are LLDP's, 802.1X's and the like.
PROTOCOLS = {"0003", "0800"}
_SOCKET = re.compile(r"socket:\[([0-9]+)\]\Z")


def port_holders(system: System) -> List[Tuple[int, str]]:
    """The processes that hold UDP port 68; if there are none, those with a packet socket.

    A process of this machine's network namespace counts, whichever user runs it. lightinit's own
    sandbox may hide the sockets of other processes; then the result is empty.

    Returns:
        (pid, name) of each, sorted; the kernel has cut the name to 15 characters.
    """
    return _holders(system, _udp_sockets(system)) or _holders(system, _packet_sockets(system))


def is_port_held(system: System) -> bool:
    """Whether any process holds the port."""
    return bool(_udp_sockets(system))


def _udp_sockets(system: System) -> Set[str]:
    """The inodes of the sockets bound to the port: proc(5)."""
    found = set()
    for line in system.read_text("/proc/net/udp").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[1].endswith(":%04X" % PORT):
            found.add(fields[9])
    return found


def _packet_sockets(system: System) -> Set[str]:
    found = set()
    for line in system.read_text("/proc/net/packet").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 8 and fields[3] in PROTOCOLS:
            found.add(fields[8])
    return found


def _holders(system: System, inodes: Set[str]) -> List[Tuple[int, str]]:
    found = []
    for entry in system.list_dir("/proc") if inodes else []:
        pid = read_digits(entry)
        if pid and pid != os.getpid() and inodes & _sockets_of(system, entry):
            comm = system.read_text("/proc/%s/comm" % entry).strip()
            found.append((pid, comm or "a process"))
    return sorted(found)


def _sockets_of(system: System, entry: str) -> Set[str]:
    folder = "/proc/%s/fd" % entry
    found = set()
    try:
        for name in os.listdir(system.path(folder)):
            target = os.readlink(system.path("%s/%s" % (folder, name), follow_last=False))
            match = _SOCKET.match(target)
            if match is not None:
                found.add(match.group(1))
    except OSError:
        pass  # it has just ended, or this process may not look
    return found
