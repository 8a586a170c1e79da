"""Whether the admin becomes root by this machine's own sudo and doas, whatever other rules there
are.

Each test runs tests/real_tools/namespaced/privileges.py, as test_users_real.py does it.
"""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tests.lib.namespaced import run_scenario
from tests.real_tools.namespaced.privileges import (
    OTHER_DOAS_RULES,
    OTHER_RULES,
    STRANGE_NAMES,
    UNWRITABLE,
)
from tests.real_tools.namespaced.root_rights import DOAS_CASES, SUDO_CASES

pytestmark = pytest.mark.long


def seen_by(scenario: str, *tools: str) -> Dict[str, Any]:
    return run_scenario("privileges.py", scenario, *tools)


def test_the_rule_of_the_admin_wins() -> None:
    """R1: flyingcircusio/fc-nixos#39."""
    seen = seen_by("sudo_rules", "useradd", "sudo", "visudo")
    assert set(seen) == set(OTHER_RULES)
    added = seen.pop("no include")
    assert added[0] == ["/etc/sudoers did not include /etc/sudoers.d; lightinit added that line"]
    seen["no include"] = [[]] + added[1:]
    for name, (warnings, uid, same, check) in seen.items():
        assert (warnings, uid, same, check) == ([], "0", True, ""), name


def test_a_rule_that_cannot_win_is_told() -> None:
    """R1. Where a prompt can be answered, nothing has to be told."""
    seen = seen_by("sudo_that_cannot_be_reached", "useradd", "sudo", "visudo", "chpasswd")
    warnings, uid = seen["read-only"]
    assert "a password is required" in uid and len(warnings) == 2, "one of each"
    assert warnings[0].startswith("/etc/sudoers is left as it is: file cannot be written")
    assert warnings[1].startswith(
        "bob may not be able to become root: a rule asks for a password: (ALL"
    )
    assert "sudo -l -U bob" in warnings[1]
    assert seen["with a password"] == [[]]
    # sudo does not answer: the rule goes to the end all the same.
    warnings, last = seen["requiretty"]
    assert "you must have a tty" in warnings[0] and last == "bob ALL=(ALL:ALL) NOPASSWD:ALL"
    warnings, uid = seen["root_sudo"]
    assert "root is not allowed to sudo" in warnings[0] and uid == "0"
    assert seen["faulty"][1] == "this is ((( no rule"


def test_rules_that_cannot_be_written_cost_no_vm() -> None:
    """R1: an image with a read-only sudoers.d, as from a store. The rule goes to the main file; or
    the image's own rule is enough; or a warning says that the admin may not become root.
    """
    seen = seen_by("unwritable", "useradd", "sudo", "visudo", "doas")
    assert set(seen) == set(UNWRITABLE) | {"doas", "doas: enough"}
    for name in ("the main file can", "a file", "a dangling link"):
        warnings, uid = seen[name]
        assert uid.split("\n")[-1] == "0" and len(warnings) == 1, name
        assert warnings[0].startswith("/etc/sudoers.d/zz-lightinit-users is left as it is: "), name
    for name in ("the image's rule is enough", "a store without an include"):
        warnings, uid = seen[name]
        assert uid == "0" and len(warnings) == 1, name
    warnings, said = seen["nothing can"]
    assert "a password is required" in said and len(warnings) == 3
    assert warnings[2].startswith("bob may not be able to become root: a rule asks for a password")
    warnings, said = seen["doas"]
    assert said != "0" and warnings[0].startswith("/etc/doas.conf is left as it is: ")
    assert warnings[1].startswith("bob may not be able to become root: doas asks for a password")
    warnings, said = seen["doas: enough"]
    assert said == "0" and len(warnings) == 1


def test_sudo_asks_for_the_admins_own_password_or_that_is_told() -> None:
    """R1, with a password."""
    seen = seen_by("own_password_wins", "useradd", "sudo", "visudo", "chpasswd")
    assert seen["Defaults targetpw"] == [[], "0"]
    warnings, said = seen["Defaults!ALL rootpw"]
    assert "asks for a password that is not the user's own: rootpw" in warnings[0]
    assert "incorrect password" in said


def test_files_of_an_earlier_version_are_replaced() -> None:
    """R1 and R2."""
    seen = seen_by("former_names", "useradd", "sudo", "visudo", "doas")
    assert (seen["sudo"], seen["doas"], seen["ann"]) == ([], [], "0")
    assert list(seen["sudo files"]) == ["zz-lightinit-users"]
    text = seen["sudo files"]["zz-lightinit-users"]
    assert [line.split()[0] for line in text.split("\n")[1:-1]] == ["ann", "bob"]
    assert seen["doas files"] == {"zz-lightinit.conf": 'permit nopass "ann"\npermit nopass "bob"\n'}


def test_the_rule_of_doas_wins_whichever_files_it_reads() -> None:
    """R2: alpinelinux/aports main/doas."""
    seen = seen_by("doas_rules", "useradd", "doas")
    assert "said=doas: syntax error" in seen.pop("faulty")[0]
    assert set(seen) == set(OTHER_DOAS_RULES)
    for name, (warnings, uids, same) in seen.items():
        assert (warnings, set(uids), same) == ([], {"0"}, True), name


def test_names_that_have_a_meaning_in_the_rules() -> None:
    """N5: each is taken, and sudo and doas know the user."""
    seen = seen_by("names", "useradd", "sudo", "visudo", "doas", "chpasswd")
    assert set(seen) == set(STRANGE_NAMES)
    for name, found in seen.items():
        first, sudo, check, asked, asked_check, second, doas = found
        assert (first, asked, second) == ([[]], [[]], [[]]), name
        assert (sudo, check, asked_check, doas) == ("0", "", "", "0"), name


