"""Reads the state of this machine's network: interfaces, addresses, gateways and routes.

It never changes the network. ``watch.py`` waits for changes, and ``host/dhcp/lease_files.py`` finds
lease files.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from typing import Any, Dict, List, Optional, Tuple

from lightinit.host.network.rtnetlink import Picture
from lightinit.host.system import System
from lightinit.libraries import load, use
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.interfaces")

DEFAULT = "0.0.0.0/0"
NO_GATEWAY = "0.0.0.0"  # noqa: S104  (no socket is bound to it)
NO_ROUTE = (
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EACCES,
    errno.EINVAL,
    errno.EPERM,
    errno.EADDRNOTAVAIL,
    errno.ENETDOWN,
)
MAX_DEPTH = 4  # levels of interfaces; a VLAN on a bond on two NICs has two
ROUTE_UP, ROUTE_REJECT = 0x1, 0x200  # linux/route.h


class KernelRoute(NamedTuple):
    """An IPv4 route of the kernel.

    Attributes:
        destination: as ``address/prefix length``.
        interface: the interface's name.
        gateway: its address, "" if the destination is on the link.
        metric: the kernel uses the route with the lowest metric.
    """

    destination: str
    interface: str
    gateway: str = ""
    metric: int = 0


class Interface(NamedTuple):
    """A network interface. Loopback is included only if it has an address outside 127.0.0.0/8.

    Attributes:
        name: its name.
        number: its index in the kernel; 0 if unknown.
        addresses: its IPv4 addresses.
        carrier: whether it is up and has a carrier; False if unknown.
        physical: whether it has its own device and is not part of another interface. False for
            bridges, tunnels, the veths of containers, and the virtual function of accelerated
            networking, which never gets an address.
        backed: whether there is a device behind it: its own, or that of an interface below it, as
            for a bond or a VLAN. False for the bridges of containers, dummies and tunnels; it may
            be False without a look if there is no address.
    """

    name: str
    number: int = 0
    addresses: Tuple[str, ...] = ()
    carrier: bool = False
    physical: bool = False
    backed: bool = False


class Scene(NamedTuple):
    """The machine's network at one moment.

    Attributes:
        interfaces: by index.
        routes: the kernel's IPv4 routes.
        default_interface: the interface of the default route; "" if there is none. In a scratch
            root it comes from the root's routes.
        platform_source: the local source address of packets to the platform's well-known address;
            "" if there is no route to it.
        platform_interface: the interface of the route to that address; "" if unknown. If this
            interface has no usable address, the kernel uses an address of another interface.
        of_root: whether this is the network of the machine whose files are read. False in a scratch
            root: the interfaces are those of the running machine, and do not belong to the root's
            leases.
    """

    interfaces: Tuple[Interface, ...] = ()
    routes: Tuple[KernelRoute, ...] = ()
    default_interface: str = ""
    platform_source: str = ""
    platform_interface: str = ""
    of_root: bool = True


def interface_addresses() -> Dict[str, Tuple[str, ...]]:
    """The IPv4 addresses of each interface of this machine, including loopback, by name.

    Raises:
        LibraryError: netifaces cannot be loaded, or does not work.
    """
    netifaces = load("netifaces", "interfaces", "ifaddresses", "AF_INET")
    return use("netifaces", lambda: _addresses_by(netifaces))


def _addresses_by(netifaces: Any) -> Dict[str, Tuple[str, ...]]:
    addresses: Dict[str, Tuple[str, ...]] = {}
    for label in netifaces.interfaces():
        try:
            entries = netifaces.ifaddresses(label).get(netifaces.AF_INET, [])
        except ValueError:
            continue  # it was removed between the two calls
        name = label.partition(":")[0]  # an alias such as eth0:1 is the same interface
        addresses[name] = addresses.get(name, ()) + tuple(
            entry["addr"] for entry in entries if "addr" in entry
        )
    return addresses


def reachable_addresses() -> Tuple[str, ...]:
    """This machine's addresses, IPv4 and IPv6, that other hosts can reach: without loopback and
    link-local ones.
    """
    netifaces = load("netifaces", "interfaces", "ifaddresses", "AF_INET", "AF_INET6")

    found = []
    for label in netifaces.interfaces():
        try:
            by_family = netifaces.ifaddresses(label)
        except ValueError:
            continue  # it was removed between the two calls
        for family in (netifaces.AF_INET, netifaces.AF_INET6):
            found += [str(entry.get("addr", "")) for entry in by_family.get(family, [])]
    plain = (address.partition("%")[0] for address in found)
    return tuple(address for address in plain if address and not _stays_here(address))


def _stays_here(address: str) -> bool:
    return address == "::1" or address.lower().startswith(("127.", "169.254.", "fe80:"))


def gateways() -> List[Tuple[str, str]]:
    """The default IPv4 gateways of this machine as (address, interface). The one in use is first.

    Raises:
        LibraryError: netifaces cannot be loaded, or does not work.
    """
    netifaces = load("netifaces", "gateways", "AF_INET")

    known: Dict[Any, Any] = use("netifaces", lambda: dict(netifaces.gateways()))
    found = [tuple(entry[:2]) for entry in known.get(netifaces.AF_INET, [])]
    first = known.get("default", {}).get(netifaces.AF_INET)
    if first:
        found.insert(0, tuple(first[:2]))
    return list(dict.fromkeys((str(address), str(interface)) for address, interface in found))


def kernel_routes(system: System) -> List[KernelRoute]:
    """The IPv4 routes in /proc/net/route below the root: proc(5). Unusable lines are left out."""
    routes = []
    for line in system.read_text("/proc/net/route").splitlines()[1:]:
        try:
            route = _route(line.split())
        except (IndexError, ValueError, OverflowError):
            continue
        if route is not None:
            routes.append(route)
    return routes


def _route(fields: List[str]) -> Optional[KernelRoute]:
    """The route in one line; None if it is down or rejects packets."""
    flags = int(fields[3], 16)
    prefix = sum(bin(int(part)).count("1") for part in _address(fields[7]).split("."))
    destination = "%s/%d" % (_address(fields[1]), prefix)
    gateway = _address(fields[2])
    if gateway == NO_GATEWAY:
        gateway = ""
    if not flags & ROUTE_UP or flags & ROUTE_REJECT:
        return None
    return KernelRoute(destination, fields[0], gateway, int(fields[6]))


def is_rejected(system: System, address: str) -> bool:
    """Whether a route to ``address`` alone, in the main table, rejects packets (``prohibit``,
    ``unreachable``).
    """
    for line in system.read_text("/proc/net/route").splitlines()[1:]:
        try:
            fields = line.split()
            is_host = int(fields[7], 16) == 0xFFFFFFFF
            if is_host and int(fields[3], 16) & ROUTE_REJECT and _address(fields[1]) == address:
                return True
        except (IndexError, ValueError, OverflowError):
            continue
    return False


def _address(text: str) -> str:
    """An address of /proc/net/route: its four bytes as one number in the machine's byte order."""
    return socket.inet_ntoa(int(text, 16).to_bytes(4, sys.byteorder))


