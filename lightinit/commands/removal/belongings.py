"""What belongs to an account by its name or user id: home, mail, crontabs, jobs, marks, keys."""

from __future__ import annotations

import os
from functools import partial
from typing import List, Optional

from lightinit.commands.removal.changes import RemovalContext, is_no_folder, matches
from lightinit.commands.removal.mounted import mounted_below
from lightinit.formats.accounts import removal as texts
from lightinit.formats.accounts.passwd import Account
from lightinit.formats.ssh.sshd_config import Who, expand_tokens, read_keys_files
from lightinit.host.accounts import files, removal
from lightinit.host.ssh import config_files
from lightinit.host.system import System

PASSWD = "/etc/passwd"  # noqa: S105 - a path
# They have the user's name, so the next account of that name would get them.
MAIL = ("/var/mail/%s", "/var/spool/mail/%s")
NAMED_AFTER_USERS = (
    "/var/spool/cron/crontabs/%s",
    "/var/spool/cron/tabs/%s",
    "/var/spool/cron/%s",
    "/etc/crontabs/%s",
    "/var/spool/fcron/%s",
    "/var/spool/fcron/%s.orig",
    "/var/spool/incron/%s",
    "/var/lib/systemd/linger/%s",
    "/var/lib/sudo/lectured/%s",
    "/var/lib/sudo/ts/%s",
    "/var/db/sudo/lectured/%s",
    "/var/db/sudo/ts/%s",
    "/run/sudo/ts/%s",
    "/run/faillock/%s",
    "/var/lib/faillock/%s",
    "/var/lib/AccountsService/users/%s",
    "/var/lib/AccountsService/icons/%s",
)
AT_SPOOLS = (
    "/var/spool/cron/atjobs/*",
    "/var/spool/cron/atspool/*",
    "/var/spool/at/*",
    "/var/spool/at/spool/*",
    "/var/spool/atjobs/*",
    "/var/spool/atspool/*",
)


def list_belongings(context: RemovalContext, name: str, account: Optional[Account]) -> List[str]:
    """The paths that are the account's. What stays although it might be one of them is noted."""
    system = context.system
    # On most hosts these two are the same folder.
    boxes = {
        os.path.realpath(system.path(path)): path
        for path in (pattern % name for pattern in MAIL[::-1])
    }
    found = [path for path in list(boxes.values())[::-1] if _is_mail(context, path, account)]
    # A folder, or a link to one, is not the user's: for a user `crontabs` it would be the crontabs
    # of everybody.
    named = {
        system.path(path, follow_last=False): path
        for path in (pattern % name for pattern in NAMED_AFTER_USERS[::-1])
        if _is_file(system, path)
    }
    found += list(named.values())[::-1]
    found += _keys_elsewhere(system, name, account)
    if account is None:
        return found
    found += [
        path
        for path in matches(system, AT_SPOOLS)
        if system.can_own
        and is_no_folder(system, path)
        and os.lstat(system.path(path, follow_last=False)).st_uid == account.uid
    ]
    # A crash while the home is made leaves this.
    unfinished = "%s/.%s.lightinit-new" % (os.path.dirname(account.home.rstrip("/")), name)
    if account.home.startswith("/") and system.is_dir(unfinished):
        found.append(unfinished)
    others = texts.homes_of_others(files.read_account_file(system, PASSWD), account)
    why = removal.why_home_stays(system, account.home, account.uid)
    if others and not why:
        why = "it is the home of %s too" % ", ".join(others)
    mounted = [] if why else mounted_below(system, account.home)
    if mounted:
        why = "%s is mounted there" % mounted[0]
    if why:
        context.note("the home of %s, %s, stays: %s" % (name, account.home, why))
    elif os.path.lexists(system.path(account.home, follow_last=False)):
        found.insert(0, account.home)
    return found


def _keys_elsewhere(system: System, name: str, account: Optional[Account]) -> List[str]:
    """The user's authorized_keys outside the home, where sshd's configuration names each user's."""
    config = config_files.find_config(system)
    if config is None:
        return []
    included = partial(config_files.read_included, system)
    found = []
    for path in read_keys_files(system.read_text(config), Who(name), included).paths:
        is_own = "%u" in path or (account is not None and "%U" in path)
        if not path.startswith("/") or not is_own or "%h" in path:
            continue
        real = expand_tokens(path, name, account.uid if account is not None else 0, "/")
        if _is_file(system, real):
            found.append(real)
    return found


def _is_file(system: System, path: str) -> bool:
    real = system.path(path, follow_last=False)
    return (os.path.islink(real) or os.path.isfile(real)) and not system.is_dir(path)


def _is_mail(context: RemovalContext, path: str, account: Optional[Account]) -> bool:
    """Whether a path is the user's mail: a file or link, or a folder (a Maildir) of the account."""
    real = context.system.path(path, follow_last=False)
    if os.path.islink(real) or os.path.isfile(real):
        return True
    if not os.path.isdir(real):
        return False
    owner = os.stat(real).st_uid
    if account is not None and (owner == account.uid or not context.system.can_own):
        return True
    context.note("%s stays: it is a folder of the user id %d" % (path, owner))
    return False
