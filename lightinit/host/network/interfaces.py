"""What this machine's network looks like now: interfaces, gateways, routes, and the lease files on
its disk.

The only code that looks at the network. It never changes it, and never reads what is inside a lease
file: that is ``formats/dhcp/keyvalue.py``. Waiting until something changes is ``watch.py``.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.network.watch import Watch
from lightinit.host.system import System

__all__ = [
    "Interface",
    "KernelRoute",
    "LeaseFile",
    "Scene",
    "Watch",
    "gateways",
    "has_route_to",
    "interface_addresses",
    "kernel_routes",
    "lease_files",
    "lease_folders",
    "nmcli_leases",
    "scene",
    "source_address_to",
]

LEASE_LIMIT_BYTES = 1024 * 1024
NMCLI_TIMEOUT_S = 10.0
DEFAULT = "0.0.0.0/0"
ROUTE_UP, ROUTE_REJECT = 0x1, 0x200  # linux/route.h

# Client, pattern, and how the interface's name is found in the file's name: "" not at all; "index"
# when the name is the interface's index; else an expression whose group is the name.
_DHCLIENT_NAME = r"dhclient(?:-[0-9a-f-]{36}-|--?|\.)(.+?)\.leases?\Z"
PLACES: Tuple[Tuple[str, str, str], ...] = (
    ("networkd", "/run/systemd/netif/leases/[0-9]*", "index"),
    ("networkmanager", "/run/NetworkManager/devices/[0-9]*", "index"),
    (
        "networkmanager",
        "/var/lib/NetworkManager/internal-*.lease",
        r"internal-[0-9a-f-]{36}-(.+)\.lease\Z",
    ),
    (
        "networkmanager",
        "/run/NetworkManager/internal-*.lease",
        r"internal-[0-9a-f-]{36}-(.+)\.lease\Z",
    ),
    ("dhclient", "/var/lib/NetworkManager/dhclient-*.lease*", _DHCLIENT_NAME),
    ("dhclient", "/var/lib/dhcp/dhclient*.lease*", _DHCLIENT_NAME),
    ("dhclient", "/var/lib/dhcp3/dhclient*.lease*", _DHCLIENT_NAME),
    ("dhclient", "/var/lib/dhclient/dhclient*.lease*", _DHCLIENT_NAME),
    ("dhclient", "/run/dhclient*.lease*", _DHCLIENT_NAME),
    ("dhclient", "/run/dhclient/dhclient*.lease*", _DHCLIENT_NAME),
    ("dhcpcd", "/var/lib/dhcpcd/*.lease", r"(?:dhcpcd-)?([^/]+)\.lease\Z"),
    ("dhcpcd", "/var/lib/dhcpcd5/*.lease", r"(?:dhcpcd-)?([^/]+)\.lease\Z"),
    ("dhcpcd", "/var/db/dhcpcd/*.lease", r"(?:dhcpcd-)?([^/]+)\.lease\Z"),
    ("dhcpcd", "/run/dhcpcd/*.lease", r"(?:dhcpcd-)?([^/]+)\.lease\Z"),
    ("udhcpc", "/run/lightinit/leases/*.udhcpc", r"([^/]+)\.udhcpc\Z"),
)


@dataclass(frozen=True)
class LeaseFile:
    """A file in which a DHCP client keeps its leases.

    Attributes:
        client: which client writes files of this name.
        path: its path as the VM sees it.
        data: its content, b"" when it cannot be read.
        written_s: Unix time in seconds of its last change.
        interface: the interface's name, None when the file's name does not say.
        problem: why it cannot be read, "" when it can.
    """

    client: str
    path: str
    data: bytes
    written_s: float
    interface: Optional[str] = None
    problem: str = ""


@dataclass(frozen=True)
class KernelRoute:
    """An IPv4 route that is in force: ``destination`` as ``address/prefix length``, ``gateway`` ""
    when on the link.
    """

    destination: str
    interface: str
    gateway: str = ""
    metric: int = 0


@dataclass(frozen=True)
class Interface:
    """A network interface; loopback only where it has an address of more than this machine.

    Attributes:
        name: its name.
        index: the kernel's number for it, 0 when that is not known.
        addresses: its IPv4 addresses.
        carrier: it is up and its link has a carrier; False when that is not known.
        physical: it has a device of its own and is no part of another: no bridge, tunnel or
            container's end, nor the accelerated twin of a synthetic NIC, which never gets an
            address.
    """

    name: str
    index: int = 0
    addresses: Tuple[str, ...] = ()
    carrier: bool = False
    physical: bool = False


@dataclass(frozen=True)
class Scene:
    """The machine's network at one moment.

    Attributes:
        interfaces: by index.
        routes: the kernel's IPv4 routes.
        default_interface: where the default route leads, "" when there is none; in a scratch root
            the root's own.
        wireserver_source: the local address from which packets would go to the well-known
            WireServer, "" when there is no route to it.
        of_root: whether this is the network of the machine whose files are read; False in a scratch
            root, where the interfaces are this machine's and say nothing about the root's leases.
    """

    interfaces: Tuple[Interface, ...] = ()
    routes: Tuple[KernelRoute, ...] = ()
    default_interface: str = ""
    wireserver_source: str = ""
    of_root: bool = True


def lease_folders() -> List[str]:
    """The directories in which lease files may appear, as the VM sees them."""
    return sorted({os.path.dirname(pattern) for _client, pattern, _how in PLACES})


def lease_files(system: System) -> List[LeaseFile]:
    """The lease files that are there now, of every client, each read whole (up to 1 MiB).

    Returns:
        The files, the one written last at the end. A file that cannot be read is among them, with
        its problem.
    """
    names: Optional[Dict[int, str]] = None
    found: Dict[str, LeaseFile] = {}
    for client, pattern, how in PLACES:
        for path in system.glob(pattern):
            if path in found or path.endswith(("~", ".lightinit-new")):
                continue
            interface: Optional[str] = None
            base = os.path.basename(path)
            if how == "index":
                if not base.isdigit():
                    continue
                names = _names_by_index(system) if names is None else names
                interface = names.get(int(base))
            else:
                matched = re.match(how, base)
                interface = matched.group(1) if matched else None
            file = _lease_file(system, client, path, interface)
            if file is not None:
                found[path] = file
    return sorted(found.values(), key=lambda file: file.written_s)


def _lease_file(
    system: System, client: str, path: str, interface: Optional[str]
) -> Optional[LeaseFile]:
    try:
        # The time first: a file that is replaced in between is then read anew at the next look at
        # the latest.
        written_s = os.stat(system.path(path)).st_mtime
        data, problem = system.read(path, LEASE_LIMIT_BYTES), ""
    except FileNotFoundError:
        return None
    except OSError as error:
        written_s, data, problem = 0.0, b"", error.strerror or str(error)
    except (MalformedError, ProvisioningError) as error:
        written_s, data, problem = 0.0, b"", error.reason
    return LeaseFile(client, path, data, written_s, interface, problem)


def _names_by_index(system: System) -> Dict[int, str]:
    """Interface names by the kernel's index: of the live machine from the kernel, else from /sys
    below the root.
    """
    if system.live:
        return dict(socket.if_nameindex())
    names: Dict[int, str] = {}
    for name in system.list_dir("/sys/class/net"):
        index = system.read_text("/sys/class/net/%s/ifindex" % name).strip()
        if re.match(r"[0-9]{1,9}\Z", index):
            names[int(index)] = name
    return names


def interface_addresses() -> Dict[str, Tuple[str, ...]]:
    """The IPv4 addresses of every interface of this machine, loopback included, by the interface's
    name.
    """
    import netifaces

    addresses: Dict[str, Tuple[str, ...]] = {}
    for label in netifaces.interfaces():
        try:
            entries = netifaces.ifaddresses(label).get(netifaces.AF_INET, [])
        except ValueError:
            continue  # it went between the two calls
        name = label.partition(":")[0]  # an alias such as eth0:1 is the same interface
        addresses[name] = addresses.get(name, ()) + tuple(
            entry["addr"] for entry in entries if "addr" in entry
        )
    return addresses


def gateways() -> List[Tuple[str, str]]:
    """The default IPv4 gateways of this machine as (address, interface), the one in use first."""
    import netifaces

    known: Dict[Any, Any] = dict(netifaces.gateways())
    found = [tuple(entry[:2]) for entry in known.get(netifaces.AF_INET, [])]
    first = known.get("default", {}).get(netifaces.AF_INET)
    if first:
        found.insert(0, tuple(first[:2]))
    return list(dict.fromkeys((str(address), str(interface)) for address, interface in found))


def kernel_routes(system: System) -> List[KernelRoute]:
    """The IPv4 routes in /proc/net/route below the root, as proc(5) describes it; unusable lines
    are passed over.
    """
    routes = []
    for line in system.read_text("/proc/net/route").splitlines()[1:]:
        fields = line.split()
        try:
            interface, destination, gateway, flags = (
                fields[0],
                fields[1],
                fields[2],
                int(fields[3], 16),
            )
            metric, prefix = int(fields[6]), bin(int(fields[7], 16)).count("1")
            network, via = _address(destination), _address(gateway)
        except (IndexError, ValueError):
            continue
        if flags & ROUTE_UP and not flags & ROUTE_REJECT:
            routes.append(
                KernelRoute(
                    "%s/%d" % (network, prefix),
                    interface,
                    "" if int(gateway, 16) == 0 else via,
                    metric,
                )
            )
    return routes


def _address(text: str) -> str:
    """An address of /proc/net/route: its four bytes as one number in the machine's own byte
    order.
    """
    return socket.inet_ntoa(int(text, 16).to_bytes(4, sys.byteorder))


def source_address_to(address: str) -> str:
    """The local address from which packets would go to ``address``, "" when there is no route to
    it.

    A UDP socket is connected, which asks the kernel for the route; no packet is sent.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 80))
            return str(probe.getsockname()[0])
        except OSError as error:
            if error.errno in (
                errno.ENETUNREACH,
                errno.EHOSTUNREACH,
                errno.EACCES,
                errno.EINVAL,
                errno.EPERM,
                errno.EADDRNOTAVAIL,
                errno.ENETDOWN,
            ):
                return ""
            raise


