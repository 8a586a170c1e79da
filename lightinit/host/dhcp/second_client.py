"""Renewal by clients that cannot be asked while they run: dhclient and udhcpc.

A second client is run beside the one that runs, with the same arguments, so that for the server it
is the same client. It asks for the same address, and its script is one that does nothing: it cannot
take the address away, and nothing that the distribution's script does happens twice. When it has
its answer it is ended without giving the lease back. The first one goes on as if nothing had been.
"""

from __future__ import annotations

import re
import signal
from typing import Dict, List, Optional, Sequence, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.dhcp.client import Errand, Process, running_processes
from lightinit.host.dhcp.daemons import SENT
from lightinit.host.init import systemd
from lightinit.host.network.interfaces import interface_addresses

NO_SCRIPT = "/bin/true"

# Where dhclient's security profile of Debian and Ubuntu lets it write. /run forgets what a power
# cut leaves there.
COPY = "/run/dhclient-lightinit-%d.lease"
PID_FILE = "/run/dhclient-lightinit-%d.pid"
DHCLIENT_LEASES = ("/var/lib/dhcp/dhclient.leases", "/var/lib/dhclient/dhclient.leases")
DHCLIENT_CONFIGURATIONS = ("/etc/dhcp/dhclient.conf", "/etc/dhclient.conf")
_WITH_VALUE = {
    "-p",
    "-D",
    "-e",
    "-s",
    "-g",
    "-cf",
    "-df",
    "-lf",
    "-pf",
    "-sf",
    "-timeout",
    "-H",
    "-F",
    "-C",
    "-V",
    "-R",
    "--decline-wait-time",
    "--dad-wait-time",
    "--prefix-len-hint",
    "--address-prefix-len",
}
_REPLACED = {"-lf", "-pf", "-sf"}
_LEFT_OUT = {"-d", "-q", "-v", "-nw", "-w", "-n", "-1"}
_NO_RENEWAL = {"-6", "-r", "-x"}

