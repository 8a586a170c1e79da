"""What people and programs left behind: temporary files, logs, mail, crontabs, secrets in homes."""

from __future__ import annotations

import os
import re
import stat
from typing import List

from lightinit.commands.removal.changes import (
    Change,
    RemovalContext,
    has_content,
    is_no_folder,
    matches,
    removals,
    show_some,
)
from lightinit.commands.removal.mounted import mounted_below
from lightinit.commands.removal.table import REMOVED, Row, read_table
from lightinit.commands.removal.users import provisioned_users
from lightinit.formats.accounts.login_defs import read_uid_min
from lightinit.formats.accounts.passwd import (
    Account,
    find_account,
    find_field,
    is_password_hash,
    list_accounts,
)
from lightinit.host.system import System

# Running services and X servers use them. systemd-tmpfiles removes or makes them at boot.
IN_USE = (
    "systemd-private-*",
    "snap-private-tmp",
    ".X11-unix",
    ".ICE-unix",
    ".XIM-unix",
    ".font-unix",
    ".Test-unix",
)
LOGS = "/var/log"
LOGS_LIMIT = 5000
# What package managers and installers write says what is in the image.
PACKAGE_LOGS = re.compile(
    r"/var/log/(?:apt/|dpkg\.log|alternatives\.log|dnf|yum\.log|hawkey|zypp|pacman|apk\.log"
    r"|emerge|anaconda/|installer/|bootstrap\.log|fontconfig\.log|unattended-upgrades/|README)"
)
SECRETS = (
    ".ssh/id_*",
    ".netrc",
    ".git-credentials",
    ".azure/msal_token_cache*",
    ".aws/credentials",
    ".docker/config.json",
    ".kube/config",
    ".my.cnf",
    ".pgpass",
    ".gnupg/private-keys-v1.d/*",
)
HISTORIES = (".bash_history", ".zsh_history", ".ash_history", ".local/share/fish/fish_history")
KEYS = (".ssh/authorized_keys", ".ssh/authorized_keys2")


def has_keys(system: System, path: str) -> bool:
    """Whether an authorized_keys file has a line that is no comment."""
    lines = system.read_text(path).split("\n")
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


# -- logs
# --------------------------------------------------------------------------------------------------


def plan_other_logs(context: RemovalContext, row: Row) -> List[Change]:
    """Note the logs that no row of the table removes."""
    system = context.system
    known = [path for each in read_table() for path in each.paths if each.fate == REMOVED]
    gone = set(matches(system, known + [context.log_file + "*"]))
    base = system.path(LOGS)
    found: List[str] = []
    for folder, folders, names in os.walk(base):
        below = LOGS + folder[len(base) :]
        folders[:] = [each for each in sorted(folders) if "%s/%s" % (below, each) not in gone]
        for name in sorted(names):
            path = "%s/%s" % (below, name)
            is_known = path in gone or PACKAGE_LOGS.match(path)
            if not is_known and len(found) < LOGS_LIMIT and has_content(system, path):
                found.append(path)
    if found:
        context.note("%s: %s" % (show_some(found), row.why))
    return []


# -- temporary files
# --------------------------------------------------------------------------------------------------


def plan_temporary(context: RemovalContext, row: Row) -> List[Change]:
    """Temporary files. Nothing is followed, and nothing in use is taken away."""
    system = context.system
    tops = list(dict.fromkeys(os.path.dirname(path) for path in row.paths))
    used = set(matches(system, ["%s/%s" % (top, each) for top in tops for each in IN_USE]))
    going = []
    for path in matches(system, row.paths):
        if path in used or _is_socket(system, path):
            continue
        mounted = mounted_below(system, path)
        if mounted:
            context.note("%s stays: %s is mounted there" % (path, mounted[0]))
            continue
        going.append(path)
    return removals(system, going)


def _is_socket(system: System, path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(system.path(path, follow_last=False)).st_mode)
    except FileNotFoundError:
        return False


# -- of accounts that stay
# --------------------------------------------------------------------------------------------------


def plan_root_keys(context: RemovalContext, row: Row) -> List[Change]:
    """Note root's keys and secrets."""
    system = context.system
    home = root_home(system)
    for name in KEYS:
        path = "%s/%s" % (home, name)
        if has_keys(system, path):
            context.note("%s stays: its keys may open every VM made from this image" % path)
    found = matches(system, ["%s/%s" % (home, each) for each in SECRETS])
    for path in found:
        if not path.endswith(".pub") and has_content(system, path):
            context.note("%s stays: %s" % (path, row.why))
    return []


def root_home(system: System) -> str:
    """root's home, without a slash at its end."""
    root = find_account(system.read_text("/etc/passwd"), "root")
    if root is not None and root.home.startswith("/"):
        return root.home.rstrip("/")
    return "/root"


def plan_accounts(context: RemovalContext, row: Row) -> List[Change]:
    """Note the people's accounts that this run does not remove."""
    system = context.system
    passwd, shadow = system.read_text("/etc/passwd"), system.read_text("/etc/shadow")
    uid_min = read_uid_min(system.read_text("/etc/login.defs"))
    known = provisioned_users(system)
    for account in list_accounts(passwd):
        if account.uid < uid_min or account.name in known:
            continue
        has = _belongings(system, account)
        if is_password_hash(find_field(shadow, account.name, 1)):
            has.insert(0, "a password")
        if has:
            said = (account.name, " and ".join(has), row.why)
            context.note("the account %s stays, with %s: %s" % said)
    return []


def _belongings(system: System, account: Account) -> List[str]:
    home = account.home.rstrip("/")
    if not home.startswith("/"):
        return []
    has = []
    if any(has_keys(system, "%s/%s" % (home, each)) for each in KEYS):
        has.append("SSH keys")
    if any(has_content(system, "%s/%s" % (home, each)) for each in HISTORIES):
        has.append("a shell history")
    if any(
        has_content(system, path) and not path.endswith(".pub")
        for path in matches(system, ["%s/%s" % (home, each) for each in SECRETS])
    ):
        has.append("secrets")
    return has


def plan_spools(context: RemovalContext, row: Row) -> List[Change]:
    """Note what is in spools in the name of accounts that stay."""
    system = context.system
    # Those go, or a note says that they stay.
    ours = provisioned_users(system)
    seen = set()
    for path in matches(system, row.paths):
        real = os.path.realpath(system.path(path))
        name = os.path.basename(path)
        if real in seen or name in ours or name.startswith("."):
            continue
        seen.add(real)
        if is_no_folder(system, path) and has_content(system, path):
            context.note("%s stays: %s" % (path, row.why))
    return []
