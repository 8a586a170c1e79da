"""Makes an account with the host's own tools, or by editing the account files."""

from __future__ import annotations

import logging
from functools import partial
from typing import List

from lightinit.accounts import local_files
from lightinit.accounts.local_files import GROUP, GSHADOW, PASSWD, SHADOW, text_of
from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import new_account
from lightinit.formats.accounts import passwd as texts
from lightinit.host.accounts import files, lookup, tools
from lightinit.host.accounts.shells import SHELLS, add_shell, list_shells
from lightinit.host.ssh.servers import list_answering, list_servers
from lightinit.host.system import System
from lightinit.login.admin import find_account

LOG = logging.getLogger("lightinit.users")


def make_user(system: System, user: tools.NewUser) -> texts.Account:
    """Make an account. It has no password then.

    Args:
        system: the machine.
        user: the account; it must not exist. Groups that the host does not have are left out. An
            existing group of its name becomes its primary group, if no other is wished.

    Raises:
        ProvisioningError: it cannot be made.
    """
    name, group_text = user.name, text_of(system, GROUP)
    group = user.group
    is_group = texts.find_group(group_text, name) is not None or lookup.has_group(system, name)
    if group is None and user.has_own_group and is_group:
        group = name
    groups = tuple(
        each
        for each in user.groups
        if each != group and texts.find_group(group_text, each) is not None
    )
    user = user._replace(group=group, groups=groups)
    files.check_changeable(system, (PASSWD, SHADOW, GROUP, GSHADOW))
    tool = tools.add_user(system, user)
    if tool is None and find_account(system, name) is None:
        _edit_in(system, user)
    account = find_account(system, name)
    if account is None:
        raise ProvisioningError(
            "account is missing after it was made", user=name, tool=tool or "lightinit"
        )
    LOG.debug("account %s made by %s", name, tool or "editing the account files")
    return account


def choose_shell(system: System, wished: str, warnings: List[str]) -> str:
    """The shell of a new account with which each SSH server of the host lets its user in.

    Args:
        system: the machine.
        wished: the shell that is asked for; "" for none.
        warnings: gets why another one is used.
    """

    def refusing(shell: str) -> List[str]:
        servers = list_servers(system)
        return [each.name for each in servers if not each.accepts_shell(system, shell)]

    def is_usable(shell: str) -> bool:
        is_there = system.exists(shell) and lookup.can_be_shell(system, shell)
        return is_there and not refusing(shell)

    if wished and not system.exists(wished):
        warnings.append("shell %s in the settings does not exist; using another one" % wished)
    elif wished and not lookup.can_be_shell(system, wished):
        warnings.append("shell %s in the settings is no program; using another one" % wished)
    elif wished and refusing(wished):
        warnings.append(
            "shell %s in the settings is not in %s, so %s refuses it; using another one"
            % (wished, SHELLS, refusing(wished)[0])
        )
    of_useradd = local_files.useradd_defaults(system)["SHELL"]
    return new_account.choose_shell(wished, of_useradd, is_usable, list_shells(system))


def admit_shell(system: System, account: texts.Account, warnings: List[str]) -> List[str]:
    """Add the account's shell to /etc/shells if an SSH server that answers requires that.

    Returns:
        What was done, in words.
    """
    servers = [
        each for each in list_answering(system) if not each.accepts_shell(system, account.shell)
    ]
    if not servers:
        return []
    server = servers[0]
    try:
        add_shell(system, account.shell)
    except ProvisioningError as error:
        warnings.append(
            "%s refuses %s, whose shell %s is not in %s: %s"
            % (server.name, account.name, account.shell, SHELLS, error)
        )
        return []
    warnings.append(
        "added %s, the shell of %s, to %s: %s refuses users with other shells"
        % (account.shell, account.name, SHELLS, server.name)
    )
    return ["its shell in %s" % SHELLS]


def _edit_in(system: System, user: tools.NewUser) -> None:
    """Make the account by editing the account files.

    gshadow is written before group, and passwd last, since the next run checks passwd first. So
    after a crash no account looks complete that is not.
    """
    name = user.name
    with files.lock_accounts(system):
        new = new_account.plan_account(
            name,
            user.shell,
            local_files.useradd_defaults(system)["HOME"],
            passwd=text_of(system, PASSWD),
            group=text_of(system, GROUP),
            login_defs=local_files.policy(system),
            has_user=partial(lookup.has_user_id, system),
            has_group=partial(lookup.has_group_id, system),
            wish=new_account.Wish(user.home or "", user.group or "", user.uid, user.is_system),
        )
        if new.needs_group:
            local_files.put_line(system, GSHADOW, "%s:!::" % name)
            local_files.put_line(system, GROUP, "%s:x:%d:" % (name, new.account.gid), 0o644)
        if local_files.has_shadow(system):
            # A line of a removed account with this name must not bring its password back.
            local_files.put_shadow_line(system, name)
            line = texts.passwd_line(new.account, comment=user.comment)
        else:
            line = texts.passwd_line(new.account, texts.NO_PASSWORD, user.comment)
        local_files.put_line(system, PASSWD, line, 0o644)
