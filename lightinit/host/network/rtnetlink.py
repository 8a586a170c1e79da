"""The machine's links and IPv4 addresses, as the kernel tells them by rtnetlink.

They are asked for once. After that, the kernel's own events change them, so that a machine with a
thousand interfaces need not be read anew for each. The messages are those of rtnetlink(7) and
linux/if_link.h.
"""

from __future__ import annotations

import socket
import struct
from typing import Dict, Iterator, List, Tuple

from lightinit.model import NamedTuple

NETLINK_ROUTE = 0
HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, sender (netlink(7))
LINK = struct.Struct("=BxHiII")  # family, hardware, index, flags, changed
ADDRESS = struct.Struct("=BBBBI")  # family, prefix, flags, scope, index
ATTRIBUTE = struct.Struct("=HH")  # length, type
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP, NLM_F_DUMP_INTR = 0x1, 0x300, 0x10
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
IFLA_IFNAME, IFLA_MASTER, IFLA_EXT_MASK = 3, 10, 29
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTEXT_FILTER_SKIP_STATS = 0x8
IFF_LOWER_UP = 0x10000  # it is up, and has a carrier
NESTED_BITS = 0xC000
ANSWER_TIMEOUT_S = 2.0
RECEIVE_BYTES = 1 << 18
TRIES = 3  # a dump is void if something changed meanwhile


class Link(NamedTuple):
    """A network interface.

    Attributes:
        name: its name.
        carrier: whether it is up and has a carrier.
        enslaved: whether it is part of another interface, such as a bridge or a bond.
    """

    name: str
    carrier: bool
    enslaved: bool


class Picture:
    """The links and the IPv4 addresses of this machine.

    Who listens to the kernel's events of links and addresses says so by :meth:`listen`, and hands
    them to :meth:`hear`. Without a listener each :meth:`look` asks the kernel.

    Attributes:
        links: by their indices.
        dumps: how often the kernel was asked for everything.
    """

    def __init__(self) -> None:
        self.links: Dict[int, Link] = {}
        self._addresses: Dict[int, Dict[str, None]] = {}
        self.dumps = 0
        self._listening = self._sure = False

    def listen(self) -> None:
        """From now on, each event is handed over."""
        self._listening, self._sure = True, False

    def doubt(self) -> None:
        """Events may have been lost: ask the kernel at the next look."""
        self._sure = False

    def hear(self, data: bytes) -> None:
        """Take the messages of an event."""
        for kind, _flags, body in _messages(data):
            self._take(kind, body)

    def look(self) -> None:
        """Bring both up to date.

        Raises:
            OSError: there is no rtnetlink, or it does not answer.
        """
        if self._listening and self._sure:
            return
        self.dumps += 1
        found = _dump()
        self.links, self._addresses = {}, {}
        for kind, body in found:
            self._take(kind, body)
        self._sure = True

    def addresses_of(self, index: int) -> Tuple[str, ...]:
        """The IPv4 addresses of a link, in any order."""
        return tuple(self._addresses.get(index, ()))

    def _take(self, kind: int, body: bytes) -> None:
        try:
            if kind in (RTM_NEWLINK, RTM_DELLINK):
                self._take_link(kind == RTM_NEWLINK, body)
            elif kind in (RTM_NEWADDR, RTM_DELADDR):
                self._take_address(kind == RTM_NEWADDR, body)
        except (struct.error, ValueError, OSError):  # inet_ntoa raises OSError
            self.doubt()

    def _take_link(self, is_there: bool, body: bytes) -> None:
        family, _hardware, index, flags, _changed = LINK.unpack_from(body)
        if family != socket.AF_UNSPEC:
            return  # it tells what a bridge knows of its ports
        if not is_there:
            self.links.pop(index, None)
            self._addresses.pop(index, None)
            return
        found = _attributes(body, LINK.size, (IFLA_IFNAME, IFLA_MASTER))
        name = found.get(IFLA_IFNAME, b"").rstrip(b"\0").decode("utf-8", "surrogateescape")
        self.links[index] = Link(name, bool(flags & IFF_LOWER_UP), IFLA_MASTER in found)

    def _take_address(self, is_there: bool, body: bytes) -> None:
        family, _prefix, _flags, _scope, index = ADDRESS.unpack_from(body)
        if family != socket.AF_INET:
            return
        found = _attributes(body, ADDRESS.size, (IFA_ADDRESS, IFA_LOCAL))
        # On a link between two hosts, the other one is that of the far end.
        address = socket.inet_ntoa(found.get(IFA_LOCAL) or found.get(IFA_ADDRESS, b""))
        known = self._addresses.setdefault(index, {})
        if is_there:
            known[address] = None
        elif address in known:
            # It may be there twice, with two prefixes: only the kernel knows.
            self.doubt()


def _dump() -> List[Tuple[int, bytes]]:
    """All links and all IPv4 addresses: the types and bodies of the messages."""
    links = LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    links += struct.pack("=HHI", 8, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    addresses = ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)
    flags = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, flags, NETLINK_ROUTE) as asker:
        asker.settimeout(ANSWER_TIMEOUT_S)
        asker.bind((0, 0))
        return _answer(asker, RTM_GETLINK, links) + _answer(asker, RTM_GETADDR, addresses)


def _answer(asker: socket.socket, kind: int, body: bytes) -> List[Tuple[int, bytes]]:
    for _ in range(TRIES):
        asker.sendto(
            HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body,
            (0, 0),
        )
        found, is_whole = _receive(asker)
        if is_whole:
            break
    return found


def _receive(asker: socket.socket) -> Tuple[List[Tuple[int, bytes]], bool]:
    """The messages of one answer, and whether they are of one moment."""
    found: List[Tuple[int, bytes]] = []
    is_whole = True
    while True:
        for kind, flags, body in _messages(asker.recv(RECEIVE_BYTES)):
            is_whole = is_whole and not flags & NLM_F_DUMP_INTR
            if kind == NLMSG_DONE:
                return found, is_whole
            if kind == NLMSG_ERROR:
                raise OSError(-struct.unpack_from("=i", body)[0], "rtnetlink refuses a dump")
            found.append((kind, body))


def _messages(data: bytes) -> Iterator[Tuple[int, int, bytes]]:
    """The messages in what was received: type, flags and body."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, flags, _sequence, _sender = HEADER.unpack_from(data, at)
        if length < HEADER.size:
            return
        yield kind, flags, data[at + HEADER.size : at + length]
        at += (length + 3) & ~3


def _attributes(body: bytes, at: int, wanted: Tuple[int, ...]) -> Dict[int, bytes]:
    """Those of the ``wanted`` attributes that are in ``body`` from ``at`` on."""
    found: Dict[int, bytes] = {}
    while at + ATTRIBUTE.size <= len(body) and len(found) < len(wanted):
        length, kind = ATTRIBUTE.unpack_from(body, at)
        if length < ATTRIBUTE.size:
            break
        kind &= ~NESTED_BITS
        if kind in wanted:
            found[kind] = body[at + ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found
