"""access.conf: who is let in from where. What pam_access itself does is in tests/real_tools."""

from __future__ import annotations

from typing import Optional

import pytest

from lightinit.formats.pam.access import AccessRules, Visitor, judge_access

BOB = Visitor("bob", ("bob", "adm"), "192.0.2.1")


@pytest.mark.parametrize(
    "text, allowed, depends",
    [
        ("", None, False),
        ("# - : ALL : ALL\n\n", None, False),
        ("- : ALL : ALL\n", False, False),
        ("-:ALL EXCEPT bob:ALL\n", None, False),
        ("-:ALL EXCEPT root adm:ALL\n", None, False),
        ("-:ALL EXCEPT root:ALL\n", False, False),
        ("+:adm:ALL\n-:ALL:ALL\n", True, False),
        ("+:(adm):ALL\n-:ALL:ALL\n", True, False),
        ("+:(wheel):ALL\n-:ALL:ALL\n", False, False),
        ("+:bob:LOCAL tty1 cron\n-:ALL:ALL\n", False, False),
        ("+:bob:10.0.0.0/8\n-:ALL:ALL\n", False, True),
        ("+:bob:192.0.2.0/24\n-:ALL:ALL\n", True, False),
        ("+:bob:192.0.2.\n-:ALL:ALL\n", True, False),
        ("+:bob:corp.example\n-:ALL:ALL\n", False, True),
        ("+:eve:10.0.0.0/8\n-:ALL:ALL\n", False, False),
        ("+:@admins:ALL\n-:ALL:ALL\n", False, True),
        ("-:bob:10.0.0.0/8\n", None, True),
        ("-:ALL:ALL EXCEPT LOCAL\n", False, False),
        ("-:ALL:ALL EXCEPT 192.0.2.0/24\n", None, True),
        ("nonsense\n-:bob\n*:bob:ALL\n", None, False),
        ("+:2001:db8::1:ALL\n-:ALL:ALL\n", False, False),
    ],
)
def test_the_first_line_that_names_user_and_origin_counts(
    text: str, allowed: Optional[bool], depends: bool
) -> None:
    found = judge_access(text, BOB)
    assert (found.allowed, found.depends) == (allowed, depends)


def test_the_modules_arguments_change_how_it_is_read() -> None:
    rules = AccessRules("|", ",", plain_groups=False)
    assert judge_access("+|adm|ALL\n-|ALL|ALL\n", BOB, rules).allowed is False
    assert judge_access("+|eve,bob|ALL\n-|ALL|ALL\n", BOB, rules).allowed is True
