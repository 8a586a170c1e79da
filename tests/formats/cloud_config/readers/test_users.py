"""Accounts, groups and keys."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from lightinit.formats.cloud_config.readers.users import (
    GivenAccounts,
    GivenGroup,
    GivenUser,
    read_accounts,
)


def accounts(**values: Any) -> GivenAccounts:
    """What is read without a mistake."""
    found, mistakes = read_accounts(values)
    assert not mistakes, mistakes
    return found


def told(**values: Any) -> List[str]:
    return [str(each) for each in read_accounts(values)[1]]


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHV0EnJ38FeOSCli+wLCcwAjMYZQ3T0DHA2Bq8m9jRpW"
HASH = "$6$salt$" + "x" * 86


def test_nothing_is_said() -> None:
    assert accounts() == GivenAccounts()
    assert accounts(users=[]).users == ()


def test_all_options() -> None:
    values: Dict[str, Any] = {
        "name": "ada",
        "gecos": "Ada L.",
        "homedir": "/srv/ada",
        "primary_group": "staff",
        "groups": "adm, sudo",
        "shell": "/bin/sh",
        "uid": "2001",
        "system": True,
        "no_create_home": True,
        "no_user_group": True,
        "no_log_init": True,
        "create_groups": False,
        "inactive": "5",
        "expiredate": "2032-09-01",
        "selinux_user": "staff_u",
        "lock_passwd": False,
        "passwd": HASH,
        "hashed_passwd": HASH,
        "plain_text_passwd": "pw",
        "sudo": ["ALL=(ALL) NOPASSWD:ALL"],
        "doas": ["permit nopass ada"],
        "ssh_authorized_keys": [KEY],
        "ssh_redirect_user": False,
    }
    found = accounts(users=["default", values]).users
    assert found is not None
    assert found[0] == GivenUser("default")
    expected = dict(values, groups=("adm", "sudo"), uid=2001, sudo=("ALL=(ALL) NOPASSWD:ALL",))
    expected.update(doas=("permit nopass ada",), ssh_authorized_keys=(KEY,))
    assert found[1]._asdict() == expected
    assert HASH not in repr(found) and "'pw'" not in repr(found)


@pytest.mark.parametrize(
    "groups", ["adm,sudo", "adm, sudo", ["adm", "sudo"], ["adm", " sudo "], ["adm, sudo"]]
)
def test_groups_of_a_user(groups: Any) -> None:
    found = accounts(users=[{"name": "a", "groups": groups}]).users
    assert found is not None and found[0].groups == ("adm", "sudo")


@pytest.mark.parametrize(
    "sudo, rules",
    [
        (None, ()),
        (False, ()),
        ("A", ("A",)),
        (["A"], ("A",)),
        ("A\n# no rule\n\n B\n", ("A", "B")),
    ],
)
def test_sudo(sudo: Any, rules: Any) -> None:
    found = accounts(users=[{"name": "a", "sudo": sudo}]).users
    assert found is not None and found[0].sudo == rules


def test_what_is_not_said_differs_from_none() -> None:
    found = accounts(users=["a", {"name": "b"}]).users
    assert found is not None
    assert [(each.sudo, each.lock_passwd) for each in found] == [(None, None)] * 2


@pytest.mark.parametrize(
    "groups, expected",
    [
        ("adm, staff", [GivenGroup("adm"), GivenGroup("staff")]),
        (["adm", {"staff": ["a", "b"]}], [GivenGroup("adm"), GivenGroup("staff", ("a", "b"))]),
        ({"staff": "a"}, [GivenGroup("staff", ("a",))]),
        ([{"staff": ["a"]}, {"staff": ["a", "b"]}], [GivenGroup("staff", ("a", "b"))]),
        ([{"staff": None}], [GivenGroup("staff")]),
    ],
)
def test_groups(groups: Any, expected: List[GivenGroup]) -> None:
    assert list(accounts(groups=groups).groups) == expected


@pytest.mark.parametrize(
    "users, names",
    [
        ("ada, bob", ["ada", "bob"]),
        ({"ada": True, "bob": False, "eve": {"shell": "/bin/sh"}}, ["ada", "eve"]),
        (["ada,bob", {"gecos": "x"}], ["ada", "bob", "default"]),
        ([["ada", "bob"]], ["ada", "bob"]),
        ([{"name": "ada", "shell": "/a"}, {"name": "ada", "shell": "/b"}], ["ada"]),
    ],
)
def test_other_forms(users: Any, names: List[str]) -> None:
    found = read_accounts({"users": users})[0].users
    assert found is not None and [each.name for each in found] == names
    assert "/b" not in [each.shell for each in found]


def test_the_default_user() -> None:
    assert accounts(user="ada") == GivenAccounts((GivenUser("default"),), default_name="ada")
    found = accounts(user={"name": "ada", "shell": "/bin/sh"}, users=["bob"])
    assert found.default_name == "ada"
    assert found.users == (GivenUser("bob"), GivenUser("default", shell="/bin/sh"))


def test_the_default_user_of_an_image_or_operator() -> None:
    info = {"default_user": {"name": "kim", "shell": "/bin/sh", "groups": ["adm"]}}
    for given, name, names in (
        (None, "kim", ["default"]),
        (["default"], "kim", ["default"]),
        (["ada"], "kim", ["ada"]),  # without `default`, it is not made
        ([], "kim", []),
    ):
        found = accounts(users=given, system_info=info)
        assert (found.default_name, [each.name for each in found.users or ()]) == (name, names)
    users = accounts(users=[{"name": "default", "shell": "/bin/a"}], system_info=info).users
    (default,) = users or ()
    assert (default.shell, default.groups) == ("/bin/a", ("adm",)), "the owner goes before"
    found = accounts(user={"name": "ada"}, system_info=info)
    assert found.default_name == "ada"
    assert [each.shell for each in found.users or ()] == ["/bin/sh"]
    says = told(system_info={"distro": "debian", "default_user": "kim"})
    assert "system_info.distro: it is not supported" in says[0] and len(says) == 2
    assert accounts(system_info={}) == GivenAccounts()


def test_keys() -> None:
    keys = [KEY, "# mine", "%s a\n%s b\n" % (KEY, KEY), 'from="10.0.0.0/8" ' + KEY]
    assert accounts(ssh_authorized_keys=keys).ssh_authorized_keys == (
        KEY,
        KEY + " a",
        KEY + " b",
        keys[3],
    )
    assert accounts(ssh_authorized_keys=KEY).ssh_authorized_keys == (KEY,)
    assert accounts(ssh_authorized_keys={"x": KEY}).ssh_authorized_keys == (KEY,)
    # What the accounts would refuse is a mistake at its place, and no key.
    found, mistakes = read_accounts(
        {"users": [{"name": "a", "ssh_authorized_keys": [KEY, "no key", "ssh-rsa AAAA", 5, KEY]}]}
    )
    assert found.users is not None and found.users[0].ssh_authorized_keys == (KEY, KEY)
    assert [str(each).partition(";")[0] for each in mistakes] == [
        "users[0].ssh_authorized_keys[1]: not an ssh public key",
        "users[0].ssh_authorized_keys[2]: ssh key does not hold what its type says",
        "users[0].ssh_authorized_keys[3]: not an ssh public key",
    ]
    found = accounts(disable_root=False, allow_public_ssh_keys=False)
    assert (found.disable_root, found.allow_public_ssh_keys) == (False, False)


def test_old_names_of_options_work_and_are_told() -> None:
    found, mistakes = read_accounts({"users": [{"name": "a", "lock-passwd": False}]})
    assert found.users == (GivenUser("a", lock_passwd=False),)
    assert str(mistakes[0]) == ("users[0].lock-passwd: the key is deprecated; write `lock_passwd`")


@pytest.mark.parametrize(
    "user, says, count",
    [
        ({"name": "a b"}, "users[0].name: no account can have this name", 0),
        ({"name": "-a"}, "name: no account can have this name", 0),
        ({"name": "a:b"}, "name: no account can have this name", 0),
        ({"name": None}, "name: no account can have this name", 0),
        ({"name": 12345}, "name: no account can have this name: it is a number", 0),
        ({"name": "a" * 33}, "it is longer than 32 characters", 0),
        ({"name": "grüße"}, "only letters, digits", 0),
        ({"name": "a", "uid": "x"}, "uid: it is text, and must be a whole number", 1),
        ({"name": "a", "sudo": True}, "sudo: true is no rule", 1),
        ({"name": "a", "passwd": "secret"}, "passwd: it is no hash", 1),
        ({"name": "a", "hashed_passwd": "secret"}, "hashed_passwd: it is no hash", 1),
        ({"name": "a", "shell": "/bin/sh\nx"}, "shell: it has several lines", 1),
        ({"name": "a", "lock_passwd": "no"}, "lock_passwd: it is text; taken as a boolean", 1),
        ({"name": "a", "ssh_import_id": ["gh:a"]}, "ssh_import_id: it is not supported", 1),
        ({"name": "a", "snapuser": "x@y"}, "snapuser: it is not supported", 1),
        ({"name": "a", "groups": {"adm": None}}, "groups: a mapping is deprecated", 1),
        ({"name": "a", "home": "/a"}, "home: the key is unknown here", 1),
        ({"name": "a", "gecos": "a:b"}, "gecos: a colon or a control character is in it", 1),
        ({"name": "a", "homedir": "srv/a"}, "homedir: it is no absolute path of a folder", 1),
        ({"name": "a", "homedir": "/"}, "homedir: it is no absolute path of a folder", 1),
        ({"name": "a", "shell": "bash"}, "shell: it is no absolute path", 1),
        ({"name": "a", "expiredate": "soon"}, "expiredate: it is no date", 1),
        ({"name": "a", "inactive": "soon"}, "inactive: it is no number of days", 1),
        ({"name": "a", "primary_group": "a b"}, "primary_group: no group can have this name", 1),
        ({"name": "a", "groups": ["a b", "adm"]}, "groups: no group can have one of these", 1),
        ({"name": "a", "uid": -5}, "uid: no account can have this id", 1),
        (
            {"name": "a", "ssh_redirect_user": True, "ssh_authorized_keys": [KEY]},
            "ssh_redirect_user: keys or `system` are beside it",
            1,
        ),
        ("a b", "users[0]: no account can have this name", 0),
        (5, "users[0]: it is a number, and must be an account", 0),
    ],
)
def test_mistakes(user: Any, says: str, count: int) -> None:
    found, mistakes = read_accounts({"users": [user, "good"]})
    assert says in str(mistakes[0])
    assert found.users is not None and len(found.users) == count + 1


def test_mistakes_beside_users() -> None:
    assert (
        "a private key is there" in told(ssh_authorized_keys=["-----BEGIN OPENSSH PRIVATE KEY"])[0]
    )
    assert "users: it is a number" in told(users=5)[0]
    assert "groups[0]: it is a number" in told(groups=[5])[0]
    assert "groups: no group can have one of these names" in told(groups=["a b", "adm"])[0]
    assert "no account can have this name" in told(user="a b")[0]


def test_keys_of_the_document_below_an_account() -> None:
    _, mistakes = read_accounts({"users": [{"name": "a", "ssh_pwauth": True, "chpaswd": 1}]})
    assert [str(each).partition("; ")[2] for each in mistakes] == [
        "write it at the left edge",
        "did you mean `chpasswd`?",
    ]
