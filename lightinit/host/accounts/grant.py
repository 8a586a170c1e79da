"""Gives an account root's rights by a rule for sudo or doas, whichever this host has.

It asks sudo whether the rule is in force, and moves the rule if not. Whether the account can become
root is asked by the login check, after all modules. This file does not know the grammar of the
rules and of the answers: the caller passes in functions for both.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Callable, List, Optional, Sequence

from lightinit.errors import ProvisioningError
from lightinit.host.accounts import effect
from lightinit.host.accounts.privileges import (
    DOAS,
    DOAS_CONF,
    DOAS_FILE,
    SUDO,
    SUDOERS,
    SUDOERS_FILE,
    SUDOERS_FOLDER,
    RuleKind,
    edit_own_rules,
    edit_rules,
    read_rules,
)
from lightinit.host.accounts.tools import has_tool
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.accounts")
FAULTY = "privilege rules"  # how the reasons begin that are about what is in a file
Edit = Callable[[str], str]
EditFile = Callable[[System, str, RuleKind, Edit], bool]
# Takes an answer, and whether the user can answer a password prompt. Returns why the user cannot
# become root; "" if the user can; None if the text is not an answer.
Judge = Callable[[str, bool], Optional[str]]


class SudoRules(NamedTuple):
    """The sudo rules of one account, as functions that edit and check files.

    Attributes:
        own_file: edits of the file in sudoers.d, best first. A sudo that does not know all settings
            refuses the first ones; the last edit uses no settings.
        at_end: the same number of edits of the main file, which put the rule at its end.
        is_at_end: whether the main file has such a rule.
        includes: whether the main file includes the folder sudoers.d.
        add_include: adds the include to the main file.
        ask: asks sudo what the account may do.
        judge: evaluates sudo's answer.
        asks: whether sudo is to ask for the password.
    """

    own_file: Sequence[Edit]
    at_end: Sequence[Edit]
    is_at_end: Callable[[str], bool]
    includes: Callable[[str], bool]
    add_include: Edit
    ask: Callable[[], effect.ToolAnswer]
    judge: Judge
    asks: bool


class Granted:
    """The result of :func:`grant`.

    Attributes:
        done: the changes, in words.
        warnings: the warnings for the operator.
    """

    def __init__(self) -> None:
        self.done: List[str] = []
        self.warnings: List[str] = []


def grant(system: System, user: str, sudo: SudoRules, doas: Edit) -> Granted:
    """Write the rule for the installed program.

    If neither sudo nor doas is installed, the rule goes into the configuration file that exists.

    Args:
        system: the machine.
        user: the account's name, for messages.
        sudo: its rules for sudo.
        doas: puts its rule for doas at the end of a file.

    Raises:
        ProvisioningError: a file cannot be read or written, or the program rejects the rule.
    """
    granted = Granted()
    for is_there in (partial(has_program, system), partial(_has_rules, system)):
        if is_there("sudo"):
            _grant_sudo(system, user, sudo, granted)
            return granted
        if is_there("doas"):
            grant_doas(system, doas, granted)
            return granted
    return granted


def has_program(system: System, tool: str) -> bool:
    """Whether a program is installed. If doas is installed, a sudo without a sudoers file does not
    count: it is a wrapper of doas.
    """
    if tool == "sudo" and has_tool(system, "doas"):
        return has_tool(system, tool) and any(system.exists(path) for path in SUDOERS)
    return has_tool(system, tool)


def _has_rules(system: System, tool: str) -> bool:
    """Whether a program's rule file exists. The file may be left over from a removed program."""
    return system.exists({"sudo": SUDOERS[0], "doas": DOAS_CONF}[tool])


# -- sudo
# --------------------------------------------------------------------------------------------------


def _grant_sudo(system: System, user: str, rules: SudoRules, granted: Granted) -> None:
    failure = _put_own_file(system, rules, granted)
    main = next((path for path in SUDOERS if system.exists(path)), None)
    if main is None:
        granted.warnings.append(
            "sudo has no sudoers file, so its rule in %s may not be read" % SUDOERS_FILE
        )
    elif failure is not None or rules.includes(read_rules(system, main)):
        pass
    elif main != SUDOERS[0]:
        granted.warnings.append(
            "%s does not include %s, so the rule there is not read" % (main, SUDOERS_FOLDER)
        )
    else:
        _add_include(system, rules.add_include, granted)
    if system.tool("sudo") is not None:
        _see_that_it_wins(system, user, rules, main == SUDOERS[0], granted)
    is_faulty = failure is not None and failure.reason.startswith(FAULTY)
    if failure is not None and is_faulty and rules.judge(rules.ask().text, rules.asks) != "":
        raise failure


