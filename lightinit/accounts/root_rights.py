"""Gives the admin root's rights, by a rule for sudo or doas."""

from __future__ import annotations

from functools import partial
from typing import List, Tuple

from lightinit.accounts.local_files import PASSWD, has_password, text_of
from lightinit.formats.accounts import passwords as given
from lightinit.formats.accounts import privileges as rules
from lightinit.formats.accounts import sudo_listing
from lightinit.host.accounts.grant import SudoRules, grant
from lightinit.host.accounts.privileges import SUDOERS_FOLDER
from lightinit.host.system import System
from lightinit.login import rights
from lightinit.model import User


def grant_root(system: System, admin: User, privileges: str, warnings: List[str]) -> List[str]:
    """Let the admin become root.

    Args:
        system: the machine.
        admin: whose account it is.
        privileges: the setting of this name of the module users.
        warnings: gets what did not go as asked.

    Returns:
        What was done, in words.

    Raises:
        ProvisioningError: as :func:`lightinit.host.accounts.grant.grant`.
    """
    if privileges == "none":
        return []
    name = admin.name
    asks = privileges == "password" or (
        privileges == "auto" and given.login_wished(admin) is True and has_password(system, name)
    )
    doas = partial(rules.edit_doas_conf, user=name, password=asks)
    granted = grant(system, name, _sudo_rules(system, name, asks), doas)
    warnings += granted.warnings
    return granted.done


def _sudo_rules(system: System, name: str, asks: bool) -> SudoRules:
    """The rules of the admin ``name``.

    Args:
        system: the machine.
        name: the account.
        asks: whether sudo asks for a password.
    """
    known = {line.split(":")[0] for line in text_of(system, PASSWD).split("\n")}
    settings: Tuple[Tuple[str, ...], ...] = ((),)
    if asks:
        settings = rules.OWN_PASSWORD
    own_file = partial(rules.edit_sudoers_file, user=name, password=asks, known_users=known)
    at_end = partial(rules.edit_sudoers_end, user=name, password=asks)
    return SudoRules(
        [partial(own_file, own=own) for own in settings],
        [partial(at_end, own=own) for own in settings],
        partial(rules.has_rule, user=name),
        partial(rules.includes_folder, folder=SUDOERS_FOLDER),
        partial(rules.add_include, folder=SUDOERS_FOLDER),
        partial(rights.ask_sudo, system, name),
        sudo_listing.judge,
        asks,
    )
