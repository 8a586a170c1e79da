"""The rules of sudo and doas, as text."""

from __future__ import annotations

from typing import Optional, Sequence

import pytest

from lightinit.formats.accounts import privileges


@pytest.mark.parametrize(
    "user, password, rule",
    [
        ("bob", False, "bob ALL=(ALL:ALL) NOPASSWD:ALL"),
        ("bob", True, "bob ALL=(ALL:ALL) ALL"),
        ("ALL", False, '"ALL" ALL=(ALL:ALL) NOPASSWD:ALL'),
        ("ADMINS", False, '"ADMINS" ALL=(ALL:ALL) NOPASSWD:ALL'),
        ("Defaults", True, '"Defaults" ALL=(ALL:ALL) ALL'),
        ("User_Alias", True, '"User_Alias" ALL=(ALL:ALL) ALL'),
        ("Bob", False, '"Bob" ALL=(ALL:ALL) NOPASSWD:ALL'),
        ("sudoedit", False, '"sudoedit" ALL=(ALL:ALL) NOPASSWD:ALL'),
        ("sha256", False, '"sha256" ALL=(ALL:ALL) NOPASSWD:ALL'),
        ("1.2.3.4", False, '"1.2.3.4" ALL=(ALL:ALL) NOPASSWD:ALL'),
        ("_a-1", False, "_a-1 ALL=(ALL:ALL) NOPASSWD:ALL"),
    ],
)
def test_a_sudo_rule(user: str, password: bool, rule: str) -> None:
    assert privileges.sudoers_rule(user, password) == rule


OWN = "Defaults:%s !targetpw, !rootpw, !runaspw\n"


@pytest.mark.parametrize(
    "own, line",
    [
        (privileges.OWN_PASSWORD[0], OWN % "bob"),
        (privileges.OWN_PASSWORD[1], "Defaults:bob !targetpw, !rootpw\n"),
        ((), ""),
    ],
)
def test_the_users_own_password_is_asked_for(own: Sequence[str], line: str) -> None:
    text = privileges.edit_sudoers_file("", "bob", True, ["bob"], own)
    assert text == privileges.HEADER + line + "bob ALL=(ALL:ALL) ALL\n"
    both = privileges.edit_sudoers_file(text, "ann", False, ["ann", "bob"])
    assert both == text + "ann ALL=(ALL:ALL) NOPASSWD:ALL\n"
    assert (
        privileges.edit_sudoers_file(both, "bob", False, ["ann", "bob"])
        == privileges.HEADER + "ann ALL=(ALL:ALL) NOPASSWD:ALL\nbob ALL=(ALL:ALL) NOPASSWD:ALL\n"
    )
    assert (
        privileges.edit_sudoers_file(both, "ann", False, ["ann"])
        == privileges.HEADER + "ann ALL=(ALL:ALL) NOPASSWD:ALL\n"
    )


def test_the_rules_of_other_admins_stay_as_long_as_they_exist() -> None:
    text = privileges.edit_sudoers_file("", "ann", False, ["ann"])
    text = privileges.edit_sudoers_file(text, "EVE", True, ["ann", "EVE"])
    text = privileges.edit_sudoers_file(text, "bob", False, ["ann", "bob", "EVE"])
    assert text.split("\n")[1:] == [
        "ann ALL=(ALL:ALL) NOPASSWD:ALL",
        'Defaults:"EVE" !targetpw, !rootpw, !runaspw',
        '"EVE" ALL=(ALL:ALL) ALL',
        "bob ALL=(ALL:ALL) NOPASSWD:ALL",
        "",
    ]
    assert privileges.edit_sudoers_file(text, "bob", False, ["ann", "bob", "EVE"]) == text
    text = privileges.edit_sudoers_file(text + "rubbish ((\n", "bob", True, ["bob"])
    assert text == privileges.HEADER + OWN % "bob" + "bob ALL=(ALL:ALL) ALL\n"