def _put_own_file(
    system: System, rules: SudoRules, granted: Granted
) -> Optional[ProvisioningError]:
    """Write the rule into the folder. Returns the error if that is not possible.

    The folder may be read-only, or something else in its place. That alone costs no VM: the rule
    can be in the main file, or the image's own rule may be enough.
    """
    try:
        if not system.exists(SUDOERS_FOLDER):
            system.make_dir(SUDOERS_FOLDER, 0o750)
        if _put_sudo_rule(system, rules.own_file):
            granted.done.append("sudo rule")
    except ProvisioningError as error:
        granted.warnings.append(_left(error, SUDOERS_FILE))
        return error
    return None


def _put_sudo_rule(system: System, edits: Sequence[Edit]) -> bool:
    """Write the first rule that visudo accepts. Returns whether the file was changed."""
    for edit in edits[:-1]:
        try:
            return edit_own_rules(system, SUDOERS_FILE, SUDO, edit)
        except ProvisioningError as error:
            LOG.debug("visudo does not accept a rule: %s", error)
    return edit_own_rules(system, SUDOERS_FILE, SUDO, edits[-1])


def _add_include(system: System, add_include: Edit, granted: Granted) -> None:
    # Whether it matters if the file cannot be written, sudo is asked later.
    if _edit_if_writable(edit_rules, system, SUDOERS[0], SUDO, add_include, granted):
        granted.warnings.append(
            "%s did not include %s; lightinit added that line" % (SUDOERS[0], SUDOERS_FOLDER)
        )
        granted.done.append("include of %s" % SUDOERS_FOLDER)


def include_folder(
    system: System, includes: Callable[[str], bool], add_include: Edit, granted: Granted
) -> None:
    """Make sure that sudo reads the folder sudoers.d, if there is a sudoers file.

    Args:
        system: the machine.
        includes: whether the main file includes the folder.
        add_include: adds that.
        granted: gets what was done, and warnings.

    Raises:
        ProvisioningError: the main file cannot be read, or is faulty.
    """
    if system.exists(SUDOERS[0]) and not includes(read_rules(system, SUDOERS[0])):
        _add_include(system, add_include, granted)


def _edit_if_writable(
    edit_file: EditFile, system: System, path: str, kind: RuleKind, edit: Edit, granted: Granted
) -> bool:
    """Edit a file with rules. Returns whether it was changed. If it cannot be written, such as a
    link into a read-only store, there is a warning.
    """
    try:
        return edit_file(system, path, kind, edit)
    except ProvisioningError as error:
        if error.reason.startswith(FAULTY):
            raise
        granted.warnings.append(_left(error, path))
    return False


def _put_at_end(system: System, edits: Sequence[Edit], granted: Granted) -> bool:
    """Apply the first edit that visudo accepts. Returns whether the main file was changed.

    lightinit's own file already has the rule, so a failure is only a warning.
    """
    failure = None
    for edit in edits:
        try:
            return edit_rules(system, SUDOERS[0], SUDO, edit)
        except ProvisioningError as error:
            failure = error
    granted.warnings.append(_left(failure, SUDOERS[0]))
    return False


def _left(error: Optional[ProvisioningError], path: str) -> str:
    return "%s is left as it is: %s" % (path, error)


def _see_that_it_wins(
    system: System, user: str, rules: SudoRules, has_main: bool, granted: Granted
) -> None:
    """Ask sudo what the user may do. If another rule overrides ours, put ours at the end of the
    main file, after everything that it includes.
    """
    stale = has_main and rules.is_at_end(read_rules(system, SUDOERS[0]))
    why = rules.judge(rules.ask().text, rules.asks)
    if has_main and (stale or why != "") and _put_at_end(system, rules.at_end, granted):
        LOG.info("%s: %s; the rule is now at the end of %s", user, why or "-", SUDOERS[0])
        granted.done.append("sudo rule at the end of %s" % SUDOERS[0])


# -- doas
# --------------------------------------------------------------------------------------------------


def grant_doas(system: System, edit: Edit, granted: Granted) -> None:
    """Put the rule at the end of each file that doas may read last.

    The kinds of doas read different files, see ``effect.doas_orders``.
    """
    places = [DOAS_CONF]
    written = False
    if effect.has_doas_folder(system):
        written = _edit_if_writable(edit_own_rules, system, DOAS_FILE, DOAS, edit, granted)
        places += effect.doas_folder_files(system)[-1:]
    for place in places:
        written |= _edit_if_writable(edit_rules, system, place, DOAS, edit, granted)
    if written:
        granted.done.append("doas rule")
