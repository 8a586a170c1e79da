"""dhclient (ISC): where its leases are, and how to renew and rebind them."""

from __future__ import annotations

import re
import signal
from typing import Dict, List, Optional, Sequence, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.command import start_command
from lightinit.host.dhcp.client import DhcpClient, Kill, LeasePlace, Renewing
from lightinit.host.dhcp.processes import Process, running_processes
from lightinit.host.dhcp.second_client import (
    NO_SCRIPT,
    SENT,
    run_second_client,
    warn_of_fixed_name,
)
from lightinit.host.init.transient_unit import find_systemd_run, unit_command
from lightinit.host.system import System

GONE_WITHIN_S = 3.0
POLL_S = 0.05

# dhclient's AppArmor profile in Debian and Ubuntu allows it to write here. /run is empty after a
# power cut.
COPY = "/run/dhclient-lightinit-%d.lease"
PID_FILE = "/run/dhclient-lightinit-%d.pid"
LEASES = (
    "/var/lib/dhcp/dhclient.leases",
    "/var/lib/dhclient/dhclient.leases",
    "/var/state/dhcp/dhclient.leases",
    "/var/db/dhclient.leases",
)
CONFIGURATIONS = ("/etc/dhcp/dhclient.conf", "/etc/dhclient.conf")
_LEASE_NAME = r"dhclient(?:-[0-9a-f-]{36}-|--?|\.)(.+?)\.leases?\Z"
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

Options = Dict[str, Optional[str]]


# -- renew
# --------------------------------------------------------------------------------------------------


def renew(renewing: Renewing, processes: Tuple[Process, ...]) -> None:
    """Run a second dhclient, which sends the new name.

    No command makes a running dhclient renew. At its next renewal it also sends the new name, since
    it evaluates ``send host-name = gethostname()`` each time.
    """
    for process in processes:
        options, interfaces = _read_arguments(process.argv[1:])
        if _NO_RENEWAL & set(options) or "nm-dhcp" in (options.get("-sf") or ""):
            continue  # not IPv4, or about to end, or NetworkManager's own
        client = " ".join(["dhclient", "on"] + interfaces)
        if not interfaces:
            client = "dhclient"
        why = _why_silent(renewing, options)
        if why:
            renewing.tell(client, why)
            continue
        try:
            _run(renewing, process.pid, options, interfaces)
        except (ProvisioningError, MalformedError, OSError) as error:
            renewing.fail(client, str(error))
            continue
        renewing.tell(client, SENT)
        given = options.get("-H") or options.get("-F")
        if given and given != renewing.name:
            warn_of_fixed_name(renewing, client, given)


def _read_arguments(arguments: Sequence[str]) -> Tuple[Options, List[str]]:
    """The options with their values, and the interfaces."""
    options: Options = {}
    interfaces = []
    todo = list(arguments)
    while todo:
        argument = todo.pop(0)
        if argument in _WITH_VALUE:
            options[argument] = "".join(todo[:1])
            del todo[:1]
        elif argument.startswith("-"):
            options[argument] = None
        else:
            interfaces.append(argument)
    return options, interfaces


def _why_silent(renewing: Renewing, options: Options) -> str:
    """Why the server would not get the current host name; "" if it would."""
    if "-H" in options or "-F" in options:
        return ""
    path = options.get("-cf") or _first_existing(renewing.system, CONFIGURATIONS)
    text = ""
    if path:
        text = re.sub(r"(?m)#.*$", "", renewing.system.read_text(path))
    sent = _names_sent(text)
    if not sent:
        return "sends no host name, as %s says" % (path or "its default configuration")
    fixed = re.match(r"\"([^\"]*)\"\s*\Z", sent[-1])
    if fixed and fixed.group(1) != renewing.name:
        return "sends the name %s, as %s says" % (fixed.group(1), path)
    return ""


def _names_sent(text: str) -> List[str]:
    """What each `send host-name` and `send fqdn.fqdn` sends. Statement by statement: a search for
    the end of each would take quadratic time.
    """
    found = []
    for statement in text.split(";")[:-1]:
        begin = re.search(r"\bsend\s+(?:host-name|fqdn\.fqdn)\s", statement)
        if begin:
            value = statement[begin.end() :].lstrip()
            if value.startswith("="):
                value = value[1:].lstrip()
            found.append(value)
    return [value for value in found if value]


