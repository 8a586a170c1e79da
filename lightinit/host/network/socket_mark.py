"""The mark of sockets to a metadata service that systemd has locked.

With ``systemd.imds.network=locked`` on the kernel's command line, or where the distribution built
systemd so, systemd prohibits the route to IMDS in the main routing table. A rule leads packets with
the mark 0x7FFF0815 to a table that has the route. Only privileged processes can set a mark, so
other users of the machine cannot read the metadata.

Source: systemd-imdsd@.service(8) and 85-imds-early.network of systemd 261.
"""

from __future__ import annotations

import errno
import socket
from typing import Optional

from lightinit.errors import ProvisioningError
from lightinit.host.network.interfaces import is_rejected
from lightinit.host.system import System

IMDS_MARK = 0x7FFF0815
SO_MARK = getattr(socket, "SO_MARK", 36)
DROP_IN = "/etc/systemd/system/lightinit.service.d/imds.conf"


def mark_for(system: System, endpoint: str) -> Optional[int]:
    """The mark that a socket to ``endpoint`` needs.

    Args:
        system: the machine, with its routes.
        endpoint: the address of IMDS, perhaps with a port.

    Returns:
        The mark if the route to that address is prohibited; otherwise None.

    Raises:
        ProvisioningError: it is prohibited, and this process may not set a mark.
    """
    address = endpoint.partition(":")[0]
    if not system.live or not is_rejected(system, address):
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, SO_MARK, IMDS_MARK)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES):
                raise
            raise ProvisioningError(
                "imds is locked",
                address=address,
                hint=(
                    "systemd prohibits the route to IMDS (systemd.imds.network=locked), and this"
                    " process has no CAP_NET_ADMIN: write [Service] and"
                    " CapabilityBoundingSet=CAP_NET_ADMIN to %s, or put"
                    " systemd.imds.network=unlocked on the kernel's command line" % DROP_IN
                ),
            ) from None
    return IMDS_MARK
