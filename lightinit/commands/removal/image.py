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
    file_removals,
    line_removals,
    removals,
)
from lightinit.commands.removal.leftovers import root_home
from lightinit.errors import ProvisioningError
from lightinit.formats import hostname as names
from lightinit.formats import hosts_file
from lightinit.formats.assignments import edit_assignment, read_assignment
from lightinit.formats.disks import fstab
from lightinit.formats.ssh import sshd_config
from lightinit.formats.ssh.password_policy import drop_block
from lightinit.host.files.hostname_files import (
    ASSIGNMENT_FILES,
    HOSTS,
    HOSTS_LIMIT_BYTES,
    OTHER_PLAIN_FILES,
    PLAIN_FILE,
)
from lightinit.host.files.text import edit_text_file, read_text_file
from lightinit.host.init import systemd
from lightinit.host.init.agents import other_agents
from lightinit.host.ssh import config_files
from lightinit.host.system import System
from lightinit.state import DISABLED

NEUTRAL_NAME = "localhost"
# Of any shell or program: .bash_history, .mysql_history, .ash_history, .zsh_history.LOCK.
HISTORIES = (
    ".*_history",
    ".*_history[.-]*",
    ".history",
    ".histfile",
    ".zhistory",
    ".lesshst",
    ".viminfo",
    ".wget-hsts",
    ".local/share/fish/fish_history",
    ".local/share/nano/search_history",
    ".local/share/mc/history",
    ".local/state/*/*history",
    ".ssh/known_hosts",
    ".ssh/known_hosts.old",
)
JOURNALS = "/var/log/journal"
JOURNALD_LIMIT_S = 10.0
PLAIN_NAME_FILES = (PLAIN_FILE,) + OTHER_PLAIN_FILES
ASSIGNED_NAME_FILES = tuple((path, key) for path, key, _ in ASSIGNMENT_FILES)
PACKAGE_MARK = "# made-by: lightinit package"


def plan_history(context: RemovalContext) -> List[Change]:
    """root's histories. Those of other accounts are removed with the accounts."""
    system = context.system
    home = root_home(system)
    return file_removals(system, ["%s/%s" % (home, name) for name in HISTORIES])


def plan_login_policy(context: RemovalContext) -> List[Change]:
    """The policy for password login that the platform ordered for this machine."""
    removed = file_removals(context.system, (config_files.DROP_IN, config_files.HOST_KEYS))
    return removed + line_removals(
        context.system, "lightinit's lines", config_files.CONFIGS[0], _drop_blocks
    )


def _drop_blocks(text: str) -> str:
    return sshd_config.drop_block(drop_block(text), sshd_config.HOST_KEYS)


def plan_journal(context: RemovalContext) -> List[Change]:
    """systemd's journals of this machine and of earlier ones, in folders named by machine id."""
    system = context.system
    changes = []
    for name in system.list_dir(JOURNALS):
        path = "%s/%s" % (JOURNALS, name)
        real = system.path(path, follow_last=False)
        # A namespace has a folder of its own, with a dot and its name.
        if (
            re.match(r"[0-9a-f]{32}(?:\..+)?\Z", name)
            and os.path.isdir(real)
            and not os.path.islink(real)
        ):
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
        context.note(
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
    """The lines of the resource disk, and of the mounts that a cloud-config asked for. The next VM
    gets its own.
    """

    def drop(text: str) -> str:
        return fstab.set_entries(fstab.set_entries(text, ()), (), fstab.MOUNTS_MARK)

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
        context.note(
            "VMs made from this image would be provisioned by %s: remove or disable it first"
            % " and ".join(agents)
        )
    if not os.path.lexists(system.path(DISABLED, follow_last=False)):
        return []
    if marker_goes(system):
        return removals(system, (DISABLED,))
    context.note("%s stays: lightinit does nothing on VMs made from this image" % DISABLED)
    return []
