"""The accounts of a cloud-config with this machine's useradd, groupadd, chpasswd, visudo, sudo and
sshd; and with busybox's adduser and addgroup.

Each test runs tests/real_tools/namespaced/cloud_config_accounts.py in namespaces of its own, on a
copy of /etc.
"""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tests.lib.busybox import find_busybox
from tests.lib.namespaced import NETWORK, run_scenario

pytestmark = pytest.mark.long
TOOLS = ("sudo", "visudo", "chpasswd", "openssl", "ssh", "ssh-keygen", "sshd", "setsid", "ip")
RULES = ["ada ALL=(ALL) NOPASSWD:ALL", '"Bob.Smith" ALL=(root) NOPASSWD: /usr/bin/id']


def check(seen: Dict[str, Any]) -> None:
    """What holds with any tools."""
    passwd, groups, shadow = seen["passwd"], seen["groups"], seen["shadow"]
    assert passwd["ada"][0] == "2001" and passwd["ada"][2:] == [
        "Ada L.",
        "/home/people/ada",
        "/bin/sh",
    ]
    assert set(groups["ada"]) == {"staff2", "adm", "fresh", "crew"}
    assert {"bob", "adm", "sudo", "crew"} <= set(groups["bob"])
    assert passwd["plain"][0] not in ("2001", "") and "plain" not in groups["plain"]
    assert passwd["1234"] == [], "its reader has told it"
    assert passwd["linked"] and passwd["left"] and "extra" in groups["www-data"]
    assert 100 <= int(passwd["bot"][0]) < 1000
    assert shadow["ada"][0][0][:1] == "$" and shadow["ada"][2] == ["33846"]
    assert shadow["Bob.Smith"][0][0][:2] == "!$" and shadow["plain"][0] == ["*"]
    assert shadow["bob"][0][0][:1] == "$" and shadow["bob"][1] == ["0"]
    assert seen["homes"]["/home/people/ada"] == "ada"
    assert seen["homes"]["/home/Bob.Smith"] == "Bob.Smith"
    assert seen["homes"]["/home/plain"][:4] == seen["homes"]["/home/bot"][:4] == "exit"
    assert (seen["rules"][:2], seen["visudo"]) == (RULES, "")
    warnings = seen["said"]["users"][1]
    for words in (
        "the user id 2001 is in use, so plain gets another one",
        "account linked is not complete: home is not a directory",
        "www-data was there already, and keeps what it has: `shell`",
        "group crew: there is no account nobody-here",
        "a rule of Bob.Smith for sudo is left out: privilege rules were found faulty",
        "it ends in a backslash",
        "the password of Bob.Smith is locked",
    ):
        assert [each for each in warnings if words in each], (words, warnings)
    assert seen["said"]["shut"] == []
    assert "the first login demands a new one" in seen["said"]["doubts"][0]


def test_useradd_sudo_and_logins() -> None:
    seen = run_scenario(
        "cloud_config_accounts.py", "useradd", "useradd", *TOOLS, namespaces=NETWORK
    )
    check(seen)
    assert not seen["pwck"].startswith("exit"), seen["pwck"]
    assert not seen["grpck"].startswith("exit"), seen["grpck"]
    assert seen["sudo"] == {"ada": "0", "id": "0", "ls": "exit 1", "bob": seen["sudo"]["bob"]}
    by_key = seen["by key"]
    assert by_key["ada"] == "ada" and seen["by password"] == "ada"
    for name in ("left", "root"):
        assert by_key[name] == 'Please login as the user "bob" rather than the user "%s".' % name
    assert "password" in by_key["bob"].lower(), "it must be changed first"
    random = seen["random"]
    assert random["names"] == ["ada", "bob"] and random["long"] == [20, 20] and random["differ"]
    assert (random["mode"], random["ada"], random["told"]) == ("600", "ada", False)
    assert random["bob"] != "0" and random["doubts"] == []
    assert "the random password of bob does not expire" in random["warnings"][0]
    assert "random passwords of ada, bob are in" in random["warnings"][1]
    assert seen["same"]


def test_busybox(tmp_path: Any) -> None:
    box, kind = find_busybox(tmp_path)
    seen = run_scenario("cloud_config_accounts.py", "busybox", *TOOLS, box=box, namespaces=NETWORK)
    check(seen)
    assert seen["sudo"] == "0", kind


def test_doas() -> None:
    tools = ("doas", "useradd", "ssh-keygen", "sshd", "ip")
    seen = run_scenario("cloud_config_accounts.py", "doas", *tools, namespaces=NETWORK)
    assert seen["conf"] == [
        'permit nopass "bob"',
        "permit nopass eve cmd id",
        'permit nopass "ada"',
        "",
    ]
    for name in ("bob", "ada", "eve"):
        assert seen["%s: id -u" % name] == "0", name
    assert seen["eve: ls /"].startswith("exit 1") and seen["doubts"] == []
    told = [each.split(":")[0] for each in seen["warnings"]]
    assert (
        told == ["a rule of ada for sudo is left out"] + ["a rule of eve for doas is left out"] * 3
    )
