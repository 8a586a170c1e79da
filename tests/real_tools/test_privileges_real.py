"""Whether the admin becomes root by this machine's own sudo and doas, whatever other rules there
are.

Each test runs tests/real_tools/namespaced/privileges.py, as test_users_real.py does it.
"""

from __future__ import annotations

from typing import Any, Dict

from tests.lib.namespaced import run_scenario
from tests.real_tools.namespaced.privileges import (
    OTHER_DOAS_RULES,
    OTHER_RULES,
    STRANGE_NAMES,
    UNWRITABLE,
)


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
    assert "a password is required" in uid and len(warnings) == 2
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
