"""The modules with this machine's own tools: useradd, busybox, visudo, sudo, doas, sshd, and a
login through it.

Each test runs tests/real_tools/namespaced/accounts.py in mount and UTS namespaces of its own, on a
copy of /etc and an empty /home in memory. The machine's own root file system is read-only there,
which the last test checks: its accounts and its name stay as they are.
"""

from __future__ import annotations

import os
from typing import Any, Dict

import pytest

from tests.lib.busybox import find_busybox
from tests.lib.namespaced import run_scenario
from tests.real_tools.namespaced.accounts import LABELLED


def inside(scenario: str, *tools: str, box: str = "") -> Dict[str, Any]:
    return run_scenario("accounts.py", scenario, *tools, box=box)


def check_account(seen: Dict[str, Any], home: str = "/home/bob") -> None:
    """What holds for an account however it was made."""
    fields = seen["passwd"].split(":")
    assert fields[0] == "bob" and int(fields[2]) >= 1000 and fields[5] == home
    assert seen["shadow"] == ["*"] and seen["changed"] != ["0"]
    assert "bob" in seen["groups"] and {"adm", "sudo"} <= set(seen["groups"])
    assert ".profile" in seen["home"] and seen["owner"] == "bob:bob"
    assert seen["scratch"] == []
    assert "no changes" not in seen["pwck"] and not seen["pwck"].startswith("exit"), seen["pwck"]
    assert not seen["grpck"].startswith("exit"), seen["grpck"]
    assert seen["second"][0] == "user bob was there already" and seen["same"]


def test_useradd_and_sudo() -> None:
    seen = inside("useradd", "useradd", "sudo", "visudo")
    check_account(seen)
    assert seen["first"] == ["made user bob", []]
    assert seen["sudo"] == "0"
    assert "zz-lightinit-users: parsed OK" in seen["visudo"]
    assert (seen["mode"], seen["left"]) == ("0440", [])


def test_names_that_sudoers_could_take_for_something_else() -> None:
    seen = inside("names", "useradd", "sudo", "visudo")
    assert len(seen) == 7
    for name, (sudo, nobody, check) in seen.items():
        assert (sudo, nobody, check) == ("0", "exit 1", ""), name


def test_a_sudo_that_asks_for_roots_password_asks_the_admin_for_his_own() -> None:
    seen = inside("whose_password", "useradd", "sudo", "visudo", "chpasswd")
    assert len(seen) == 27
    for name, (warnings, again, own, roots, eves_own, eves_roots, check) in seen.items():
        assert (warnings, again) == ([], "user %s was there already" % name.split()[1]), name
        assert (own, eves_roots, check) == ("0", "0", ""), name
        assert "incorrect password" in roots and "incorrect password" in eves_own, name


def test_a_sudo_that_does_not_know_all_of_the_settings() -> None:
    seen = inside("strange_visudo", "useradd", "sudo", "visudo", "chpasswd")
    twice, rule = (
        ["user bob was there already; added sudo rule", "user bob was there already"],
        "bob ALL=(ALL:ALL) ALL",
    )
    assert seen["runaspw"] == [twice, ["Defaults:bob !targetpw, !rootpw", rule, ""]]
    assert seen["targetpw"] == [twice, [rule, ""]]
    # The image's own rule of the group sudo is enough.
    assert seen["ALL"] == [["user bob was there already"] * 2, []]


def test_a_group_of_the_name_is_there_already() -> None:
    check_account(inside("existing_group", "useradd", "groupadd"))


def test_with_password_login_sudo_asks_for_the_password_once_there_is_one() -> None:
    seen = inside("password", "useradd", "sudo", "chpasswd")
    check_account(seen)
    assert seen["first"] == ["made user bob", []]
    assert seen["none_yet"] == "0"
    assert seen["then"] == "user bob was there already; added sudo rule"
    assert "a password is required" in seen["sudo"]
    assert seen["with_password"] == "0"


def test_a_faulty_sudoers_is_not_made_worse() -> None:
    seen = inside("faulty_sudoers", "useradd", "visudo")
    assert seen["error"].startswith(
        "privilege rules were found faulty (path=/etc/sudoers, checker=visudo"
    )
    assert "syntax error" in seen["error"]
    assert (seen["sudoers"], seen["left"]) == ("this is ((( no rule\n", [])


def test_a_sudoers_without_the_include_is_mended() -> None:
    seen = inside("no_include", "useradd", "sudo", "visudo")
    check_account(seen)
    assert seen["sudo"] == "0" and "did not include" in seen["first"][1][0]


def test_a_locked_account_without_a_home_is_completed() -> None:
    seen = inside("half_made", "useradd", "usermod")
    check_account(seen)
    assert "login without a password, its home, group adm" in seen["first"][0]


def test_accounts_that_nobody_could_use_are_refused_and_left_as_they_are() -> None:
    seen = inside("refused_accounts", "useradd")
    assert seen["said"] == {
        "noshell": ["shell of the account is missing"] * 2,
        "top": ["home of the account cannot be used"] * 2,
        "empty": ["home of the account cannot be used"] * 2,
        "svc": ["user name belongs to a system account"] * 2,
        "sync": ["user name belongs to an account that cannot log in"] * 2,
    }
    assert seen["same"] and seen["left"] == []


