"""Reads the leases of busybox udhcpc. udhcpc stores none, so our hook records its variables.

The hook is etc/udhcpc/lightinit-hook; it writes /run/lightinit/leases/<interface>.udhcpc.
"""

from __future__ import annotations

from typing import Optional, Tuple

from lightinit.formats.dhcp.keyvalue import Keys, lease_from_pairs, read_pairs
from lightinit.model import Lease

KEYS = Keys(
    address=("ip",),
    wireserver=("opt245",),
    routers=("router",),
    routes=("staticroutes", "opt121", "msstaticroutes", "opt249"),
    lifetime=("lease",),
)


def read_leases(
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The lease in a file with lines such as ``ip=10.0.0.4`` and ``opt245=a83f8110``.

    Arguments, result and errors are those of ``clients.read_leases``.
    """
    found = read_pairs(data)
    return lease_from_pairs("udhcpc", KEYS, found, now_s, source, interface, written_s)
