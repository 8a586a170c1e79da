"""The account files, sudoers and doas.conf without one account; everything else stays, byte for
byte.
"""

from __future__ import annotations

from typing import List

import pytest

from lightinit.formats.accounts.passwd import Account
from lightinit.formats.accounts.privileges import (
    HEADER,
    OWN_PASSWORD,
    edit_doas_conf,
    edit_sudoers_end,
    edit_sudoers_file,
)
from lightinit.formats.accounts.removal import (
    drop_doas_rule,
    drop_lines,
    drop_member,
    drop_sudoers_rule,
    homes_of_others,
    own_group_goes,
)

BOB = Account("bob", 1000, 1000, "/home/bob", "/bin/sh")


@pytest.mark.parametrize(
    "before, after",
    [
        ("root:x:0\nbob:x:1\nbobby:x:2\n", "root:x:0\nbobby:x:2\n"),
        ("root:x:0\nbob:x:1", "root:x:0\n"),
        ("#bob:x\n\n+bob::\nbob\n", "#bob:x\n\n+bob::\n"),
        ("a:\udcff\r\nbob:1\r\n", "a:\udcff\r\n"),
        ("", ""),
    ],
)
def test_lines(before: str, after: str) -> None:
    assert drop_lines(before, "bob") == after


@pytest.mark.parametrize(
    "before, after",
    [
        ("adm:x:4:syslog,bob\nsudo:x:27:bob\n", "adm:x:4:syslog\nsudo:x:27:\n"),
        ("adm:x:4:bob,syslog\nx:x:5:bobby,a-bob\n", "adm:x:4:syslog\nx:x:5:bobby,a-bob\n"),
        ("wheel:!:bob,eve:eve,bob\n", "wheel:!:eve:eve\n"),
        ("bob:x:1000:\nodd line\nshort:x\n", "bob:x:1000:\nodd line\nshort:x\n"),
    ],
)
def test_members(before: str, after: str) -> None:
    assert drop_member(before, "bob") == after


@pytest.mark.parametrize(
    "passwd, group, goes",
    [
        ("bob:x:1000:1000::/:/\n", "bob:x:1000:\n", True),
        ("bob:x:1000:1000::/:/\n", "bob:x:1000:bob\n", True),
        ("", "bob:x:1000:\n", True),
        ("eve:x:1001:1000::/:/\n", "bob:x:1000:\n", False),
        ("", "bob:x:1000:eve\n", False),
        ("", "bob:x:1001:\n", False),
        ("", "users:x:1000:\n", False),
    ],
)
def test_the_group_of_the_same_name(passwd: str, group: str, goes: bool) -> None:
    assert own_group_goes(passwd, group, BOB) == goes


@pytest.mark.parametrize(
    "home, others",
    [
        ("/home/bob", ["eve"]),
        ("/home/bob/", ["eve"]),
        ("/home/bob/inner", ["eve"]),
        ("/home/bobby", []),
        ("/home", []),
        ("/", []),
        ("", []),
    ],
)
def test_homes_of_others(home: str, others: List[str]) -> None:
    line = "bob:x:1:1::/home/bob:/bin/sh\neve:x:2:2::%s:/bin/sh\n"
    assert homes_of_others(line % home, BOB) == others


@pytest.mark.parametrize("name", ["bob", "ALL", "Defaults"])
@pytest.mark.parametrize("password", [True, False])
def test_our_rule_goes_and_others_stay(name: str, password: bool) -> None:
    only = edit_sudoers_file("", name, password, ())
    assert drop_sudoers_rule(only, name) == ""
    both = edit_sudoers_file(only, "carol", True, (name,))
    carols = "Defaults:carol !targetpw, !rootpw, !runaspw\ncarol ALL=(ALL:ALL) ALL\n"
    assert drop_sudoers_rule(both, name) == HEADER + carols
    for own in OWN_PASSWORD:
        assert drop_sudoers_rule(edit_sudoers_file("", name, password, (), own), name) == ""
    assert drop_sudoers_rule(only + "# a comment\n", name) == HEADER + "# a comment\n"
    main = "root ALL=(ALL) ALL\n@includedir /etc/sudoers.d\n"
    assert drop_sudoers_rule(edit_sudoers_end(main, name, password), name) == main
    doas = "permit eve\n" + edit_doas_conf("", name, password)
    assert drop_doas_rule(doas, name) == "permit eve\n"


def test_without_a_rule_nothing_changes() -> None:
    for text in ("", HEADER, "eve ALL=(ALL:ALL) ALL\n", "bob ALL=(ALL) ALL\n"):
        assert drop_sudoers_rule(text, "bob") == text
        assert drop_doas_rule(text, "bob") == text