def source_address_to(address: str) -> str:
    """The local source address of packets to ``address``; "" if there is no route to it.

    It connects a UDP socket, which makes the kernel choose the route. No packet is sent.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 80))
            return str(probe.getsockname()[0])
        except OSError as error:
            if error.errno in NO_ROUTE:
                return ""
            raise


def has_route_to(address: str) -> bool:
    """Whether the kernel has a route to ``address`` now. No packet is sent."""
    return bool(source_address_to(address))


class Viewer:
    """Looks at the state of the network.

    Even in a scratch root the interfaces are those of this machine; only the routes are the root's.

    Args:
        system: the machine.
        platform_address: the platform's well-known address.

    Attributes:
        picture: the kernel's links and addresses, for who listens to its events. It is used on the
            live machine.
    """

    def __init__(self, system: System, platform_address: str) -> None:
        self._system = system
        self._platform_address = platform_address
        self._with_device: Dict[Tuple[int, str], bool] = {}
        self.picture = Picture()

    def look(self) -> Scene:
        """The current state of the network.

        Raises:
            LibraryError: netifaces cannot be loaded, or does not work.
        """
        routes = kernel_routes(self._system)
        return Scene(
            tuple(self._interfaces()),
            tuple(routes),
            _default_interface(self._system, routes),
            source_address_to(self._platform_address),
            _interface_to(self._platform_address, routes),
            self._system.live,
        )

    def _interfaces(self) -> List[Interface]:
        if self._system.live:
            try:
                self.picture.look()
            except OSError as error:
                LOG.info("no answer of rtnetlink: %s", error)
            else:
                return self._pictured()
        indices = {name: index for index, name in socket.if_nameindex()}
        interfaces = [
            Interface(name, indices.get(name, 0), addresses, *_link(self._system, name))
            for name, addresses in interface_addresses().items()
            if _counts(name, addresses)
        ]
        return sorted(interfaces, key=lambda one: (one.number or 1 << 30, one.name))

    def _pictured(self) -> List[Interface]:
        found = []
        for index, link in sorted(self.picture.links.items()):
            addresses = self.picture.addresses_of(index)
            if _counts(link.name, addresses):
                has_device = self._has_device(index, link.name)
                # Only the interface whose address is used is asked what is below it.
                backed = has_device or (bool(addresses) and _is_backed(self._system, link.name))
                physical = has_device and not link.enslaved
                found.append(Interface(link.name, index, addresses, link.carrier, physical, backed))
        return found

    def _has_device(self, index: int, name: str) -> bool:
        """Whether it has its own device, which it has from its beginning to its end."""
        key = index, name
        if key not in self._with_device:
            self._with_device[key] = os.path.exists("/sys/class/net/%s/device" % name)
        return self._with_device[key]


def _counts(name: str, addresses: Tuple[str, ...]) -> bool:
    """Loopback counts only if it has a real address, as in some containers and namespaces."""
    return name != "lo" or not all(address.startswith("127.") for address in addresses)


def _interface_to(address: str, routes: List[KernelRoute]) -> str:
    """The interface of the best of the ``routes`` to ``address``; "" if there is none."""
    number = _number(address)
    found = []
    for route in routes:
        network, _, length = route.destination.partition("/")
        shift = 32 - int(length)
        if number >> shift == _number(network) >> shift:
            found.append((shift, route.metric, route.interface))
    return min(found, default=(0, 0, ""))[2]


def _number(address: str) -> int:
    return int.from_bytes(socket.inet_aton(address), "big")


def _default_interface(system: System, routes: List[KernelRoute]) -> str:
    if system.live:
        defaults = [interface for _gateway, interface in gateways()]
    else:
        by_metric = sorted(routes, key=lambda route: route.metric)
        defaults = [route.interface for route in by_metric if route.destination == DEFAULT]
    return "".join(defaults[:1])


def _link(system: System, name: str) -> Tuple[bool, bool, bool]:
    """The fields ``carrier``, ``physical`` and ``backed`` of an interface."""
    if not system.live:
        return False, False, False
    folder = "/sys/class/net/%s" % name
    # Reading `carrier` of an interface that is down fails; read_text then returns "".
    carrier = system.read_text(folder + "/carrier").strip() == "1"
    physical = system.exists(folder + "/device") and not system.exists(folder + "/master")
    return carrier, physical, _is_backed(system, name)


def _is_backed(system: System, name: str, depth: int = 0) -> bool:
    folder = "/sys/class/net/%s" % name
    if system.exists(folder + "/device"):
        return True
    below = [entry[6:] for entry in system.list_dir(folder) if entry.startswith("lower_")]
    return depth < MAX_DEPTH and any(_is_backed(system, each, depth + 1) for each in below)
