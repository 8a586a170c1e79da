"""Passwords and the login with them, by this machine's own tools: chpasswd, passwd, openssl,
busybox, sshd, ssh, sudo.

Each test runs tests/real_tools/namespaced/login.py in mount, UTS and network namespaces of its own,
on a copy of /etc.

busybox with chpasswd and passwd comes from the environment variable LIGHTINIT_BUSYBOX or from the
PATH. Where it was built without them (as Debian's is), a script that takes the applets' options,
and no others, stands in for it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from typing import Any, Dict, List

import pytest

from tests.lib.busybox import find_busybox
from tests.lib.namespaced import NETWORK, run_scenario
from tests.real_tools.namespaced.login import CONFIGS, PASSWORD, RULES

pytestmark = pytest.mark.long

BUSYBOX = r"""#!/bin/sh
# Stands in for busybox chpasswd and passwd of 1.35: their options, on the account files.
applet=${0##*/}
if [ "$1" = --help ]; then echo "BusyBox v0 stand-in. Usage: $applet"; exit 0; fi
if [ "$applet" = chpasswd ]; then
    [ "$*" = '-c sha512' ] || exit 1
    IFS= read -r line; name=${line%%:*} password=${line#*:}
else
    [ "$1 $2" = '-a sha512' ] && [ $# = 3 ] || exit 1
    name=$3; IFS= read -r password; IFS= read -r again; [ "$password" = "$again" ] || exit 1
fi
crypted=$(printf '%s\n' "$password" | busybox mkpasswd -s -m sha512) || exit 1
awk -F: -v OFS=: -v name="$name" -v crypted="$crypted" '
    $1 == name {$2 = crypted; $3 = 0} 1' /etc/shadow >/etc/shadow.new
cat /etc/shadow.new >/etc/shadow; rm /etc/shadow.new
"""
REFUSED = re.compile(r"bob@127\.0\.0\.1: Permission denied \(([\w,-]+)\)\.")


def inside(scenario: str, *tools: str, box: str = "", before: Any = ()) -> Dict[str, Any]:
    """Run one scenario of namespaced/login.py, behind the command ``before``."""
    needed = ("sshd", "ssh", "ssh-keygen", "ssh-keyscan", "setsid", "ip", "useradd", "sudo")
    return run_scenario(
        "login.py", scenario, *needed, *tools, box=box, namespaces=NETWORK, before=before
    )


def real_busybox(applet: str) -> str:
    """A busybox that has ``applet``, or ""."""
    for path in (os.environ.get("LIGHTINIT_BUSYBOX"), shutil.which("busybox")):
        if (
            path
            and applet
            in subprocess.run(
                [path, "--list"], stdout=subprocess.PIPE, universal_newlines=True
            ).stdout.split()
        ):
            return path
    return ""


def busybox_with(applet: str, folder: Any) -> str:
    """Where a busybox with ``applet`` is, or what stands in for one."""
    path = real_busybox(applet)
    if path:
        return path
    path = str(folder / "busybox")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(BUSYBOX)
    os.chmod(path, 0o755)
    return path


def methods(said: str) -> str:
    """By which methods sshd would have let bob in, where it did not; else what was said."""
    match = REFUSED.fullmatch(said)
    return match.group(1) if match else said


def check(seen: Dict[str, Any], tool: str, first: str = "made user bob") -> None:
    """What holds however a password was set: it opens the account, all of it is needed, and nobody
    has seen it.
    """
    assert (seen["first"], seen["tool"]) == ([first, []], [tool])
    assert seen["hash"].startswith("$") and seen["day"].strip("0")
    for pam, said in seen["logins"].items():
        assert said[0] == "bob", pam
        assert [methods(each) for each in said[1:5]] == 4 * ["publickey,password"], pam
    assert seen["logins"]["yes"][5] == "bob", "keyboard-interactive, which PAM answers"
    assert seen["sudo"] == ["exit 1: sudo: a password is required", "0"]
    assert (seen["locks"], seen["secret_said"]) == ([], [])


def test_the_password_has_all_there_is() -> None:
    assert set(map(chr, range(32, 127))) < set(PASSWORD) and "::" in PASSWORD
    assert PASSWORD[0] == PASSWORD[-1] == " " and not PASSWORD.isascii()


def test_chpasswd_after_a_power_cut_that_left_a_lock() -> None:
    check(inside("chpasswd", "chpasswd"), "chpasswd")


def test_a_pam_that_refuses_is_not_asked_again() -> None:
    check(inside("pam_refuses", "chpasswd"), "chpasswd -c SHA512")


def test_a_host_without_a_configuration_of_pam() -> None:
    check(inside("no_pam", "chpasswd"), "chpasswd -c SHA512")


def test_a_chpasswd_that_would_take_the_first_eight_characters_only() -> None:
    check(inside("weak_default", "chpasswd"), "chpasswd -c SHA512")


def test_busybox_chpasswd(tmp_path: Any) -> None:
    check(inside("busybox", "busybox", box=busybox_with("chpasswd", tmp_path)), "busybox chpasswd")


def test_busybox_passwd(tmp_path: Any) -> None:
    check(inside("busybox_passwd", "busybox", box=busybox_with("passwd", tmp_path)), "passwd")


def test_a_hash_made_by_openssl() -> None:
    check(inside("openssl", "openssl"), "openssl")


def test_a_hash_made_by_busybox_mkpasswd() -> None:
    check(inside("mkpasswd", "busybox", box=str(shutil.which("busybox"))), "mkpasswd")


def test_passwd_told_twice() -> None:
    check(inside("passwd", "passwd"), "passwd")


def test_no_tool_at_all() -> None:
    """The rest of the account is made: whoever has a key can log in and become root."""
    seen = inside("no_tool")
    assert seen["first"][0] == "no tool can set a password"
    assert (seen["field"], seen["sudo"]) == ("*", "0")
    assert seen["keys"][0] == "nobody could log in"


def test_a_tool_that_repeats_what_it_was_given() -> None:
    seen = inside("tool_that_blabs", "chpasswd")
    assert seen["first"][0] == "password could not be set"
    assert "chpasswd: bad line: bob:[...]" in seen["first"][1]
    said = "\n".join(seen["said"] + seen["first"])
    assert said.count("bad line") == 4 and not [
        word for word in ("Tr0ub", "x&3", "horse") if word in said
    ]


def test_an_account_with_another_shell_and_another_password() -> None:
    seen = inside("another_password", "chpasswd")
    first = seen["first"][0]
    assert first.startswith("user bob was there already; added ") and first.endswith(
        ", the platform's password, sudo rule"
    )
    check(seen, "chpasswd", first)
    assert methods(seen["old"]) == "publickey,password" and seen["shell"] == "/bin/dash"
    assert seen["none"] == ["user bob was there already"] * 4 and seen["kept"], (
        "no password, or a struck out one"
    )


@pytest.mark.parametrize("tool", ["useradd", "busybox"])
def test_without_a_password_the_account_is_open_for_keys_alone(tool: str, tmp_path: Any) -> None:
    seen = inside("locked", box=find_busybox(tmp_path)[0] if tool == "busybox" else "")
    assert seen["first"] == ["made user bob", []] and seen["field"] == "*"
    for pam in ("yes", "no"):
        assert [seen[pam][0]] + [methods(each) for each in seen[pam][1:]] == ["bob"] + 3 * [
            "publickey,password,keyboard-interactive"
        ], pam


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_policy_in_force_whatever_the_image_says(name: str) -> None:
    seen = inside("policies", "chpasswd", box=name)
    assert sorted(seen) == ["off", "on"]
    place = (
        "/etc/ssh/sshd_config.d/00-lightinit.conf"
        if name in ("include", "other drop-ins")
        else "/etc/ssh/sshd_config"
    )
    for word, found in seen.items():
        word = "password login %s: " % word
        assert found["first"] == [word + "put into " + place, []]
        assert found["again"] == [word + "was there already, in " + place, []]
        allowed, refused = found["got"] if "on:" in word else found["got"][::-1]
        assert (allowed, methods(refused)) == ("bob", "publickey")
        assert (found["flipped"], found["stays"], found["check"]) == ([], True, "")


def test_configurations_that_are_faulty_or_say_otherwise() -> None:
    seen = inside("trouble", "chpasswd")
    for name, word in (
        ("faulty", "line 3: Bad configuration option: NoSuchKeyword"),
        ("methods", "AuthenticationMethods cannot be satisfied"),
    ):
        (reason, text), same = seen[name]
        assert reason == "sshd finds fault with its configuration" and word in text and same, name
    warned: Dict[str, List[str]] = {
        name: seen[name][0][1] for name in ("match", "match on, keys", "others")
    }
    assert warned == {
        "match": ["sshd still accepts a password for bob: Match User bob"],
        "match on, keys": ["sshd still refuses a password for bob: Match User bob"],
        "others": [
            "sshd's configuration has another policy for logins that these match: Match Address"
            " 10.0.0.0/8"
        ],
    }
    for name, why in (
        ("match on", "Match User bob"),
        ("methods on", "authenticationmethods publickey,password"),
    ):
        reason, text = seen[name][0]
        assert reason == "password login is not in force" and "why=%s)" % why in text, name
    assert seen["left"] == []


def test_a_sshd_that_has_no_host_keys_yet() -> None:
    seen = inside("no_host_keys")
    assert seen["good"] == [
        "password login off: put into /etc/ssh/sshd_config.d/00-lightinit.conf",
        [],
    ]
    assert (
        seen["bad"][0] == "sshd finds fault with its configuration"
        and "NoSuchKeyword" in seen["bad"][1]
    )
    assert seen["again"][1] == [] and seen["check"] == ""


def test_a_sshd_that_runs_takes_the_new_policy() -> None:
    seen = inside("running", "chpasswd")
    assert (seen["on"][1], seen["before"], seen["off"][1]) == ([], "bob", [])
    assert methods(seen["after"]) == "publickey" and seen["same"]


def test_a_key_goes_where_sshd_looks_for_logins_from_elsewhere() -> None:
    seen = inside("local_match")
    added = "1 of 1 keys added to /home/bob/.ssh/authorized_keys"
    assert seen == {
        condition: [[added, []], "bob"] for condition in ("Address 127.0.0.1,::1", "Host localhost")
    }


SHUT = {
    "allow users": "AllowUsers in sshd's configuration: eve root",
    "allow groups": "AllowGroups in sshd's configuration: root ssh-*",
    "deny users": "DenyUsers in sshd's configuration: eve b*",
    "deny groups": "DenyGroups in sshd's configuration: sudo",
    "match": "AllowGroups in sshd's configuration: root",
    "no negation": "AllowUsers in sshd's configuration: !eve",
    "expired": "the account has expired",
    "expired, no PAM": "the account has expired",
    "expired long ago": "the account has expired",
    "locked, no PAM": (
        "the account's password is locked (!), and sshd without PAM lets nobody in then"
    ),
    "aged for long": "the account's password has expired, and PAM accepts no new one any more",
}
DOUBT = "bob may not be able to log in: "
AGED = DOUBT + "the account's password has expired: the first login demands a new one"
HANGS = DOUBT + "it depends on where the login comes from: %s in sshd's configuration: %s"
OPEN = {
    "nothing": [],
    "match local": ["sshd refuses logins from outside: AllowUsers in sshd's configuration: eve"],
    "in a group": [],
    "no negation either": [],
    "locked": [],
    "aged": [AGED],
    "aged without one": [],  # R9: an account without a password does not age
    "aged, no PAM": [AGED],
    "from here": [HANGS % ("AllowUsers", "bob@127.0.0.0/8")],
    "not from there": [HANGS % ("DenyUsers", "bob@10.0.0.0/8")],
}


def test_ready_means_that_sshds_lists_and_shadow_let_the_admin_in() -> None:
    """What the module says, beside what sshd does."""
    seen = inside("rules", "chpasswd")
    (made, shut), renewed = seen.pop("password"), seen.pop("renewed")
    assert set(seen) == set(SHUT) | set(OPEN) == set(RULES)
    for name, (said, got) in seen.items():
        if name in SHUT:
            assert said[0] == "nobody could log in" and "why=%s); " % SHUT[name] in said[1], name
        else:
            assert said == ["0 of 1 keys added to /home/bob/.ssh/authorized_keys", OPEN[name]], name
        # What sshd says of a login from here does not hold for one from anywhere; and an aged
        # password is asked for.
        assert (got == "bob") == (name in OPEN and name != "aged"), (name, got)
    assert seen["aged"][1].startswith("Password change required")
    assert "the platform's password" in made[0] and shut[0] == "nobody could log in"
    assert renewed == [["no keys given, and password login is on", []], "bob"]


def test_no_program_gets_the_password_as_an_argument() -> None:
    """chpasswd is asked twice, since PAM refuses at first; strace sees all that is started, by
    whomever.
    """
    # Not on the machine's own file system, which is made read-only meanwhile.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        started = trace_password(folder + "/trace")
    assert started.count('"/usr/sbin/chpasswd"') >= 4
    assert (
        "#$%&'()" not in started
        and "ABCDEFGHIJK" not in started
        and "$6$" not in started
        and "$y$" not in started
    )


def trace_password(trace: str) -> str:
    """What strace, writing to the file ``trace``, says of all that is started."""
    seen = inside(
        "argv",
        "chpasswd",
        "strace",
        before=["strace", "-f", "-qq", "-e", "trace=execve", "-v", "-s", "65536", "-o", trace],
    )
    assert seen["first"] == ["made user bob", []]
    with open(trace, encoding="utf-8") as handle:
        return handle.read()