# What the check says, for those who do not become root.
DOUBTS = {
    "a later rule": "a rule asks for a password: (ALL) ALL",
    "forbidden": "a rule forbids every command: (ALL) !ALL",
    "a shell is forbidden": "a rule forbids commands: (ALL) ALL, !/bin/sh",
    "for some days, alone": "no rule lets the user run every command as root",
    "in another root": "a rule runs commands with /run as their root: (ALL) ALL",
    "exempt, but not bob": "a rule asks for a password: (ALL) ALL",
    "for this host": "a rule asks for a password: (ALL) ALL",
    "always asks": "a rule asks for a password: (ALL) ALL",
    "lightinit's rule is gone": "no rule lets the user run every command as root",
    "not setuid": "is not setuid root: look at ls -lL /usr/bin/",
    "not root's": "/usr/bin/sudo is not setuid root",
    "nosuid": "/usr/bin/sudo is on a file system that is mounted nosuid",
    "for a group": "the user may not execute it: look at ls -lL /usr/bin/sudo",
    "others may write to it": "no rule lets the user run every command as root",
    "sudoers of another": "sudo does not say whether bob can become root",
    "denied": "doas forbids it; look at /etc/doas.conf and /etc/doas.d",
    "asks": "doas asks for a password",
    "in another root, by a setting": "with /run as their root (runchroot)",
    "in a directory that is gone": "sudo starts commands in /nowhere, which is no directory",
    "in one that is gone, by a setting": "sudo starts commands in /nowhere, which is no directory",
    "without exec": "lets no command start another one (noexec)",
    "without exec, by a rule": "lets no command start another one (noexec): (ALL) ALL",
    "as nobody by default": "as nobody, not as root (runas_default)",
    "PAM refuses": "PAM's account stage for sudo refuses all (pam_deny)",
    "PAM refuses sudo -i": "PAM's account stage for sudo-i refuses all (pam_deny)",
    "PAM's access": "/etc/security/access.conf refuses it: -:bob:ALL",
    "PAM's access, from a network": "/etc/security/access.conf refuses it: -:ALL:ALL",
    "PAM's time": "it depends on the time of the login: look at time.conf",
    "PAM's group": "pam_succeed_if in PAM's account stage for sudo: user ingroup daemon",
    "PAM's module is gone": "PAM's account stage for sudo asks pam_gone.so, which does not exist",
}
DOAS_DOUBTS = {
    "others may write to it": "doas refuses /etc/doas.conf, which others may write to",
    "not root's": "doas refuses /etc/doas.conf, which is not root's",
    "gone": "doas forbids it",
    "a syntax error": "doas does not say whether bob can become root: doas: syntax error",
    "for one command": "doas forbids it",
    "for another user": "doas forbids it",
    "PAM refuses": "PAM's account stage for doas refuses all (pam_deny)",
}
# With one command forbidden, the others can be run. id is not the forbidden one, and starts none.
BECOME_ROOT = (
    "a shell is forbidden",
    "without exec",
    "without exec, by a rule",
    "PAM refuses sudo -i",
)


def test_what_changed_after_the_account_was_made_is_judged() -> None:
    """R1, after the module users: what an earlier boot did, and later changes. The check says what
    sudo does.
    """
    seen = run_scenario("root_rights.py", "sudo", "useradd", "sudo", "visudo")
    assert set(seen) == set(SUDO_CASES)
    for name, (doubts, becomes_root) in seen.items():
        expected = DOUBTS.get(name)
        assert becomes_root == (expected is None or name in BECOME_ROOT), name
        assert len(doubts) == (0 if expected is None else 1) and (expected or "") in "".join(
            doubts
        ), (name, doubts)


def test_what_changed_for_doas_is_judged() -> None:
    """R2, after the module users."""
    seen = run_scenario("root_rights.py", "doas", "useradd", "doas")
    assert set(seen) == set(DOAS_CASES)
    for name, (doubts, becomes_root) in seen.items():
        expected = DOAS_DOUBTS.get(name, DOUBTS.get(name))
        assert becomes_root == (expected is None), name
        assert len(doubts) == (0 if expected is None else 1) and (expected or "") in "".join(
            doubts
        ), (name, doubts)


def test_one_program_is_enough_and_none_is_told_once() -> None:
    """R1 and R2."""
    seen = run_scenario("root_rights.py", "both", "useradd", "sudo", "visudo", "doas", "chpasswd")
    assert seen["users"] == seen["doas is enough"] == seen["no rights wished"] == []
    assert len(seen["neither is"]) == 1 and "a rule asks for a password" in seen["neither is"][0]
    assert seen["a password wished"] == [
        "privileges = password, but bob has no password and cannot become root: set one"
    ]
    assert seen["with a password"] == seen["a password wished, and there"] == []
    warnings, doubts = seen["none is there"]
    assert warnings == [] and doubts == [
        "bob cannot become root: neither sudo nor doas is installed; when one is, its rule is in"
        " /etc/sudoers.d/zz-lightinit-users"
    ]


def test_sudo_is_asked_again_only_if_something_has_changed() -> None:
    """R1: one answer for the module and the check. An included file counts, too."""
    seen = run_scenario("root_rights.py", "starts", "useradd", "sudo", "visudo")
    assert seen == {"once": [1, 0, 0], "changed in between": [2, 1, 0]}