def has_route_to(address: str) -> bool:
    """Whether the kernel has any route to ``address`` now; no packet is sent."""
    return bool(source_address_to(address))


def scene(system: System, wireserver: str) -> Scene:
    """What the network looks like now.

    In a scratch root too these are the real machine's interfaces; only the routes are those below
    the root.

    Args:
        system: the machine.
        wireserver: the address that ``Scene.wireserver_source`` is about.
    """
    indices = {name: index for index, name in socket.if_nameindex()}
    interfaces = []
    for name, addresses in interface_addresses().items():
        # Loopback counts only where somebody has put a real address on it, as in a container or a
        # namespace.
        if name != "lo" or not all(address.startswith("127.") for address in addresses):
            carrier, physical = _link(system, name)
            interfaces.append(Interface(name, indices.get(name, 0), addresses, carrier, physical))
    interfaces.sort(key=lambda interface: (interface.index or 1 << 30, interface.name))
    routes = kernel_routes(system)
    defaults = (
        [interface for _gateway, interface in gateways()]
        if system.live
        else [
            route.interface
            for route in sorted(routes, key=lambda route: route.metric)
            if route.destination == DEFAULT
        ]
    )
    return Scene(
        tuple(interfaces),
        tuple(routes),
        defaults[0] if defaults else "",
        source_address_to(wireserver),
        system.live,
    )


def _link(system: System, name: str) -> Tuple[bool, bool]:
    if not system.live:
        return False, False
    folder = "/sys/class/net/%s" % name
    # Reading `carrier` of an interface that is down is an error, which read_text makes "".
    carrier = system.read_text(folder + "/carrier").strip() == "1"
    return carrier, system.exists(folder + "/device") and not system.exists(folder + "/master")


def nmcli_leases(system: System) -> bytes:
    """What NetworkManager says about its leases when asked; b"" when it is not there or does not
    run.

    Asking starts a process, so this is for when no file says enough.
    """
    tool = system.tool("nmcli")
    if tool is None:
        return b""
    try:
        ended = system.run(
            [tool, "-f", "GENERAL.DEVICE,DHCP4", "device", "show"], timeout_s=NMCLI_TIMEOUT_S
        )
    except ProvisioningError:
        return b""
    return ended.stdout.encode("utf-8") if ended.ok else b""
