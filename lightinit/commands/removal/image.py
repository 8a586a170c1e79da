"""What `lightinit generalize` removes besides what `clean` does: whatever else is one machine's
own.

Each step looks what there is, whatever the distribution: every DHCP client's leases, every file
that has the host name.
"""

from __future__ import annotations

import os
import re
import socket
from functools import partial
from typing import Callable, List, Tuple

from lightinit.commands.removal.changes import (
    Change,
    Job,
    Step,
    edit_file,
    file_removals,
    read_file,
    removals,
)
from lightinit.errors import ProvisioningError
from lightinit.formats import hostname as names
from lightinit.formats import hosts_file
from lightinit.formats.accounts.passwd import find_account
from lightinit.formats.assignments import edit_assignment, read_assignment
from lightinit.formats.disks import fstab
from lightinit.formats.ssh.password_policy import drop_block
from lightinit.host.hostname_files import (
    ASSIGNMENT_FILES,
    HOSTS,
    HOSTS_LIMIT_BYTES,
    OTHER_PLAIN_FILES,
    PLAIN_FILE,
)
from lightinit.host.init import systemd
from lightinit.host.init.agents import other_agents
from lightinit.host.ssh import config_files
from lightinit.host.system import System
from lightinit.state import DISABLED

NEUTRAL_NAME = "localhost"
# What a DHCP client keeps: leases, and by what it was known to the server. Not what a DHCP server
# keeps.
LEASES = (
    "/var/lib/dhcp/dhclient*",
    "/var/lib/dhcp3/dhclient*",
    "/var/lib/dhclient/dhclient*",
    "/var/lib/NetworkManager/*.lease",
    "/var/lib/NetworkManager/internal-*",
    "/var/lib/NetworkManager/dhclient-*",
    "/var/lib/NetworkManager/secret_key",
    "/var/lib/NetworkManager/seen-bssids",
    "/var/lib/NetworkManager/timestamps",
    "/var/lib/dhcpcd/*",
    "/var/lib/dhcpcd5/*",
    "/var/db/dhcpcd/*",
    "/etc/dhcpcd.duid",
    "/etc/dhcpcd.secret",
    "/var/lib/systemd/network/dhcp-client*",
    "/var/lib/systemd/network/*.lease",
    "/var/lib/wicked/lease-*",
    "/var/lib/wicked/duid.xml",
    "/var/lib/wicked/iaid.xml",
)
HISTORIES = (
    ".bash_history",
    ".bash_history-*.tmp",
    ".ash_history",
    ".sh_history",
    ".zsh_history",
    ".history",
    ".python_history",
    ".lesshst",
    ".viminfo",
    ".wget-hsts",
)
# udev's own rule against that, an empty file or a link to /dev/null, stays: only what names cards
# goes.
UDEV_RULES = "/etc/udev/rules.d/70-persistent-net.rules"
SEEDS = (
    "/var/lib/systemd/random-seed",
    "/var/lib/urandom/random-seed",
    "/var/lib/misc/random-seed",
    "/var/lib/seedrng/seed.*",
    "/boot/loader/random-seed",
    "/boot/efi/loader/random-seed",
    "/efi/loader/random-seed",
)
JOURNALS = "/var/log/journal"
JOURNALD_LIMIT_S = 10.0
CREDENTIALS_KEY = "/var/lib/systemd/credential.secret"
PLAIN_NAME_FILES = (PLAIN_FILE,) + OTHER_PLAIN_FILES
ASSIGNED_NAME_FILES = tuple((path, key) for path, key, _ in ASSIGNMENT_FILES)
PACKAGE_MARK = "# made-by: lightinit package"


def plan_leases(job: Job) -> List[Change]:
    """Clients that run keep their address; what they write from now on lightinit knows as an old
    machine's.
    """
    return file_removals(job.system, LEASES)


def plan_history(job: Job) -> List[Change]:
    """root's alone: what other accounts have goes with them, if they go."""
    system = job.system
    root = find_account(read_file(system, "/etc/passwd"), "root")
    home = root.home.rstrip("/") if root is not None and root.home.startswith("/") else "/root"
    keys = system.read_text(home + "/.ssh/authorized_keys")
    if any(line.strip() and not line.lstrip().startswith("#") for line in keys.split("\n")):
        job.notes.append(
            "%s/.ssh/authorized_keys stays: its keys may open every VM made from this image" % home
        )
    return file_removals(system, ["%s/%s" % (home, name) for name in HISTORIES])


def plan_login_policy(job: Job) -> List[Change]:
    """What the platform ordered for this machine's password login: the image goes back to its own
    word.
    """
    system, main = job.system, config_files.CONFIGS[0]
    changes = file_removals(system, (config_files.DROP_IN,))
    before = read_file(system, main)
    if drop_block(before) != before:
        changes.append(
            Change(
                "take lightinit's lines out of " + main,
                "took lightinit's lines out of " + main,
                partial(edit_file, system, main, drop_block),
            )
        )
    return changes


def plan_udev_rules(job: Job) -> List[Change]:
    """The names of this machine's network cards."""
    real = job.system.path(UDEV_RULES, follow_last=False)
    if os.path.islink(real) or not os.path.isfile(real) or not os.path.getsize(real):
        return []
    return file_removals(job.system, (UDEV_RULES,))


