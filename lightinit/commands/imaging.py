"""What `lightinit generalize` removes besides what `clean` does: whatever else is one machine's own.

Each step looks what there is, whatever the distribution: every DHCP client's leases, every file that has the host name.
"""
from __future__ import annotations

import os
import socket
from functools import partial
from typing import Callable, List, Tuple

from lightinit.commands.changes import Change, Job, Step, edit_file, file_removals, read_file
from lightinit.formats import hostname as names
from lightinit.formats.accounts import find_account
from lightinit.host.agents import other_agents
from lightinit.state import DISABLED

NEUTRAL_NAME = "localhost"
# What a DHCP client keeps: leases, and by what it was known to the server. Not what a DHCP server keeps.
LEASES = (
    "/var/lib/dhcp/dhclient*", "/var/lib/dhcp3/dhclient*", "/var/lib/dhclient/dhclient*",
    "/var/lib/NetworkManager/*.lease", "/var/lib/NetworkManager/internal-*", "/var/lib/NetworkManager/dhclient-*",
    "/var/lib/NetworkManager/secret_key", "/var/lib/NetworkManager/seen-bssids", "/var/lib/NetworkManager/timestamps",
    "/var/lib/dhcpcd/*", "/var/lib/dhcpcd5/*", "/var/db/dhcpcd/*", "/etc/dhcpcd.duid", "/etc/dhcpcd.secret",
    "/var/lib/systemd/network/dhcp-client*", "/var/lib/systemd/network/*.lease",
    "/var/lib/wicked/lease-*", "/var/lib/wicked/duid.xml", "/var/lib/wicked/iaid.xml",
)
HISTORIES = (".bash_history", ".bash_history-*.tmp", ".ash_history", ".sh_history", ".zsh_history", ".history",
             ".python_history", ".lesshst", ".viminfo", ".wget-hsts")
# udev's own rule against that, an empty file or a link to /dev/null, stays: only what names cards goes.
UDEV_RULES = "/etc/udev/rules.d/70-persistent-net.rules"
SEEDS = ("/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed", "/var/lib/misc/random-seed",
         "/var/lib/seedrng/seed.*", "/boot/loader/random-seed", "/boot/efi/loader/random-seed", "/efi/loader/random-seed")
# As the module hostname has them.
PLAIN_NAME_FILES = ("/etc/hostname", "/etc/HOSTNAME")
ASSIGNED_NAME_FILES = (("/etc/conf.d/hostname", "hostname"), ("/etc/sysconfig/network", "HOSTNAME"),
                       ("/etc/rc.conf", "HOSTNAME"))
HOSTS = "/etc/hosts"
HOSTS_LIMIT_BYTES = 16 * 1024 * 1024
PACKAGE_MARK = "# made-by: lightinit package"


def plan_leases(job: Job) -> List[Change]:
    """Clients that run keep their address; what they write from now on lightinit knows as an old machine's."""
    return file_removals(job.system, LEASES)


def plan_history(job: Job) -> List[Change]:
    """root's alone: what other accounts have goes with them, if they go."""
    system = job.system
    root = find_account(read_file(system, "/etc/passwd"), "root")
    home = root.home.rstrip("/") if root is not None and root.home.startswith("/") else "/root"
    keys = system.read_text(home + "/.ssh/authorized_keys")
    if any(line.strip() and not line.lstrip().startswith("#") for line in keys.split("\n")):
        job.notes.append("%s/.ssh/authorized_keys stays: its keys may open every VM made from this image" % home)
    return file_removals(system, ["%s/%s" % (home, name) for name in HISTORIES])


def plan_udev_rules(job: Job) -> List[Change]:
    """The names of this machine's network cards."""
    real = job.system.path(UDEV_RULES, follow_last=False)
    if os.path.islink(real) or not os.path.isfile(real) or not os.path.getsize(real):
        return []
    return file_removals(job.system, (UDEV_RULES,))


def plan_seeds(job: Job) -> List[Change]:
    """Two machines that start from one seed could draw the same numbers."""
    return file_removals(job.system, SEEDS)


def plan_hostname(job: Job) -> List[Change]:
    """The static name, in every file where this host keeps it, and the old name's line in /etc/hosts."""
    system = job.system
    files: List[Tuple[str, str, Callable[[str], str]]] = []
    for path in PLAIN_NAME_FILES:
        files.append((path, names.read_plain(read_file(system, path)), partial(names.edit_plain, name=NEUTRAL_NAME)))
    for path, key in ASSIGNED_NAME_FILES:
        files.append((path, names.read_assignment(read_file(system, path), key) or "",
                      partial(names.edit_assignment, key=key, name=NEUTRAL_NAME, add=False)))
    old = [name for _, name, _ in files if name] + ([socket.gethostname()] if system.live else [])
    edit_hosts = partial(names.edit_hosts, name=NEUTRAL_NAME, old_names=old)
    changes = []
    hosts = read_file(system, HOSTS, HOSTS_LIMIT_BYTES)
    if _mentions(hosts, old) and edit_hosts(hosts) != hosts:
        # First: which of its lines is the old name's is known only while the old name is still there.
        changes.append(Change("take the host name out of " + HOSTS, "took the host name out of " + HOSTS,
                              partial(edit_file, system, HOSTS, edit_hosts, HOSTS_LIMIT_BYTES)))
    for path, name, edit in files:
        if name and name != NEUTRAL_NAME:
            said = "the host name in %s to %s (it was %s)" % (path, NEUTRAL_NAME, ascii(name)[1:-1])
            changes.append(Change("set " + said, "set " + said, partial(edit_file, system, path, edit)))
    return changes


def _mentions(hosts: str, old: List[str]) -> bool:
    shorts = {name.split(".")[0].lower() for name in old} - {NEUTRAL_NAME}
    words = (word for line in hosts.split("\n") for word in line.split("#")[0].split()[1:])
    return any(word.split(".")[0].lower() in shorts for word in words)


def plan_marker(job: Job) -> List[Change]:
    """The package switched lightinit off beside another agent: with that gone, it is on again. Others' marks stay."""
    system = job.system
    agents = other_agents(system)
    if agents:
        job.notes.append("VMs made from this image would be provisioned by %s: remove or disable it first"
                         % " and ".join(agents))
    if not os.path.lexists(system.path(DISABLED, follow_last=False)):
        return []
    if system.read_text(DISABLED).split("\n")[0].rstrip() == PACKAGE_MARK and not agents:
        return file_removals(system, (DISABLED,))
    job.notes.append("%s stays: lightinit does nothing on VMs made from this image" % DISABLED)
    return []


STEPS = (Step("history", plan_history), Step("DHCP leases", plan_leases), Step("network cards", plan_udev_rules),
         Step("random seed", plan_seeds), Step("host name", plan_hostname), Step("marker", plan_marker))
