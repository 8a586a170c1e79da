"""The table of the DHCP clients whose lease files can be read. Each client has a file of its own.

Pure functions: bytes in, :class:`~lightinit.model.Lease` out. They do not know where the files are,
whether an address is really configured, or which interface is the primary one.

All readers behave alike. For any bytes, a reader returns leases or raises MalformedError. A file
that was cut off gives missing values, never wrong ones. A lease with a damaged option 245 has no
``wireserver`` (``options.py`` gives the reason).

To add a client, write its file here with a function ``read_leases``, add its name to
:data:`READERS`, and do the same in ``host/dhcp/``.
"""

from __future__ import annotations

import importlib
from typing import Callable, Optional, Tuple

from lightinit.model import Lease

Reader = Callable[[bytes, float, str, Optional[str], Optional[float]], Tuple[Lease, ...]]

# Each is imported only when there is a file of that client.
READERS = ("networkd", "networkmanager", "dhclient", "dhcpcd", "udhcpc", "wicked")


def load_reader(client: str) -> Reader:
    """The function that reads the lease files of a client of :data:`READERS`."""
    reader: Reader = importlib.import_module("lightinit.formats.dhcp." + client).read_leases
    return reader


def read_leases(
    client: str,
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The unexpired leases in a file that ``client`` wrote.

    Args:
        client: one of :data:`READERS`.
        data: the file's bytes. For networkmanager also the output of ``nmcli device show``.
        now_s: Unix time in seconds. Leases that expire at or before it are left out. Minus infinity
            leaves none out.
        source: the file's path, for the field ``source`` of the leases.
        interface: the interface's name if the file's name has it. A name inside the file takes
            precedence.
        written_s: Unix time of the file's last change. networkd, dhcpcd and udhcpc store only the
            lease time; without ``written_s`` their ``expires_s`` is None.

    Returns:
        The leases, the latest last; an empty tuple if all have expired.

    Raises:
        MalformedError: the bytes do not follow the client's format.
        ValueError: there is no such client.
    """
    if client not in READERS:
        raise ValueError("no such DHCP client: %s" % client)
    return load_reader(client)(data, now_s, source, interface, written_s)
