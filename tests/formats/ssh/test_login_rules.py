"""sshd's lists of users and groups, and shadow: who is kept out. What a real sshd does is in
tests/real_tools.
"""

from __future__ import annotations

from typing import Optional

import pytest

from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.login_rules import judge_lists, judge_shadow
from lightinit.formats.ssh.sshd_config import Who

BOB = Who("bob", ("bob", "adm", "domain users"))


@pytest.mark.parametrize(
    "output, shut",
    [
        ("", ""),
        ("port 22\nallowtcpforwarding yes\n", ""),
        ("allowusers eve", "AllowUsers"),
        ("allowusers eve\nallowusers bob", ""),
        ("allowusers b?b", ""),
        ("allowusers BOB", "AllowUsers"),
        ("allowusers bob,eve", "AllowUsers"),
        ("allowusers [b]ob", "AllowUsers"),
        ("allowusers !eve", "AllowUsers"),
        ("allowusers !bob\nallowusers *", ""),
        ("denyusers !eve", ""),
        ("allowusers bob@*", ""),
        ("allowusers eve@*", "AllowUsers"),
        ("allowusers eve@10.0.0.1", "AllowUsers"),
        ("denyusers bob", "DenyUsers"),
        ("denyusers bob@*", "DenyUsers"),
        ("denyusers eve", ""),
        ("denyusers b*\nallowusers bob", "DenyUsers"),
        ("allowgroups wheel", "AllowGroups"),
        ("allowgroups wheel\nallowgroups adm", ""),
        ("allowgroups domain users", ""),
        ("allowgroups domain", "AllowGroups"),
        ("denygroups a?m", "DenyGroups"),
        ("denygroups wheel", ""),
        ("allowusers bob\nallowgroups wheel", "AllowGroups"),
        ("allowgroups bob\ndenygroups adm", "DenyGroups"),
    ],
)
def test_sshds_lists(output: str, shut: str) -> None:
    verdict = judge_lists(Effective(output), BOB)
    assert (verdict.shut.split(" ")[0], verdict.doubt) == (shut, "")


@pytest.mark.parametrize(
    "output", ["allowusers bob@10.0.0.0/8", "denyusers bob@10.*", "denyusers *@!10.0.0.1,*"]
)
def test_what_depends_on_the_host_is_a_doubt(output: str) -> None:
    verdict = judge_lists(Effective(output), BOB)
    assert verdict.shut == "" and verdict.doubt.endswith(": " + output.split(" ")[1])


def test_a_doubt_does_not_hide_what_is_certain() -> None:
    assert (
        judge_lists(Effective("denyusers bob@10.*\nallowgroups wheel"), BOB).shut
        == "AllowGroups in sshd's configuration: wheel"
    )


@pytest.mark.parametrize(
    "fields, pam, shut, doubt",
    [
        ("*:100:0:99999:7::", True, "", ""),
        ("*:::::::", True, "", ""),
        ("*:100:0:-1:7::", True, "", ""),
        ("*:100:0:99999:7::1000", True, "expired", ""),
        ("*:100:0:99999:7::999", None, "expired", ""),
        ("*:100:0:99999:7::0", False, "expired", ""),
        ("*:100:0:99999:7::1001", True, "", ""),
        ("*:100:0:99999:7::-1", True, "", ""),
        ("*:100:0:99999:7::\u0663", True, "", ""),
        ("!$6$x$y:100:0:99999:7::", False, "locked", ""),
        ("!$6$x$y:100:0:99999:7::", True, "", ""),
        ("!$6$x$y:100:0:99999:7::", None, "", ""),
        ("$6$x$y:100:0:899:7::", True, "", "password has expired"),
        ("$6$x$y:100:0:900:7::", True, "", ""),
        ("$6$x$y:0:0:99999:7::", True, "", "password has expired"),
        ("$6$x$y:0:0:90:7:1:", True, "", "password has expired"),
        ("$6$x$y:100:0:90:7:809:", True, "no new one any more", ""),
        ("$6$x$y:100:0:90:7:810:", True, "", "password has expired"),
        ("$6$x$y:100:0:90:7:809:", False, "", "password has expired"),
        ("*:100:0:90:7::", True, "no old one", ""),
        ("*:100:0:90:7::", None, "", "password has expired"),
        ("$6$x$y:2000:0:90:7::", True, "", ""),
    ],
)
def test_shadow(fields: str, pam: Optional[bool], shut: str, doubt: str) -> None:
    verdict = judge_shadow("root:*:1:0:1:7::1\nbob:%s:\n" % fields, "bob", 1000, pam)
    assert shut in verdict.shut and bool(shut) == bool(verdict.shut), verdict
    assert doubt in verdict.doubt and bool(doubt) == bool(verdict.doubt), verdict


def test_a_password_that_is_to_come_makes_up_for_the_old_one_and_for_no_expiry() -> None:
    for fields in ("!$6$x$y:100:0:90:7:1:", "$6$x$y:100:0:90:7:1:"):
        assert (
            judge_shadow("bob:%s:\n" % fields, "bob", 1000, False, password_is_new=True).doubt == ""
        )
        assert (
            judge_shadow("bob:%s:\n" % fields, "bob", 1000, False, password_is_new=True).shut == ""
        )
    assert judge_shadow("bob:*:100:0:90:7::999:\n", "bob", 1000, True, password_is_new=True).shut


def test_an_account_that_shadow_does_not_know() -> None:
    assert not judge_shadow("root:*:1:0:1:7::1\n", "bob", 1000, True).shut