def test_every_form_of_an_own_line_is_known() -> None:
    """Earlier versions wrote some names without quotes."""
    for line in (
        "a ALL=(ALL:ALL) NOPASSWD:ALL",
        '"a" ALL=(ALL:ALL) ALL',
        "Defaults:a !targetpw, !rootpw, !runaspw",
        'Defaults:"a" !targetpw, !rootpw',
    ):
        assert line in privileges.sudoers_lines("a")
        assert privileges.has_rule("#\n%s\n" % line, "a")
        assert not privileges.has_rule(line, "b")


@pytest.mark.parametrize(
    "before, after",
    [
        ("", privileges.HEADER),
        ("x ALL=ALL", "x ALL=ALL\n" + privileges.HEADER),
        ("bob ALL=(ALL:ALL) ALL\nx ALL=ALL\n\n", "x ALL=ALL\n" + privileges.HEADER),
        (
            privileges.HEADER + "ann ALL=(ALL:ALL) ALL\n" + OWN % "bob",
            privileges.HEADER + "ann ALL=(ALL:ALL) ALL\n",
        ),
    ],
)
def test_a_rule_at_the_end_of_the_main_file(before: str, after: str) -> None:
    text = privileges.edit_sudoers_end(before, "bob", False)
    assert text == after + "bob ALL=(ALL:ALL) NOPASSWD:ALL\n"
    assert privileges.edit_sudoers_end(text, "bob", False) == text
    asks = privileges.edit_sudoers_end(text, "bob", True)
    assert asks == after + OWN % "bob" + "bob ALL=(ALL:ALL) ALL\n"
    assert privileges.edit_sudoers_end(asks, "bob", False) == text


@pytest.mark.parametrize(
    "answer, password, why",
    [
        ("permit nopass\n", False, ""),
        ("permit nopass\n", True, ""),
        ("permit\n", True, ""),
        ("permit\n", False, "doas asks for a password"),
        ("deny\n", True, "doas forbids it"),
        ("", True, None),
        ("permit all", False, None),
    ],
)
def test_the_answer_of_doas(answer: str, password: bool, why: Optional[str]) -> None:
    assert privileges.judge_doas(answer, password) == why


@pytest.mark.parametrize(
    "line, yes",
    [
        ("@includedir /etc/sudoers.d", True),
        ("#includedir /etc/sudoers.d", True),
        (" #includedir /etc/sudoers.d/ ", True),
        ('@includedir "/etc/sudoers.d"', True),
        ("# includedir /etc/sudoers.d", False),
        ("##includedir /etc/sudoers.d", False),
        ("#includedir /etc/sudoers.d.old", False),
        ("@include /etc/sudoers.d", False),
        ("", False),
    ],
)
def test_an_include_is_seen(line: str, yes: bool) -> None:
    text = "Defaults env_reset\n%s\nroot ALL=(ALL) ALL" % line
    assert privileges.includes_folder(text, "/etc/sudoers.d") is yes
    added = privileges.add_include(text, "/etc/sudoers.d")
    assert added == text + "\n#includedir /etc/sudoers.d\n"
    assert privileges.includes_folder(added, "/etc/sudoers.d")


@pytest.mark.parametrize(
    "before, after",
    [
        ("", 'permit nopass "bob"\n'),
        ("permit :wheel", 'permit :wheel\npermit nopass "bob"\n'),
        ('permit "bob"\ndeny eve\n\n', 'deny eve\npermit nopass "bob"\n'),
        ('permit nopass "bob"\n', 'permit nopass "bob"\n'),
        ("permit nopass bob cmd reboot\n", 'permit nopass bob cmd reboot\npermit nopass "bob"\n'),
    ],
)
def test_doas_conf(before: str, after: str) -> None:
    assert privileges.edit_doas_conf(before, "bob", False) == after
    assert privileges.edit_doas_conf(after, "bob", False) == after