# busybox's udhcpc: its short options with a value, and the long ones by their short ones.
_UDHCPC_WITH_VALUE = "VFipstrTAOxHhcPl"
_UDHCPC_LONG = {
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
_UDHCPC_KEPT = "iOoxCcVPB"


def renew_dhclient(errand: Errand, processes: Tuple[Process, ...]) -> None:
    """The running dhclient evaluates ``send host-name = gethostname()`` at each renewal, but none
    can be asked for.
    """
    for process in processes:
        options, interfaces = _read_dhclient(process.argv[1:])
        if _NO_RENEWAL & set(options) or "nm-dhcp" in (options.get("-sf") or ""):
            continue  # not IPv4, or about to end, or NetworkManager's own
        client = "dhclient on " + " ".join(interfaces) if interfaces else "dhclient"
        why = _why_dhclient_is_silent(errand, options)
        if why:
            errand.tell(client, why)
            continue
        try:
            _run_dhclient(errand, process.pid, options, interfaces)
        except (ProvisioningError, MalformedError, OSError) as error:
            errand.fail(client, str(error))
            continue
        errand.tell(client, SENT)
        given = options.get("-H") or options.get("-F")
        if given and given != errand.name:
            _warn_of_fixed(errand, client, given)


def _read_dhclient(arguments: Sequence[str]) -> Tuple[Dict[str, Optional[str]], List[str]]:
    """Its options with their values, and the interfaces."""
    options: Dict[str, Optional[str]] = {}
    interfaces = []
    todo = list(arguments)
    while todo:
        argument = todo.pop(0)
        if argument in _WITH_VALUE:
            options[argument] = todo.pop(0) if todo else ""
        elif argument.startswith("-"):
            options[argument] = None
        else:
            interfaces.append(argument)
    return options, interfaces


def _why_dhclient_is_silent(errand: Errand, options: Dict[str, Optional[str]]) -> str:
    """Why the server would not hear the live name, "" when it would."""
    if "-H" in options or "-F" in options:
        return ""
    given = options.get("-cf")
    path = (
        given
        if given
        else next((path for path in DHCLIENT_CONFIGURATIONS if errand.system.exists(path)), "")
    )
    text = re.sub(r"(?m)#.*$", "", errand.system.read_text(path) if path else "")
    sent = re.findall(r"\bsend\s+(?:host-name|fqdn\.fqdn)\s+(?:=\s*)?([^;]+);", text)
    if not sent:
        return "sends no host name, as %s says" % (path or "its default configuration")
    fixed = re.match(r"\"([^\"]*)\"\s*\Z", sent[-1])
    if fixed and fixed.group(1) != errand.name:
        return "sends the name %s, as %s says" % (fixed.group(1), path)
    return ""


def _run_dhclient(
    errand: Errand, number: int, options: Dict[str, Optional[str]], interfaces: List[str]
) -> None:
    system = errand.system
    dhclient = system.tool("dhclient")
    if dhclient is None:
        raise ProvisioningError(
            "command cannot be started", command="dhclient", error="it is not there"
        )
    leases = options.get("-lf") or next(
        (path for path in DHCLIENT_LEASES if system.exists(path)), DHCLIENT_LEASES[0]
    )
    copy, pid_file = COPY % number, PID_FILE % number
    argv = [dhclient, "-1"]
    for option, value in options.items():
        if option in _REPLACED | _LEFT_OUT:
            continue
        value = errand.name if option in ("-H", "-F") else value
        argv += [option] if value is None else [option, value]
    # It begins with what the lease file says and asks for that address. The file it then writes
    # must be another.
    system.write(copy, system.read(leases), durable=False)
    try:
        _run_aside(errand, argv + ["-sf", NO_SCRIPT, "-lf", copy, "-pf", pid_file] + interfaces)
    finally:
        # With its answer it has gone into the background, and without one the half that asks may be
        # left. Under systemd its unit has ended both. Any other signal would let it run its script.
        for process in running_processes(system, {"dhclient"}):
            if copy in process.argv:
                try:
                    errand.kill(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        system.remove(copy)
        system.remove(pid_file)


def renew_udhcpc(errand: Errand, processes: Tuple[Process, ...]) -> None:
    """udhcpc sends the name that its arguments say as long as it runs, and restarting it would drop
    the address.

    So the second one tells the server, and the first one will tell it the old name again at its
    next renewal.
    """
    for process in processes:
        argv = list(process.argv)
        if argv and argv[0].rpartition("/")[2].startswith("busybox"):
            del argv[0]
        if not argv or argv[0].rpartition("/")[2] != "udhcpc":
            continue
        options = _read_udhcpc(argv[1:])
        interface = next((value for option, value in options if option == "i"), "eth0")
        client = "udhcpc on " + interface
        sent = [name for name in (_name_of(option, value) for option, value in options) if name]
        if not sent:
            errand.tell(client, "sends no host name, as its arguments say")
            continue
        try:
            _run_udhcpc(errand, options, interface)
        except (ProvisioningError, OSError) as error:
            errand.fail(client, str(error))
            continue
        errand.tell(client, SENT)
        if sent[-1] != errand.name:
            _warn_of_fixed(errand, client, sent[-1])


def _read_udhcpc(arguments: Sequence[str]) -> List[Tuple[str, str]]:
    """Its options as (letter, value)."""
    found = []
    todo = list(arguments)
    while todo:
        argument = todo.pop(0)
        if argument.startswith("--"):
            word, equals, value = argument[2:].partition("=")
            letter = _UDHCPC_LONG.get(word, "")
            if letter in _UDHCPC_WITH_VALUE and letter and not equals:
                value = todo.pop(0) if todo else ""
            found.append((letter, value))
            continue
        letters = argument[1:] if argument.startswith("-") else ""
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in _UDHCPC_WITH_VALUE:
                found.append((letter, letters or (todo.pop(0) if todo else "")))
                break
            found.append((letter, ""))
            if letter == "a":
                break  # what stands behind it is its time
    return found


def _name_of(option: str, value: str) -> str:
    """The host name that an option makes udhcpc send, "" for any other option."""
    if option == "x":
        key, _, name = value.partition(":")
        return name if key == "hostname" else ""
    return value if option in ("F", "H", "h") else ""


def _run_udhcpc(errand: Errand, options: Sequence[Tuple[str, str]], interface: str) -> None:
    system = errand.system
    program = system.tool("udhcpc")
    busybox = system.tool("busybox")
    if program is None and busybox is None:
        raise ProvisioningError(
            "command cannot be started", command="udhcpc", error="it is not there"
        )
    argv = [program] if program else [str(busybox), "udhcpc"]
    addresses = interface_addresses().get(interface, ()) if system.live else ()
    for option, value in options:
        if _name_of(option, value):
            argv += ["-x", "hostname:" + errand.name] if option != "F" else ["-F", errand.name]
        elif option and option in _UDHCPC_KEPT:
            argv += ["-" + option] + [value] * (option in _UDHCPC_WITH_VALUE)
    # No -R: it would give the lease back. No -a: it would find the address in use, by us.
    for address in addresses[:1]:
        argv += ["-r", address]
    _run_aside(errand, argv + ["-f", "-q", "-n", "-t", "3", "-T", "1", "-s", NO_SCRIPT])


def _warn_of_fixed(errand: Errand, client: str, name: str) -> None:
    errand.warn(
        client,
        "was started with the host name %s and sends that again at its next renewal; DNS has the"
        " new one until then, and again from the next boot" % name,
    )


def _run_aside(errand: Errand, argv: List[str]) -> None:
    """Run a command to its end, outside of our own service where systemd runs: our sandbox has no
    raw sockets.

    There it is a unit of its own, which forgets itself, and at the end of which systemd kills what
    it has left running.
    """
    system = errand.system
    systemd_run = system.tool("systemd-run")
    if systemd_run is not None and systemd.is_running(system):
        argv = [
            systemd_run,
            "--quiet",
            "--collect",
            "--service-type=oneshot",
            "--property=KillSignal=SIGKILL",
            "--property=TimeoutStartSec=%.1f" % errand.left_s,
            "--description=Send the host name to the DHCP server",
            "--",
        ] + argv
        system.run_checked(argv, timeout_s=errand.left_s + 2)  # systemd ends it first
        return
    errand.run(argv)
