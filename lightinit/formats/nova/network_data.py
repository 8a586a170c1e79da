"""network_data.json: whether it asks for more than DHCP. lightinit does not set up the network.

Source: Nova's user guide, "Metadata"; the types of networks are in nova/virt/netutils.py.
"""

from __future__ import annotations

from typing import Any, List

STATIC = ("ipv4", "ipv6", "static", "static6")
SHOWN = 3


def find_static(document: Any) -> List[str]:
    """The addresses that the document wants to have set up without DHCP, each with its network."""
    networks = document.get("networks") if isinstance(document, dict) else None
    if not isinstance(networks, list):
        return []
    return [
        "%s on %s" % (network.get("ip_address"), network.get("id"))
        for network in networks
        if isinstance(network, dict) and network.get("type") in STATIC
    ]


def describe_unsupported(document: Any) -> List[str]:
    """A warning, if there are such addresses."""
    found = find_static(document)
    if not found:
        return []
    shown = ", ".join(ascii(text)[1:-1][:80] for text in found[:SHOWN])
    if len(found) > SHOWN:
        shown += " and %d more" % (len(found) - SHOWN)
    return [
        "the platform asks for addresses without DHCP (%s), which lightinit does not set up: the"
        " image must do it, or the network must have DHCP" % shown
    ]