def _first_existing(system: System, paths: Sequence[str]) -> str:
    return next((path for path in paths if system.exists(path)), "")


def _run(renewing: Renewing, number: int, options: Options, interfaces: List[str]) -> None:
    system = renewing.system
    dhclient = system.tool("dhclient")
    if dhclient is None:
        raise ProvisioningError(
            "command cannot be started", command="dhclient", error="it is missing"
        )
    leases = options.get("-lf") or _first_existing(system, LEASES) or LEASES[0]
    copy, pid_file = COPY % number, PID_FILE % number
    argv = [dhclient, "-1"]
    for option, value in options.items():
        if option in _REPLACED | _LEFT_OUT:
            continue
        argv.append(option)
        if option in ("-H", "-F"):
            argv.append(renewing.name)
        elif value is not None:
            argv.append(value)
    # The second dhclient reads the lease file and requests the address in it. Then it writes to
    # that file, so it gets a copy.
    system.write(copy, system.read(leases), durable=False)
    try:
        argv += ["-sf", NO_SCRIPT, "-lf", copy, "-pf", pid_file]
        run_second_client(renewing, argv + interfaces)
    finally:
        # With an answer it now runs in the background; without one it may still send requests.
        # Under systemd, the end of its unit has killed it. Only SIGKILL prevents that it runs its
        # script.
        for process in running_processes(system, {"dhclient"}):
            if copy in process.argv:
                try:
                    renewing.kill(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        system.remove(copy)
        system.remove(pid_file)


# -- rebind
# --------------------------------------------------------------------------------------------------


def rebind(system: System, process: Process, kill: Kill) -> str:
    """End the process without releasing its lease, and start it again with the same arguments.

    No signal makes dhclient request a lease. A dhclient that NetworkManager started is ignored.
    """
    names = [word.rpartition("/")[2] for word in process.argv[:2]]
    if "dhclient" not in names or "-6" in process.argv or "nm-dhcp" in " ".join(process.argv):
        return ""
    kill(process.pid, signal.SIGTERM)
    give_up_s = system.clock.monotonic() + GONE_WITHIN_S
    while _is_alive(system, process) and system.clock.monotonic() < give_up_s:
        system.clock.sleep(POLL_S)
    if _is_alive(system, process):
        kill(process.pid, signal.SIGKILL)
    _start(system, [system.tool("dhclient") or process.argv[0]] + list(process.argv[1:]))
    return "dhclient was restarted to ask for another lease"


def _is_alive(system: System, process: Process) -> bool:
    return any(each.pid == process.pid for each in running_processes(system, {process.comm}))


def _start(system: System, argv: List[str]) -> None:
    """Start dhclient. If systemd runs, it gets its own unit, since our sandbox has no raw
    sockets.
    """
    systemd_run = find_systemd_run(system)
    if systemd_run is not None:
        # Without -d, dhclient goes into the background. Without RemainAfterExit, systemd would then
        # end the unit and kill dhclient.
        options = ["--no-block", "--property=RemainAfterExit=yes"]
        description = "dhclient, restarted in another network"
        system.run_checked(unit_command(systemd_run, argv, description, options))
        return
    start_command(argv)


CLIENT = DhcpClient(
    name="dhclient",
    title="dhclient",
    processes=("dhclient",),
    places=(
        LeasePlace("/var/lib/NetworkManager/dhclient-*.lease*", _LEASE_NAME),
        LeasePlace("/var/lib/dhcp/dhclient*.lease*", _LEASE_NAME),
        LeasePlace("/var/lib/dhcp3/dhclient*.lease*", _LEASE_NAME),
        LeasePlace("/var/lib/dhclient/dhclient*.lease*", _LEASE_NAME),
        LeasePlace("/var/state/dhcp/dhclient*.lease*", _LEASE_NAME),  # Slackware
        LeasePlace("/var/db/dhclient*.lease*", _LEASE_NAME),  # the default of ISC's source
        LeasePlace("/run/dhclient*.lease*", _LEASE_NAME),
        LeasePlace("/run/dhclient/dhclient*.lease*", _LEASE_NAME),
    ),
    renew=renew,
    rebind=rebind,
)