def plan_seeds(job: Job) -> List[Change]:
    """Two machines that start from one seed could draw the same numbers."""
    return file_removals(job.system, SEEDS)


def plan_journal(job: Job) -> List[Change]:
    """What systemd's journal has of this machine and those before it, in folders named after
    machine ids.
    """
    system = job.system
    changes = []
    for name in system.list_dir(JOURNALS):
        path = "%s/%s" % (JOURNALS, name)
        real = system.path(path, follow_last=False)
        if re.match(r"[0-9a-f]{32}\Z", name) and os.path.isdir(real) and not os.path.islink(real):
            changes.append(
                Change("remove " + path, "removed " + path, partial(_remove_journal, system, path))
            )
    return changes


def _remove_journal(system: System, path: str) -> None:
    journalctl = system.tool("journalctl")
    if journalctl is not None and systemd.is_running(system):
        # A journald that writes there would make it anew with its next line; told so, it writes to
        # /run until it ends. Old versions do not know the option: then the little that comes after
        # this is in the image.
        try:
            system.run([journalctl, "--relinquish-var"], timeout_s=JOURNALD_LIMIT_S)
        except ProvisioningError:
            pass
    system.remove_tree(path)


def plan_secret(job: Job) -> List[Change]:
    """Never removed, since what is encrypted with it would be lost."""
    if job.system.exists(CREDENTIALS_KEY):
        job.notes.append(
            "%s stays, since services may have credentials encrypted with it; every VM made from"
            " this image would have the same one: remove it if there are none" % CREDENTIALS_KEY
        )
    return []


def plan_hostname(job: Job) -> List[Change]:
    """The static name, in every file where this host keeps it, and the old name's line in
    /etc/hosts.
    """
    system = job.system
    files: List[Tuple[str, str, Callable[[str], str]]] = []
    for path in PLAIN_NAME_FILES:
        files.append(
            (
                path,
                names.read_plain(read_file(system, path)),
                partial(names.edit_plain, name=NEUTRAL_NAME),
            )
        )
    for path, key in ASSIGNED_NAME_FILES:
        files.append(
            (
                path,
                read_assignment(read_file(system, path), key) or "",
                partial(edit_assignment, key=key, value=NEUTRAL_NAME, add=False),
            )
        )
    old = [name for _, name, _ in files if name] + ([socket.gethostname()] if system.live else [])
    drop_host = partial(hosts_file.drop_host, old_names=old)
    changes = []
    hosts = read_file(system, HOSTS, HOSTS_LIMIT_BYTES)
    for address in hosts_file.addresses_of_host(hosts, old):
        job.notes.append(
            "%s stays to give the host name the address %s: take it out if that was this machine's"
            % (HOSTS, ascii(address)[1:-1])
        )
    if drop_host(hosts) != hosts:
        # First: which names are the old ones is known only while they are still there.
        changes.append(
            Change(
                "take the host name out of " + HOSTS,
                "took the host name out of " + HOSTS,
                partial(edit_file, system, HOSTS, drop_host, HOSTS_LIMIT_BYTES),
            )
        )
    for path, name, edit in files:
        if name and name != NEUTRAL_NAME:
            said = "the host name in %s to %s (it was %s)" % (path, NEUTRAL_NAME, ascii(name)[1:-1])
            changes.append(
                Change("set " + said, "set " + said, partial(edit_file, system, path, edit))
            )
    return changes


def plan_fstab(job: Job) -> List[Change]:
    """The lines of the resource disk, which ephemeral_disk writes anew where there is one."""
    drop = partial(fstab.set_entries, entries=())
    text = read_file(job.system, fstab.FILE)
    if drop(text) == text:
        return []
    return [
        Change(
            "take the resource disk out of " + fstab.FILE,
            "took the resource disk out of " + fstab.FILE,
            partial(edit_file, job.system, fstab.FILE, drop),
        )
    ]


def marker_goes(system: System) -> bool:
    """Whether the marker that switches lightinit off is the package's, and its reason is gone."""
    return system.read_text(DISABLED).split("\n")[0].rstrip() == PACKAGE_MARK and not other_agents(
        system
    )


def plan_marker(job: Job) -> List[Change]:
    """The package switched lightinit off beside another agent: with that gone, it is on again.
    Others' marks stay.
    """
    system = job.system
    agents = other_agents(system)
    if agents:
        job.notes.append(
            "VMs made from this image would be provisioned by %s: remove or disable it first"
            % " and ".join(agents)
        )
    if not os.path.lexists(system.path(DISABLED, follow_last=False)):
        return []
    if marker_goes(system):
        return removals(system, (DISABLED,))
    job.notes.append("%s stays: lightinit does nothing on VMs made from this image" % DISABLED)
    return []


STEPS = (
    Step("history", plan_history),
    Step("DHCP leases", plan_leases),
    Step("network cards", plan_udev_rules),
    Step("login policy", plan_login_policy),
    Step("random seed", plan_seeds),
    Step("credentials", plan_secret),
    Step("host name", plan_hostname),
    Step("resource disk", plan_fstab),
    Step("marker", plan_marker),
    Step("journal", plan_journal),
)
