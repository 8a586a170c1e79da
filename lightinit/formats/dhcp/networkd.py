"""Reads the leases of systemd-networkd: /run/systemd/netif/leases/<ifindex>, KEY=VALUE lines."""

from __future__ import annotations

from typing import Optional, Tuple

from lightinit.formats.dhcp.keyvalue import Keys, lease_from_pairs, read_pairs
from lightinit.model import Lease

KEYS = Keys(
    address=("ADDRESS",),
    wireserver=("OPTION_245",),
    routers=("ROUTER",),
    routes=("CLASSLESS_ROUTES", "ROUTES"),  # ROUTES before release 246
    lifetime=("LIFETIME",),
)


def read_leases(
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The lease in a file with lines such as ``ADDRESS=10.0.0.4`` and ``OPTION_245=a83f8110``.

    networkd rewrites the file whenever the state of the link changes, so the lease may expire
    earlier than ``expires_s``.

    Arguments, result and errors are those of ``clients.read_leases``.
    """
    found = read_pairs(data)
    return lease_from_pairs("networkd", KEYS, found, now_s, source, interface, written_s)
