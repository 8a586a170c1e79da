"""Give an account root's rights, by a rule of sudo or doas, whichever this host has.

The grammar of the rules is not known here; the caller passes the edits in.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, List, Sequence

from lightinit.errors import ProvisioningError
from lightinit.host.accounts.privileges import (
    DOAS,
    DOAS_CONF,
    DOAS_FILE,
    DOAS_FOLDER,
    SUDO,
    SUDOERS,
    SUDOERS_FILE,
    SUDOERS_FOLDER,
    edit_rules,
    read_rules,
)
from lightinit.host.accounts.tools import has_tool
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.accounts")
Edit = Callable[[str], str]


@dataclass(frozen=True)
class Rules:
    """The rules of one account, as edits of the files that get them.

    Attributes:
        sudo: edits of the file in sudoers.d, best first. A sudo that does not know every setting
            refuses the first ones; the last one is as plain as can be.
        doas: an edit of doas' file.
        includes: whether a sudoers file includes the folder sudoers.d.
        add_include: adds that.
    """

    sudo: Sequence[Edit]
    doas: Edit
    includes: Callable[[str], bool]
    add_include: Edit


@dataclass
class Granted:
    """What was done.

    Attributes:
        done: each change, in words.
        warnings: what an operator should know.
    """

    done: List[str] = field(default_factory=list)
    warnings: List[str] = field(default_factory=list)


def grant(system: System, user: str, rules: Rules) -> Granted:
    """Write the rule for the program that is installed.

    If neither sudo nor doas is installed, the file of one shows which one was, or will be.

    Args:
        system: the machine.
        user: the account, for messages.
        rules: its rules.

    Raises:
        ProvisioningError: a file cannot be read or written, or the program finds a fault in the
            rule.
    """
    granted = Granted()
    for is_there in (partial(has_tool, system), partial(_has_rules, system)):
        if is_there("sudo"):
            _grant_sudo(system, rules, granted)
            path = SUDOERS_FILE
        elif is_there("doas"):
            path = DOAS_FILE if system.is_dir(DOAS_FOLDER) else DOAS_CONF
            if edit_rules(system, path, DOAS, rules.doas):
                granted.done.append("doas rule")
        else:
            continue
        if not has_tool(system, "sudo") and not has_tool(system, "doas"):
            granted.warnings.append(
                "%s cannot become root until sudo or doas is installed; the rule is in %s"
                % (user, path)
            )
        return granted
    granted.warnings.append("%s cannot become root: neither sudo nor doas is installed" % user)
    return granted


def _has_rules(system: System, tool: str) -> bool:
    """Whether the file of a program's rules exists. It stays when the program is removed."""
    return system.exists({"sudo": SUDOERS[0], "doas": DOAS_CONF}[tool])


def _grant_sudo(system: System, rules: Rules, granted: Granted) -> None:
    if not system.exists(SUDOERS_FOLDER):
        system.make_dir(SUDOERS_FOLDER, 0o750)
    if _put_sudo_rule(system, rules.sudo):
        granted.done.append("sudo rule")
    main = next((path for path in SUDOERS if system.exists(path)), None)
    if main is None:
        granted.warnings.append(
            "sudo has no sudoers file, so its rule in %s may not be read" % SUDOERS_FILE
        )
    elif rules.includes(read_rules(system, main)):
        pass
    elif main != SUDOERS[0]:
        granted.warnings.append(
            "%s does not include %s, so the rule there is not read" % (main, SUDOERS_FOLDER)
        )
    else:
        edit_rules(system, main, SUDO, rules.add_include)
        granted.warnings.append(
            "%s did not include %s; lightinit added that line" % (main, SUDOERS_FOLDER)
        )
        granted.done.append("include of %s" % SUDOERS_FOLDER)


def _put_sudo_rule(system: System, edits: Sequence[Edit]) -> bool:
    """Write the first rule that visudo accepts; returns whether the file has changed."""
    for edit in edits[:-1]:
        try:
            return edit_rules(system, SUDOERS_FILE, SUDO, edit)
        except ProvisioningError as error:
            LOG.debug("visudo does not accept a rule: %s", error)
    return edit_rules(system, SUDOERS_FILE, SUDO, edits[-1])