def test_locks_that_a_power_cut_left() -> None:
    seen = inside("stale_locks", "useradd", "sudo")
    assert "cannot lock" in seen["alone"]
    check_account(seen)
    assert seen["first"] == ["made user bob", []] and seen["left"] == []


def test_a_lock_in_use_is_left() -> None:
    seen = inside("lock_in_use", "useradd")
    assert seen["error"].startswith("useradd failed") and "cannot lock /etc/group" in seen["error"]
    assert seen["there"]


def test_homes_whose_place_is_not_there_yet() -> None:
    seen = inside("no_place_for_homes", "useradd", "sudo")
    assert seen["alone"].startswith("exit 12"), "what this test is about"
    check_account(seen, "/etc/homes/bob")
    assert seen["first"] == ["made user bob", []]


def test_doas_where_there_is_no_sudo() -> None:
    seen = inside("doas", "useradd", "doas")
    check_account(seen)
    assert seen["doas"] == "0" and seen["nobody"].startswith("exit 1")
    assert "checker=doas, said=doas: syntax error" in seen["error"]
    assert seen["conf"] == 'permit nopass "bob"\nthis is no rule\n'


def test_doas_where_sudo_left_its_file() -> None:
    seen = inside("doas_beside_a_sudoers", "useradd", "doas")
    check_account(seen)
    assert (seen["first"], seen["doas"]) == (["made user bob", []], "0")


def test_a_sudoers_whose_sudo_is_gone() -> None:
    seen = inside("neither", "useradd", "sudo")
    check_account(seen)
    assert seen["first"] == ["made user bob", []]
    assert seen["second"][1] == [] and seen["sudo"] == "0"


def test_busybox_adduser(tmp_path: Any) -> None:
    path, kind = find_busybox(tmp_path)
    seen = inside("busybox", "sudo", box=path)
    if kind == "stand-in":
        seen["grpck"] = ""  # it keeps no gshadow, which grpck counts as a fault
        assert seen["passwd"].split(":")[2] == "4001", "the tool was used"
    check_account(seen)
    assert seen["sudo"] == "0"


def test_no_tool_at_all() -> None:
    seen = inside("no_tools", "sudo")
    check_account(seen)
    assert seen["sudo"] == "0"


def test_an_adduser_that_is_not_busyboxs_is_not_used() -> None:
    seen = inside("debian_adduser", "adduser", "sudo")
    check_account(seen)
    assert seen["called"] == ["called --help"]


def test_a_login_by_each_file_that_sshd_may_name() -> None:
    """The user has no password, sshd has no PAM, and the key alone opens the door; sudo works
    behind it.
    """
    seen = inside("ssh", "useradd", "sshd", "ssh", "ssh-keygen", "sudo")
    files = {
        "default": "/home/bob/.ssh/authorized_keys",
        "own": "/home/bob/.keys/bob",
        "etc": "/etc/ssh/keys/bob",
        "match": "/home/bob/matched",
    }
    assert len(seen) == 8
    for name, (message, warnings, uid) in seen.items():
        assert message == "1 of 1 keys added to %s" % files[name.split()[0]], name
        assert (warnings, uid) == ([], "0"), name


def test_the_host_name() -> None:
    seen = inside("host")
    assert seen["live"] == "real-tools.example.org" and seen["static"] == "real-tools.example.org\n"
    assert (
        seen["hosts"]
        == "127.0.0.1 localhost\n127.0.1.1 real-tools.example.org real-tools printer\n"
    )
    assert seen["resolves"].split() == [
        "127.0.1.1",
        "real-tools.example.org",
        "real-tools",
        "printer",
    ]
    assert seen["again"] == seen["message"] == "host name is real-tools.example.org"


def test_hosts_that_nothing_can_replace() -> None:
    seen = inside("hosts_mounted")
    assert (
        seen["message"] == "host name is real-tools.example.org"
        and seen["live"] == "real-tools.example.org"
    )
    assert len(seen["warnings"]) == 1 and seen["warnings"][0].startswith(
        "/etc/hosts is left as it is: file cannot be"
    )


def test_selinux_labels_stay_with_what_is_replaced_and_are_looked_up_for_what_is_new() -> None:
    seen = inside("labels", "ssh-keygen", "sshd", "sudo")
    if "why_not" in seen:
        pytest.skip("labels cannot be set here: %s" % seen["why_not"])
    assert set(seen["labels"]) == set(LABELLED) and all(seen["replaced"].values()), seen["replaced"]
    for name, label in seen["labels"].items():
        assert label == "system_u:object_r:%s_t:s0" % name, name
    assert seen["restored"] == [
        "/etc/hostname",
        "/etc/localtime",
        "/etc/sudoers.d/zz-lightinit-users",
    ]


def test_outside_of_the_copies_nothing_can_be_written() -> None:
    name = os.uname().nodename
    seen = inside("outside_is_sealed")
    assert seen["/etc"] == "" and seen["/usr"].endswith("Read-only file system")
    inside("host")
    assert os.uname().nodename == name
