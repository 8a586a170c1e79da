"""busybox udhcpc: where our hook records its leases, and how to renew and rebind them."""

from __future__ import annotations

import signal
from typing import List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.client import DhcpClient, Kill, LeasePlace, Renewing
from lightinit.host.dhcp.processes import Process
from lightinit.host.dhcp.second_client import (
    NO_SCRIPT,
    SENT,
    run_second_client,
    warn_of_fixed_name,
)
from lightinit.host.network.interfaces import interface_addresses
from lightinit.host.system import System

Options = List[Tuple[str, str]]
HOOK = "/usr/lib/lightinit/udhcpc-hook"

_LEASE = "/run/lightinit/leases/%s.udhcpc"
# The lease time of a lease that does not expire. Its client never renews it.
_FOR_EVER = "lease=4294967295"

# Its short options with a value, and the short form of each long option.
_WITH_VALUE = "VFipstrTAOxHhcPl"
_LONG = {
    "interface": "i",
    "pidfile": "p",
    "script": "s",
    "request": "r",
    "retries": "t",
    "timeout": "T",
    "tryagain": "A",
    "now": "n",
    "quit": "q",
    "release": "R",
    "foreground": "f",
    "background": "b",
    "syslog": "S",
    "arping": "a",
    "request-option": "O",
    "no-default-options": "o",
    "clientid-none": "C",
    "vendorclass": "V",
    "fqdn": "F",
    "hostname": "H",
    "clientid": "c",
    "client-port": "P",
    "broadcast": "B",
}
_KEPT = "iOoxCcVPB"


def renew(renewing: Renewing, processes: Tuple[Process, ...]) -> None:
    """Run a second udhcpc, which sends the new name.

    udhcpc always sends the name on its command line, and a restart would remove the address. So the
    first process sends the old name again at its next renewal.
    """
    for process in processes:
        arguments = _arguments(process)
        if arguments is None:
            continue
        options = _read_options(arguments)
        interface = next((value for option, value in options if option == "i"), "eth0")
        client = "udhcpc on " + interface
        sent = [name for name in (_name_of(option, value) for option, value in options) if name]
        if not sent:
            renewing.tell(client, "sends no host name, as its arguments say")
            continue
        try:
            _run(renewing, options, interface)
        except (ProvisioningError, OSError) as error:
            renewing.fail(client, str(error))
            continue
        renewing.tell(client, SENT)
        lease = renewing.system.read_text(_LEASE % interface)
        if sent[-1] != renewing.name and _FOR_EVER not in lease.splitlines():
            warn_of_fixed_name(renewing, client, sent[-1])


def rebind(_system: System, process: Process, kill: Kill) -> str:
    """Make the process give up its lease and request another one: udhcpc(8)."""
    if _arguments(process) is None:
        return ""
    kill(process.pid, signal.SIGUSR2)  # release the lease, and with it the address
    kill(process.pid, signal.SIGUSR1)  # ask for a lease
    return "udhcpc was asked for another lease"


def explain(_system: System, process: Process) -> str:
    """What to do so that this process leaves its lease; see :class:`DhcpClient`."""
    arguments = _arguments(process)
    if arguments is None:
        return ""
    requested = {value for option, value in _read_options(arguments) if option == "O"}
    told = "left no lease in /run/lightinit/leases; the first lines of %s say how to install" % HOOK
    told += " the hook that records it"
    if not requested & {"245", "0xf5"}:
        told += ", and it needs -O 245"
    return told


def _arguments(process: Process) -> Optional[Sequence[str]]:
    """The arguments of udhcpc; None if the process is another busybox applet."""
    argv = list(process.argv)
    if argv and argv[0].rpartition("/")[2].startswith("busybox"):
        del argv[0]
    if not argv or argv[0].rpartition("/")[2] != "udhcpc":
        return None
    return argv[1:]


def _read_options(arguments: Sequence[str]) -> Options:
    """The options as (letter, value)."""
    found = []
    todo = list(arguments)
    while todo:
        argument = todo.pop(0)
        if argument.startswith("--"):
            word, equals, value = argument[2:].partition("=")
            letter = _LONG.get(word, "")
            if letter and letter in _WITH_VALUE and not equals:
                value = _pop(todo)
            found.append((letter, value))
        elif argument.startswith("-"):
            found += _read_letters(argument[1:], todo)
    return found


def _read_letters(letters: str, todo: List[str]) -> Options:
    """The options in an argument such as ``-fRi``. A value may be the next argument in ``todo``."""
    found = []
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter in _WITH_VALUE:
            found.append((letter, letters or _pop(todo)))
            break
        found.append((letter, ""))
        if letter == "a":
            break  # the next part is its time
    return found


def _pop(todo: List[str]) -> str:
    if not todo:
        return ""
    return todo.pop(0)


def _name_of(option: str, value: str) -> str:
    """The host name that udhcpc sends because of this option; "" for any other option."""
    if option == "x":
        key, _, name = value.partition(":")
        if key != "hostname":
            return ""
        return name
    if option in ("F", "H", "h"):
        return value
    return ""


def _run(renewing: Renewing, options: Options, interface: str) -> None:
    system = renewing.system
    argv = _program(system)
    for option, value in options:
        if option == "F" and value:
            argv += ["-F", renewing.name]
        elif _name_of(option, value):
            argv += ["-x", "hostname:" + renewing.name]
        elif option and option in _KEPT:
            argv.append("-" + option)
            if option in _WITH_VALUE:
                argv.append(value)
    # Leave out -R, which would release the lease, and -a, which would find that the address is in
    # use, since this machine has it.
    if system.live:
        for address in interface_addresses().get(interface, ())[:1]:
            argv += ["-r", address]
    run_second_client(renewing, argv + ["-f", "-q", "-n", "-t", "3", "-T", "1", "-s", NO_SCRIPT])


def _program(system: System) -> List[str]:
    udhcpc = system.tool("udhcpc")
    if udhcpc is not None:
        return [udhcpc]
    busybox = system.tool("busybox")
    if busybox is not None:
        return [busybox, "udhcpc"]
    raise ProvisioningError("command cannot be started", command="udhcpc", error="it is missing")


CLIENT = DhcpClient(
    name="udhcpc",
    title="udhcpc",
    processes=("udhcpc", "busybox"),
    places=(LeasePlace("/run/lightinit/leases/*.udhcpc", r"([^/]+)\.udhcpc\Z"),),
    renew=renew,
    rebind=rebind,
    explain=explain,
    option_hint="start udhcpc with -O 245",
)
