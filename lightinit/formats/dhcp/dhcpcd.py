"""Reads the lease file of dhcpcd: the raw BOOTP packet of the server's last acknowledgement.

The layout is in RFC 2131 section 2. Split options are joined as in RFC 3396.
Options in the fields ``file`` and ``sname`` (option 52) are read too.
"""

from __future__ import annotations

import socket
from typing import Dict, List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.dhcp import options
from lightinit.formats.dhcp.option_bytes import lease_from_options
from lightinit.model import Lease

BOOT_REPLY = 2
YOUR_ADDRESS_AT = 16
SNAME_AT, FILE_AT, COOKIE_AT, OPTIONS_AT = 44, 108, 236, 240
MAGIC_COOKIE = b"\x63\x82\x53\x63"
PAD, END = 0, 255


def read_leases(
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The lease in a dhcpcd lease file. The packet does not contain the interface's name.

    Arguments and result are those of ``clients.read_leases``.

    Raises:
        MalformedError: it is not an acknowledgement with an address, or it ends inside an option.
    """
    if len(data) < OPTIONS_AT:
        raise MalformedError("dhcp packet is too short", path=source, length_bytes=len(data))
    if data[0] != BOOT_REPLY or data[COOKIE_AT:OPTIONS_AT] != MAGIC_COOKIE:
        raise MalformedError("not a dhcp reply", path=source)
    found = _all_options(data, source)
    address = socket.inet_ntoa(data[YOUR_ADDRESS_AT : YOUR_ADDRESS_AT + 4])
    return lease_from_options("dhcpcd", address, found, now_s, source, interface, written_s)


def _all_options(data: bytes, source: str) -> Dict[int, bytes]:
    pieces: Dict[int, List[bytes]] = {}
    _add_options(pieces, data[OPTIONS_AT:], source)
    overload = b"".join(pieces.get(options.OPTION_OVERLOAD, [b"\0"]))
    if overload in (b"\x01", b"\x03"):  # RFC 3396, section 5: first `file`, then `sname`
        _add_options(pieces, data[FILE_AT:COOKIE_AT], source)
    if overload in (b"\x02", b"\x03"):
        _add_options(pieces, data[SNAME_AT:FILE_AT], source)
    return {code: b"".join(found) for code, found in pieces.items()}


def _add_options(pieces: Dict[int, List[bytes]], field: bytes, source: str) -> None:
    """Add the options in ``field`` to ``pieces``. A split option has several pieces.

    The end option (255) may be missing, since some servers leave it out.
    """
    at = 0
    while at < len(field):
        code = field[at]
        if code == END:
            return
        if code == PAD:
            at += 1
            continue
        if at + 1 >= len(field) or at + 2 + field[at + 1] > len(field):
            raise MalformedError("dhcp packet is cut inside an option", path=source, option=code)
        end = at + 2 + field[at + 1]
        pieces.setdefault(code, []).append(field[at + 2 : end])
        at = end
