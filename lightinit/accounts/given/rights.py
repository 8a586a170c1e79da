"""Puts the rules for sudo and doas that a cloud-config gives into files of their own.

visudo or doas checks each before it is kept. A rule that they reject is left out, since a faulty
file could take sudo from all.
"""

from __future__ import annotations

from functools import partial
from typing import Callable, List, Sequence

from lightinit.accounts.local_files import PASSWD, text_of
from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import given_rules
from lightinit.formats.accounts import privileges as rules
from lightinit.formats.accounts.given_rules import Rule
from lightinit.formats.cloud_config.readers.users import GivenUser
from lightinit.host.accounts.grant import Granted, grant_doas, has_program, include_folder
from lightinit.host.accounts.privileges import (
    GIVEN_FILE,
    SUDO,
    SUDOERS_FOLDER,
    check_rules,
    edit_rules,
)
from lightinit.host.system import System


def grant_given(system: System, users: Sequence[GivenUser], warnings: List[str]) -> List[str]:
    """Give accounts the rights that a cloud-config wants for them.

    Args:
        system: the machine.
        users: the accounts; they exist.
        warnings: gets each rule that is left out, and why.

    Returns:
        The names of the accounts of which a rule for sudo is in force, or its counterpart for doas.
    """
    for_sudo = [(user.name, rule) for user in users for rule in user.sudo or ()]
    for_doas = [(user.name, rule) for user in users for rule in user.doas]
    kept: Sequence[Rule] = []
    if for_sudo and has_program(system, "doas") and not has_program(system, "sudo"):
        for user, rule in for_sudo:
            line = given_rules.as_doas_rule(user, rule)
            if line is None:
                warnings.append(_left_out(user, "sudo", "only doas is installed, write `doas`"))
            else:
                for_doas.append((user, line))
                kept = [*kept, (user, line)]
    elif for_sudo:
        kept = _put_sudo_rules(system, for_sudo, warnings)
    if for_doas:
        _put_doas_rules(system, for_doas, warnings)
    return list(dict.fromkeys(user for user, _ in kept))


def _left_out(user: str, program: str, why: object) -> str:
    return "a rule of %s for %s is left out: %s" % (user, program, why)


def _put_sudo_rules(system: System, wanted: Sequence[Rule], warnings: List[str]) -> Sequence[Rule]:
    usable = []
    is_checked = system.tool("visudo") is not None
    for user, rule in wanted:
        why = given_rules.why_not_one_line(rule)
        if not why and not is_checked and not given_rules.is_plain(rule):
            why = "there is no visudo to check it, and it is no plain one"
        if why:
            warnings.append(_left_out(user, "sudo", why))
        else:
            usable.append((user, rule))
    if not usable:
        return []
    if not has_program(system, "sudo"):
        warnings.append("sudo is not installed; when it is, it reads the rules in %s" % GIVEN_FILE)
    try:
        if not system.exists(SUDOERS_FOLDER):
            system.make_dir(SUDOERS_FOLDER, 0o750)
        kept = _keep_what_passes(system, usable, warnings)
        if not kept:
            return []
        granted = Granted()
        include_folder(
            system,
            partial(rules.includes_folder, folder=SUDOERS_FOLDER),
            partial(rules.add_include, folder=SUDOERS_FOLDER),
            granted,
        )
        warnings += granted.warnings
    except ProvisioningError as error:
        warnings.append("rules for sudo are not in force: %s" % error)
        return []
    return kept


def _keep_what_passes(
    system: System, wanted: Sequence[Rule], warnings: List[str]
) -> Sequence[Rule]:
    """Write the rules that visudo accepts. The file is written once, and not if nothing changes."""

    def check(some: Sequence[Rule]) -> str:
        text = given_rules.edit_rules_file("", some, ())
        return _why_not(partial(check_rules, system, GIVEN_FILE, SUDO, text))

    kept = list(wanted)
    if check(wanted):
        kept = []
        for user, rule in wanted:
            why = check([(user, rule)])
            if why:
                warnings.append(_left_out(user, "sudo", why))
            else:
                kept.append((user, rule))
    known = {line.split(":")[0] for line in text_of(system, PASSWD).split("\n")}
    if kept:
        edit = partial(given_rules.edit_rules_file, rules=kept, known_users=known)
        edit_rules(system, GIVEN_FILE, SUDO, edit)
    return kept


def _why_not(put: Callable[[], object]) -> str:
    try:
        put()
    except ProvisioningError as error:
        return str(error)
    return ""


def _put_doas_rules(system: System, wanted: Sequence[Rule], warnings: List[str]) -> None:
    if not has_program(system, "doas"):
        warnings.append("rules for doas are left out: it is not installed; write `sudo`")
        return
    for user, rule in wanted:
        why = given_rules.why_not_one_line(rule)
        if not why and not given_rules.is_doas_rule_of(user, rule):
            why = "it is not `permit` or `deny` with this account's name"
        granted = Granted()
        edit = partial(given_rules.add_doas_rules, lines=[rule])
        why = why or _why_not(partial(grant_doas, system, edit, granted))
        warnings += granted.warnings
        if why:
            warnings.append(_left_out(user, "doas", why))
