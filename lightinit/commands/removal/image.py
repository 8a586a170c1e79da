"""What `lightinit generalize` removes in addition to `clean`: everything of this machine only.

Each step looks at what exists, whatever the distribution is: the leases of every DHCP client, every
file that has the host name.
"""

from __future__ import annotations

import os
import re
import socket
from functools import partial
from typing import Callable, List, Tuple

from lightinit.commands.removal.changes import (
    Change,
    RemovalContext,
    RemovalStep,
    file_removals,
    line_removals,
    removals,
)
from lightinit.errors import ProvisioningError
from lightinit.formats import hostname as names
from lightinit.formats import hosts_file
from lightinit.formats.accounts.passwd import find_account
from lightinit.formats.assignments import edit_assignment, read_assignment
from lightinit.formats.disks import fstab
from lightinit.formats.ssh.password_policy import drop_block
from lightinit.host.files.text import edit_text_file, read_text_file
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
# The files of DHCP clients: leases, and the ids that they send to the server. A DHCP server's files
# are not among them.
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
# An empty file or a link to /dev/null switches udev's own rule off, and stays.
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


def plan_leases(context: RemovalContext) -> List[Change]:
    """The leases. A running client keeps its address. If it writes a lease after this, lightinit
    knows on the next VM that the lease is old.
    """
    return file_removals(context.system, LEASES)


def plan_history(context: RemovalContext) -> List[Change]:
    """root's histories. Those of other accounts are removed with the accounts."""
    system = context.system
    home = "/root"
    root = find_account(read_text_file(system, "/etc/passwd") or "", "root")
    if root is not None and root.home.startswith("/"):
        home = root.home.rstrip("/")
    keys = system.read_text(home + "/.ssh/authorized_keys")
    if any(line.strip() and not line.lstrip().startswith("#") for line in keys.split("\n")):
        context.notes.append(
            "%s/.ssh/authorized_keys stays: its keys may open every VM made from this image" % home
        )
    return file_removals(system, ["%s/%s" % (home, name) for name in HISTORIES])


def plan_login_policy(context: RemovalContext) -> List[Change]:
    """The policy for password login that the platform ordered for this machine."""
    removed = file_removals(context.system, (config_files.DROP_IN,))
    return removed + line_removals(
        context.system, "lightinit's lines", config_files.CONFIGS[0], drop_block
    )


def plan_udev_rules(context: RemovalContext) -> List[Change]:
    """The names of this machine's network interfaces."""
    real = context.system.path(UDEV_RULES, follow_last=False)
    if os.path.islink(real) or not os.path.isfile(real) or not os.path.getsize(real):
        return []
    return file_removals(context.system, (UDEV_RULES,))


def plan_seeds(context: RemovalContext) -> List[Change]:
    """The random seeds: two machines with the same seed could draw the same numbers."""
    return file_removals(context.system, SEEDS)


def plan_journal(context: RemovalContext) -> List[Change]:
    """systemd's journals of this machine and of earlier ones, in folders named by machine id."""
    system = context.system
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
        # A running journald would make the directory again with its next line. With this option it
        # writes to /run until it ends. Old versions do not know the option; then the image has the
        # few lines that come after this.
        try:
            system.run([journalctl, "--relinquish-var"], timeout_s=JOURNALD_LIMIT_S)
        except ProvisioningError:
            pass
    system.remove_tree(path)


def plan_secret(context: RemovalContext) -> List[Change]:
    """systemd's key for credentials. It stays, since what is encrypted with it would be lost."""
    if context.system.exists(CREDENTIALS_KEY):
        context.notes.append(
            "%s stays, since services may have credentials encrypted with it; every VM made from"
            " this image would have the same one: remove it if there are none" % CREDENTIALS_KEY
        )
    return []


def plan_hostname(context: RemovalContext) -> List[Change]:
    """The static host name, in every file that has it, and the old name's line in /etc/hosts."""
    system = context.system
    files: List[Tuple[str, str, Callable[[str], str]]] = []
    for path in PLAIN_NAME_FILES:
        files.append(
            (
                path,
                names.read_plain(read_text_file(system, path) or ""),
                partial(names.edit_plain, name=NEUTRAL_NAME),
            )
        )
    for path, key in ASSIGNED_NAME_FILES:
        files.append(
            (
                path,
                read_assignment(read_text_file(system, path) or "", key) or "",
                partial(edit_assignment, key=key, value=NEUTRAL_NAME, add=False),
            )
        )
    old = [name for _, name, _ in files if name]
    if system.live:
        old.append(socket.gethostname())
    hosts = read_text_file(system, HOSTS, HOSTS_LIMIT_BYTES) or ""
    for address in hosts_file.addresses_of_host(hosts, old):
        context.notes.append(
            "%s still gives the host name the address %s: remove it if that was this machine's"
            % (HOSTS, ascii(address)[1:-1])
        )
    # This comes first: the old names are known only while these files still have them.
    changes = line_removals(
        system,
        "the host name",
        HOSTS,
        partial(hosts_file.drop_host, old_names=old),
        HOSTS_LIMIT_BYTES,
    )
    for path, name, edit in files:
        if name and name != NEUTRAL_NAME:
            said = "the host name in %s to %s (it was %s)" % (path, NEUTRAL_NAME, ascii(name)[1:-1])
            changes.append(
                Change("set " + said, "set " + said, partial(edit_text_file, system, path, edit))
            )
    return changes


def plan_fstab(context: RemovalContext) -> List[Change]:
    """The lines of the resource disk. ephemeral_disk writes new ones on a VM that has one."""
    drop = partial(fstab.set_entries, entries=())
    return line_removals(context.system, "the resource disk", fstab.FILE, drop)


def marker_goes(system: System) -> bool:
    """Whether the package wrote the marker that switches lightinit off, and its reason is gone."""
    return system.read_text(DISABLED).split("\n")[0].rstrip() == PACKAGE_MARK and not other_agents(
        system
    )


def plan_marker(context: RemovalContext) -> List[Change]:
    """The marker that switches lightinit off, if the package wrote it because of another agent that
    is gone. A marker of anybody else stays.
    """
    system = context.system
    agents = other_agents(system)
    if agents:
        context.notes.append(
            "VMs made from this image would be provisioned by %s: remove or disable it first"
            % " and ".join(agents)
        )
    if not os.path.lexists(system.path(DISABLED, follow_last=False)):
        return []
    if marker_goes(system):
        return removals(system, (DISABLED,))
    context.notes.append("%s stays: lightinit does nothing on VMs made from this image" % DISABLED)
    return []


STEPS = (
    RemovalStep("history", plan_history),
    RemovalStep("DHCP leases", plan_leases),
    RemovalStep("network cards", plan_udev_rules),
    RemovalStep("login policy", plan_login_policy),
    RemovalStep("random seed", plan_seeds),
    RemovalStep("credentials", plan_secret),
    RemovalStep("host name", plan_hostname),
    RemovalStep("resource disk", plan_fstab),
    RemovalStep("marker", plan_marker),
    RemovalStep("journal", plan_journal),
)
