"""passwd, group, shadow, login.defs, sudoers, doas.conf and sshd_config, as text."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

import pytest

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import passwd, privileges
from lightinit.formats.ssh.sshd_config import (
    DEFAULT,
    Who,
    expand_tokens,
    read_effective,
    read_keys_files,
)

PASSWD = (
    "root:x:0:0:root:/root:/bin/bash\nbob:x:1000:1000:Bob,,,:/home/bob:/bin/sh\nbad:x:y:1::/:\n"
)


@pytest.mark.parametrize("name", ["bob", "azureuser", "a", "Bob", "b.o-b_", "1bob", "_x", "a" * 32])
def test_names_that_may_be_used(name: str) -> None:
    assert passwd.check_user_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "root",
        "0",
        "1000",
        "-bob",
        ".bob",
        "..",
        "a:b",
        "a b",
        "a\n",
        "\nroot",
        "a/b",
        "a\tb",
        "a$",
        "a*",
        "a,b",
        "a" * 33,
        "caf\u00e9",
        "%sudo",
        "#0",
        "a\0",
        "a\\b",
        '"a"',
        "a!",
        "\u0661",
        "\ud800",
    ],
)
def test_names_that_may_not(name: str) -> None:
    with pytest.raises(ProvisioningError) as caught:
        passwd.check_user_name(name)
    assert caught.value.reason == "user name is not allowed"
    assert caught.value.details["why"] and caught.value.details["hint"]
    assert str(caught.value).isprintable()


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
    "uid, home, shell, reason",
    [
        (1000, "/home/bob", "/bin/sh", ""),
        (1000, "//home/./bob/", "/bin/sh", ""),
        (0, "/home/bob", "/bin/sh", "user name belongs to root"),
        (999, "/home/bob", "/bin/sh", "user name belongs to a system account"),
        (4, "/bin", "/bin/sync", "user name belongs to an account that cannot log in"),
        (1000, "/home/bob", "/bin/zsh", "shell of the account is missing"),
        (1000, "/home/bob", "sh", "shell of the account is missing"),
        (1000, "", "/bin/sh", "home of the account cannot be used"),
        (1000, "/", "/bin/sh", "home of the account cannot be used"),
        (1000, "//.", "/bin/sh", "home of the account cannot be used"),
        (1000, "home/bob", "/bin/sh", "home of the account cannot be used"),
        (1000, "/home/../etc", "/bin/sh", "home of the account cannot be used"),
    ],
)
def test_an_account_that_can_be_the_admins(uid: int, home: str, shell: str, reason: str) -> None:
    account = passwd.Account("bob", uid, uid, home, shell)
    if not reason:
        assert passwd.check_admin_account(account, 1000, lambda path: path == "/bin/sh") is account
        return
    with pytest.raises(ProvisioningError) as caught:
        passwd.check_admin_account(account, 1000, lambda path: path in ("/bin/sh", "sh"))
    assert caught.value.reason == reason
    assert caught.value.details["hint"] and caught.value.details["user"] == "bob"


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
    "used, wished, chosen",
    [
        ([], None, 1000),
        ([0, 1000, 1001, 65534], None, 1002),
        ([1000], 1000, 1001),
        ([1000], 1005, 1005),
        ([1000, 1010], None, 1001),
        ([999, 5], None, 1000),
    ],
)
def test_ids(used: List[int], wished: Optional[int], chosen: int) -> None:
    assert passwd.choose_id(used, 1000, 1010, wished) == chosen


def test_no_id_left() -> None:
    with pytest.raises(ProvisioningError, match="no free user or group id"):
        passwd.choose_id(range(10), 0, 9)


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
    "text, mode",
    [
        ("", 0o700),
        ("UMASK 022\n", 0o755),
        ("UMASK 022\nHOME_MODE 0750 # x\n", 0o750),
        ("#UMASK 022\n", 0o700),
        ("UMASK rubbish\n", 0o700),
        ("HOME_MODE 4755", 0o755),
    ],
)
def test_the_mode_of_a_home(text: str, mode: int) -> None:
    assert passwd.home_mode(passwd.read_login_defs(text)) == mode


def test_default_useradd() -> None:
    assert passwd.read_assignments('# x\nSHELL=/bin/zsh\n#HOME=/h\nSKEL="/s"\n') == {
        "SHELL": "/bin/zsh",
        "SKEL": "/s",
    }


# -- sudo and doas
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user, password, rule",
    [
        ("bob", False, "bob ALL=(ALL:ALL) NOPASSWD:ALL"),
        ("bob", True, "bob ALL=(ALL:ALL) ALL"),
        ("ALL", False, '"ALL" ALL=(ALL:ALL) NOPASSWD:ALL'),
        ("ADMINS", False, '"ADMINS" ALL=(ALL:ALL) NOPASSWD:ALL'),
        ("Defaults", True, '"Defaults" ALL=(ALL:ALL) ALL'),
        ("User_Alias", True, '"User_Alias" ALL=(ALL:ALL) ALL'),
        ("Bob", False, "Bob ALL=(ALL:ALL) NOPASSWD:ALL"),
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


# -- sshd_config
# --------------------------------------------------------------------------------------------------


def read(
    text: str, files: Optional[Dict[str, List[str]]] = None, groups: Sequence[str] = ()
) -> Tuple[str, ...]:
    return read_keys_files(
        text, Who("bob", tuple(groups)), lambda pattern: (files or {}).get(pattern, [])
    ).paths


@pytest.mark.parametrize(
    "text, paths",
    [
        ("", DEFAULT),
        ("#AuthorizedKeysFile x\n", DEFAULT),
        ("AuthorizedKeysFile .ssh/k\n", (".ssh/k",)),
        ("  authorizedkeysfile\t=\t.ssh/k .ssh/l # c\r\n", (".ssh/k", ".ssh/l")),
        ('AuthorizedKeysFile "/a b/%u" /c\n', ("/a b/%u", "/c")),
        ("AuthorizedKeysFile a\nAuthorizedKeysFile b\n", ("a",)),
        ("AuthorizedKeysFile none\n", ("none",)),
        (
            (
                "AuthorizedKeysFile a\nMatch User bob\nAuthorizedKeysFile b\nMatch"
                " all\nAuthorizedKeysFile c\n"
            ),
            ("b",),
        ),
        ("AuthorizedKeysFile a\nMatch User eve\nAuthorizedKeysFile b\n", ("a",)),
        ("AuthorizedKeysFile a\nMatch User eve,b*\nAuthorizedKeysFile b\n", ("b",)),
        ("AuthorizedKeysFile a\nMatch User *,!bob\nAuthorizedKeysFile b\n", ("a",)),
        ("Match Group wheel\nAuthorizedKeysFile b\n", ("b",)),
        ("Match Group adm User bob\nAuthorizedKeysFile b\n", DEFAULT),
        ("Match User bob Address 10.0.0.0/8\nAuthorizedKeysFile b\n", DEFAULT),
        ("Match User [b]ob\nAuthorizedKeysFile b\n", DEFAULT),
        ("Match all\nAuthorizedKeysFile c\n", ("c",)),
    ],
)
def test_the_keys_file(text: str, paths: Tuple[str, ...]) -> None:
    assert read(text, groups=["wheel"]) == paths


def test_included_files() -> None:
    files = {
        "d/*.conf": ["Match User bob\n", "AuthorizedKeysFile one\n"],
        "two": ["AuthorizedKeysFile two\n"],
        "three": [
            "Match User eve\nAuthorizedKeysFile no\nMatch User bob\nAuthorizedKeysFile three\n"
        ],
    }
    assert read("Include d/*.conf\nAuthorizedKeysFile a\n", files) == ("one",), (
        "a Match ends with its file"
    )
    assert read("Match User eve\nInclude two\n", files) == DEFAULT
    assert read("Match User bob\nInclude missing two\n", files) == ("two",)
    assert read("Match User eve\nInclude three\n", files) == DEFAULT
    assert read("Include three\n", files) == ("three",)


def test_a_file_that_includes_itself_ends() -> None:
    assert read("Include x\nAuthorizedKeysFile a\n", {"x": ["Include x\n"]}) == ("a",)


@pytest.mark.parametrize(
    "block, said",
    [
        ("Match Address 10.0.0.0/8", True),
        ("Match User bob Host x", True),
        ("Match User eve Host x", False),
        ("Match Exec true", True),
        ("Match User eve", False),
    ],
)
def test_what_cannot_be_known_is_said(block: str, said: bool) -> None:
    reading = read_keys_files(block + "\nAuthorizedKeysFile x\n", Who("bob"), lambda pattern: [])
    assert reading.paths == DEFAULT
    assert bool(reading.unclear) is said


@pytest.mark.parametrize(
    "path, expanded",
    [
        (".ssh/authorized_keys", "/home/bob/.ssh/authorized_keys"),
        ("%h/k", "/home/bob/k"),
        ("/etc/%u-%U-%%u", "/etc/bob-7-%u"),
        ("%x", "/home/bob/%x"),
        ("%%h", "/home/bob/%h"),
    ],
)
def test_tokens(path: str, expanded: str) -> None:
    assert expand_tokens(path, "bob", 7, "/home/bob") == expanded


def test_what_sshd_says() -> None:
    assert read_effective("port 22\nauthorizedkeysfile .ssh/a .ssh/b\n") == (".ssh/a", ".ssh/b")
    assert read_effective("port 22\n") == ()
