"""passwd, group and shadow, as text."""

from __future__ import annotations

from typing import Optional

import pytest

from lightinit.formats.accounts import passwd

PASSWD = (
    "root:x:0:0:root:/root:/bin/bash\nbob:x:1000:1000:Bob,,,:/home/bob:/bin/sh\nbad:x:y:1::/:\n"
)


def test_an_account_is_found() -> None:
    assert passwd.find_account(PASSWD, "bob") == passwd.Account(
        "bob", 1000, 1000, "/home/bob", "/bin/sh"
    )
    assert passwd.find_account(PASSWD, "bo") is None
    assert passwd.find_account(PASSWD, "bad") is None


@pytest.mark.parametrize(
    "shell, yes",
    [
        ("/bin/sh", True),
        ("/usr/sbin/nologin", False),
        ("/bin/false", False),
        ("/bin/sync", False),
        ("/sbin/halt", False),
        ("/sbin/shutdown", False),
    ],
)
def test_a_shell_that_lets_nobody_in(shell: str, yes: bool) -> None:
    assert passwd.Account("x", 1, 1, "/", shell).can_log_in is yes


@pytest.mark.parametrize(
    "field, yes",
    [
        ("$6$salt$hash", True),
        ("$y$j9T$salt$hash", True),
        ("$2b$12$hash", True),
        ("$1$a$b", True),
        ("abJnggxhB/yWI", True),
        ("_J9..CCCCXBrJUJV154M", True),
        ("", False),
        (None, False),
        ("*", False),
        ("!", False),
        ("!!", False),
        ("!*", False),
        ("x", False),
        ("*LK*", False),
        ("*NP*", False),
        ("NP", False),
        ("!$6$salt$hash", False),
        ("LOCKED", False),
        ("$6$", False),
    ],
)
def test_what_a_password_field_opens(field: Optional[str], yes: bool) -> None:
    assert passwd.is_password_hash(field) is yes


GROUP = "root:x:0:\nadm:x:4:syslog,bob\nbob:x:1000:\n"


def test_groups() -> None:
    assert passwd.find_group(GROUP, "adm") == 4
    assert passwd.find_group(GROUP, "ad") is None
    assert passwd.list_groups(GROUP, "bob") == ["adm"]
    assert passwd.used_ids(GROUP + "+:::\nx:y\n") == {0, 4, 1000}


@pytest.mark.parametrize(
    "group, after",
    [
        ("adm", GROUP),
        ("root", GROUP.replace("root:x:0:", "root:x:0:bob")),
        ("none", GROUP),
        ("bob", GROUP + ""),
    ],
)
def test_members_are_added_once(group: str, after: str) -> None:
    if group == "bob":
        after = GROUP.replace("bob:x:1000:", "bob:x:1000:bob")
    assert passwd.add_member(GROUP, group, "bob") == after
    assert passwd.add_member(after, group, "bob") == after


def test_a_member_is_added_behind_others() -> None:
    assert passwd.add_member("adm:x:4:a,b\n", "adm", "c") == "adm:x:4:a,b,c\n"


@pytest.mark.parametrize(
    "before, after",
    [
        ("", "bob:x\n"),
        ("a:1\n", "a:1\nbob:x\n"),
        ("a:1", "a:1\nbob:x\n"),
        ("bob:old\na:1\n", "bob:x\na:1\n"),
        ("bobby:1\n", "bobby:1\nbob:x\n"),
        ("a:1\n+::::::\n", "a:1\nbob:x\n+::::::\n"),
        ("a:1\n\n", "a:1\n\nbob:x\n"),
    ],
)
def test_a_line_is_put(before: str, after: str) -> None:
    assert passwd.put_line(before, "bob:x") == after
    assert passwd.put_line(after, "bob:x") == after


def test_a_field_is_set() -> None:
    assert passwd.set_field("a:!:1\nbob:!:2:\n", "bob", 1, "*") == "a:!:1\nbob:*:2:\n"
    assert passwd.set_field("bob\n", "bob", 1, "*") == "bob\n"
    assert passwd.find_field("bob:!!:2\n", "bob", 1) == "!!"
    assert passwd.find_field("bob:!!:2\n", "bo", 1) is None


@pytest.mark.parametrize("day, field", [(19000, "19000"), (0, ""), (-1, "")])
def test_a_shadow_line_never_asks_for_a_new_password(day: int, field: str) -> None:
    assert passwd.shadow_line("bob", day) == "bob:*:%s:0:99999:7:::" % field


@pytest.mark.parametrize(
    "fields, new, old",
    [
        ("0:99999:7:::", "0:99999:7:::", "0:99999:7:::"),
        ("0::7:::", "0::7:::", "0::7:::"),
        ("0:60:7:::", "0:99999:7:::", "0:99999:7:::"),
        ("7:60:7:30:20000:", "0:99999:7:::", "0:99999:7::20000:"),
    ],
)
def test_no_password_does_not_age(fields: str, new: str, old: str) -> None:
    """R9: dev-sec/ansible-collection-hardening#681."""
    text = "ann:*:19000:1:2:3:4:5:\nbob:*:19000:%s\n"
    assert passwd.stop_ageing(text % fields, "bob", True) == text % new
    assert passwd.stop_ageing(text % fields, "bob", False) == text % old
