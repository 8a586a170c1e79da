"""Makes groups, and accounts their members."""

from __future__ import annotations

import logging
from functools import partial
from typing import List, Sequence

from lightinit.accounts import local_files
from lightinit.accounts.completion import join_groups
from lightinit.accounts.local_files import GROUP, GSHADOW, text_of
from lightinit.digits import read_digits
from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import login_defs, new_account
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.cloud_config.readers.users import GivenGroup
from lightinit.host.accounts import files, lookup, tools
from lightinit.host.system import System
from lightinit.login.admin import find_account

LOG = logging.getLogger("lightinit.users")


def has_group(system: System, name: str) -> bool:
    """Whether the host knows a group, by its name or number."""
    text = text_of(system, GROUP)
    if read_digits(name) in texts.used_ids(text):
        return True
    return texts.find_group(text, name) is not None or lookup.has_group(system, name)


def make_groups(system: System, names: Sequence[str], warnings: List[str]) -> List[str]:
    """Make those groups that the host does not have.

    Args:
        system: the machine.
        names: the groups.
        warnings: gets why one could not be made.

    Returns:
        The names of the new ones.
    """
    made = []
    for name in dict.fromkeys(names):
        if has_group(system, name):
            continue
        if read_digits(name) is not None:
            warnings.append("there is no group with the number %s; write a name" % name)
            continue
        try:
            _make_group(system, name)
            made.append(name)
        except ProvisioningError as error:
            warnings.append("group %s is not made: %s" % (name, error))
    return made


def _make_group(system: System, name: str) -> None:
    files.check_changeable(system, (GROUP, GSHADOW))
    try:
        if tools.add_group(system, name):
            return
    except ProvisioningError as error:
        # Some versions of groupadd accept only lower case.
        LOG.info("groupadd did not make %s: %s", name, error)
    with files.lock_accounts(system):
        defs, text = local_files.policy(system), text_of(system, GROUP)
        gid = new_account.choose_id(
            texts.used_ids(text),
            login_defs.read_number(defs, "GID_MIN", new_account.GID_MIN),
            login_defs.read_number(defs, "GID_MAX", new_account.ID_MAX),
            taken=partial(lookup.has_group_id, system),
        )
        local_files.put_line(system, GSHADOW, "%s:!::" % name)
        local_files.put_line(system, GROUP, "%s:x:%d:" % (name, gid), 0o644)


def add_members(system: System, groups: Sequence[GivenGroup], warnings: List[str]) -> List[str]:
    """Make accounts members of groups. Returns what was done, in words."""
    done = []
    for group in groups:
        for name in group.members:
            account = find_account(system, name)
            if account is None:
                warnings.append(
                    "group %s: there is no account %s; name it in `users`" % (group.name, name)
                )
            elif join_groups(system, name, account.gid, (group.name,), warnings):
                done.append("%s in group %s" % (name, group.name))
    return done
