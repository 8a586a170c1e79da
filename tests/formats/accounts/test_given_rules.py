"""Rules for sudo and doas that somebody else wrote, and what an account's options may be."""

from __future__ import annotations

from typing import Optional

import pytest

from lightinit.formats.accounts import account_options, given_rules
from lightinit.formats.accounts.given_rules import HEADER


@pytest.mark.parametrize(
    "rule, plain",
    [
        ("ALL=(ALL) NOPASSWD:ALL", True),
        ("ALL=(ALL:ALL) ALL", True),
        ("ALL = (root, www-data : adm) NOPASSWD: SETENV: /usr/bin/id, /bin/ls -l /srv/*", True),
        ("ALL=NOPASSWD:/usr/sbin/service nginx restart", True),
        ("ALL=(", False),
        ("ALL=(ALL) ALL : HOST=ALL", False),
        ("ALL=(ALL) NOPASSWD", False),
        ("ALL=(ALL) nopasswd:ALL", False),
        ("ALL=(ALL) ls", False),
        ("ALL=(ALL) ALL\nroot ALL", False),
        ("", False),
        ("ALL=(ALL) " + "/a" * 600, False),
    ],
)
def test_what_needs_no_visudo(rule: str, plain: bool) -> None:
    assert given_rules.is_plain(rule) is plain


@pytest.mark.parametrize("rule, says", [("a \\", "backslash"), ("a\x07", "control"), ("a", "")])
def test_a_rule_that_would_change_the_next_line(rule: str, says: str) -> None:
    assert says in given_rules.why_not_one_line(rule) and bool(says) == bool(
        given_rules.why_not_one_line(rule)
    )


def test_rules_of_others_stay_while_their_accounts_exist() -> None:
    text = HEADER + 'ada OLD\neve OF-EVE\n"Bob.Smith" OF-BOB\ngone OF-GONE\n'
    edited = given_rules.edit_rules_file(
        text, [("ada", "A"), ("ada", "B"), ("ALL", "C")], {"ada", "eve", "Bob.Smith"}
    )
    assert edited == HEADER + 'eve OF-EVE\n"Bob.Smith" OF-BOB\nada A\nada B\n"ALL" C\n'
    again = [("ada", "A"), ("ada", "B"), ("ALL", "C")]
    assert given_rules.edit_rules_file(edited, again, {"ada", "eve", "Bob.Smith"}) == edited


@pytest.mark.parametrize(
    "rule, line",
    [
        ("ALL=(ALL) NOPASSWD:ALL", 'permit nopass "ada"'),
        ("ALL = (ALL:ALL) NOPASSWD: ALL", 'permit nopass "ada"'),
        ("ALL=(ALL) ALL", 'permit "ada"'),
        ("ALL=(root) /bin/ls", None),
        ("ALL=(ALL) ALL, !/bin/su", None),
    ],
)
def test_the_counterpart_for_doas(rule: str, line: Optional[str]) -> None:
    assert given_rules.as_doas_rule("ada", rule) == line


@pytest.mark.parametrize(
    "rule, is_hers",
    [
        ("permit ada", True),
        ('permit nopass "ada" as root cmd id', True),
        ("deny nolog persist keepenv setenv { A B=c } ada cmd reboot", True),
        ("permit", False),
        ("permit eve", False),
        ("permit :wheel", False),
        ("permit adabella", False),
        ("permit nopass", False),
        ("allow ada", False),
    ],
)
def test_whose_rule_it_is(rule: str, is_hers: bool) -> None:
    assert given_rules.is_doas_rule_of("ada", rule) is is_hers


def test_doas_rules_are_added_once() -> None:
    once = given_rules.add_doas_rules("permit a", ["permit b", "permit a", "permit b"])
    assert once == "permit a\npermit b\n"
    assert given_rules.add_doas_rules(once, ["permit b"]) == once


@pytest.mark.parametrize(
    "text, day",
    [
        ("1970-01-02", 1),
        (" 2032-09-01 ", 22889),
        ("1970-01-01", None),
        ("1960-01-01", None),
        ("2032-13-01", None),
        ("2032-09", None),
        ("tomorrow", None),
        ("9" * 40 + "-1-1", None),
    ],
)
def test_days(text: str, day: Optional[int]) -> None:
    assert account_options.read_day(text) == day
    assert account_options.is_date(text) == (day is not None)


def test_names_of_groups_paths_comments_and_days() -> None:
    for name in ("adm", "100", "_a", "a.b-c", "sys$", "a" * 32):
        assert account_options.is_group_name(name), name
    for name in ("", "-a", "a b", "a:b", "a,b", "a" * 33, "gr\u00fcn", "a\n"):
        assert not account_options.is_group_name(name), name
    assert account_options.is_path("/srv/a") and account_options.is_comment("Ada L., \u00fc")
    for path in ("", "/", "a", "/a/../b", "/a:b", "/a\nb", "//."):
        assert not account_options.is_path(path), path
    assert account_options.is_days("5") and account_options.is_days("-1")
    assert not account_options.is_days("-2") and not account_options.is_days("x")
