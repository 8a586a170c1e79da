"""Finds and reads the lease files of DHCP clients. ``formats/dhcp/`` knows their formats."""

from __future__ import annotations

import os
import re
import socket
from typing import Dict, List, Optional, Sequence, Tuple

from lightinit.digits import read_digits
from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.dhcp.client import INDEX, Ask
from lightinit.host.dhcp.clients import CLIENTS
from lightinit.host.system import System
from lightinit.model import NamedTuple

LIMIT_BYTES = 1024 * 1024


class LeaseFile(NamedTuple):
    """A file in which a DHCP client keeps its leases.

    Attributes:
        client: the name of the client that writes such files.
        path: its path as the VM sees it.
        data: its content; b"" if it cannot be read.
        written_s: Unix time of its last change, in seconds.
        interface: the interface's name; None if the file's name does not have it.
        problem: why it cannot be read; "" if it can.
    """

    client: str
    path: str
    data: bytes
    written_s: float
    interface: Optional[str] = None
    problem: str = ""


def lease_folders() -> List[str]:
    """The directories in which lease files may appear, as the VM sees them."""
    return sorted({os.path.dirname(place.pattern) for one in CLIENTS for place in one.places})


def lease_files(system: System, names: Optional[Dict[int, str]] = None) -> List[LeaseFile]:
    """The existing lease files of all clients, with their content (up to 1 MiB each).

    Args:
        system: the machine.
        names: the interfaces' names by index, if the caller knows them.

    Returns:
        The files, sorted by the time of their last change. They include files that cannot be read,
        each with its problem.
    """
    interfaces = _InterfaceNames(system, names)
    found: Dict[str, LeaseFile] = {}
    for client in CLIENTS:
        for place in client.places:
            for path in system.glob(place.pattern):
                base = os.path.basename(path)
                if path in found or path.endswith(("~", ".lightinit-new")):
                    continue
                if place.interface == INDEX and read_digits(base) is None:
                    continue
                file = _lease_file(
                    system, client.name, path, interfaces.find(place.interface, base)
                )
                if file is not None:
                    found[path] = file
    return sorted(found.values(), key=lambda file: file.written_s)


def asked_leases(system: System) -> List[LeaseFile]:
    """The answers of the clients that can be asked for their leases, in the form of lease files.

    This starts processes, so use it only if the files do not have enough.
    """
    return _answers(system, [(client.name, client.ask) for client in CLIENTS])


def peeked_leases(system: System) -> List[LeaseFile]:
    """The leases of running clients that write no lease files, in the form of lease files.

    This starts no process. A client that does not answer costs a second.
    """
    return _answers(system, [(client.name, client.peek) for client in CLIENTS])


def _answers(system: System, questions: Sequence[Tuple[str, Optional[Ask]]]) -> List[LeaseFile]:
    """The answers of those clients that have a question, which stands behind their names."""
    found: List[LeaseFile] = []
    for client, ask in questions:
        if ask is not None:
            what, answer = ask(system)
            if answer:
                found.append(LeaseFile(client, what, answer, system.clock.time()))
    return found


def _lease_file(
    system: System, client: str, path: str, interface: Optional[str]
) -> Optional[LeaseFile]:
    try:
        # Read the time first. If the file is replaced before it is read, the next search sees a
        # newer time and reads the file again.
        written_s = system.file_status(path).st_mtime
        return LeaseFile(client, path, system.read(path, LIMIT_BYTES), written_s, interface)
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = error.strerror or str(error)
    except (MalformedError, ProvisioningError) as error:
        problem = error.reason
    return LeaseFile(client, path, b"", 0.0, interface, problem)


class _InterfaceNames:
    """The interfaces' names by index. They are looked up only if a file's name has an index."""

    def __init__(self, system: System, by_index: Optional[Dict[int, str]]) -> None:
        self._system = system
        self._by_index = by_index

    def find(self, interface: str, base: str) -> Optional[str]:
        """The interface's name that follows from a file's name; None if none does.

        Args:
            interface: as in :class:`lightinit.host.dhcp.client.LeasePlace`.
            base: the file's name.
        """
        if interface != INDEX:
            matched = re.match(interface, base)
            if matched is None:
                return None
            return matched.group(1)
        if self._by_index is None:
            self._by_index = self._read()
        return self._by_index.get(read_digits(base) or 0)

    def _read(self) -> Dict[int, str]:
        """Ask the kernel on the live machine; in a scratch root, read /sys below the root."""
        if self._system.live:
            return dict(socket.if_nameindex())
        names: Dict[int, str] = {}
        for name in self._system.list_dir("/sys/class/net"):
            index = self._system.read_text("/sys/class/net/%s/ifindex" % name).strip()
            number = read_digits(index)
            if number:
                names[number] = name
        return names
