"""What sudo says about a user's rules (R1: flyingcircusio/fc-nixos#39)."""

from __future__ import annotations

from typing import Optional, Tuple

import pytest

from lightinit.formats.accounts.sudo_listing import judge, read_listing

HEAD = "User bob may run the following commands on vm:\n"
DEFAULTS = (
    "Matching Defaults entries for bob on vm:\n    env_reset, mail_badpass,\n"
    "    secure_path=/usr/local/sbin\\:/usr/bin,\n    use_pty%s\n\n"
)
SPECIAL = "Runas and Command-specific defaults for bob:\n    Defaults!/bin/ls,/bin/su rootpw\n\n"
# As sudo 1.9.13 prints it.
OURS = (
    "\nSudoers entry:\n    RunAsUsers: ALL\n    RunAsGroups: ALL\n    Options: !authenticate\n"
    "    Commands:\n\tALL\n"
)
ASKS = "\nSudoers entry:\n    RunAsUsers: ALL\n    RunAsGroups: ALL\n    Commands:\n\tALL\n"
# Newer ones name the file.
NAMED = ASKS.replace("entry:", "entry: /etc/sudoers.d/wheel")
LDAP = (
    "\nLDAP Role: admins\n    RunAsUsers: root\n    Options: authenticate\n    Commands:\n\tALL\n"
)
OTHER_USER = "\nSudoers entry:\n    RunAsUsers: postgres\n    Commands:\n\tALL\n"
NOT_ROOT = "\nSudoers entry:\n    RunAsUsers: ALL, !root\n    Commands:\n\tALL\n"
ONE = "\nSudoers entry:\n    RunAsUsers: root\n    Options: setenv\n    Commands:\n\t/bin/ls *\n"
EXCEPT = (
    "\nSudoers entry:\n    RunAsUsers: ALL\n    Options: !authenticate\n    Commands:\n\tALL\n"
    "\t!/bin/su\n"
)
DATED = OURS.replace("authenticate\n", "authenticate\n    NotAfter: 20200101000000Z\n")
CHROOT = OURS.replace("authenticate\n", "authenticate\n    Chroot: /srv\n")
NOTHING = "\nSudoers entry:\n    RunAsUsers: ALL\n    Commands:\n\t!ALL\n"


@pytest.mark.parametrize(
    "text, whys",
    [
        (HEAD + OURS, ("", "")),
        (DEFAULTS % "" + HEAD + ASKS + OURS, ("", "")),
        (HEAD + ASKS, ("a rule asks for a password: (ALL) ALL", "")),
        (
            HEAD + OURS + NAMED,
            ("a rule asks for a password: (ALL) ALL in /etc/sudoers.d/wheel", ""),
        ),
        (HEAD + OURS + LDAP, ("a rule asks for a password: (root) ALL in admins", "")),
        (HEAD + OURS + ONE, ("a rule asks for a password: (root) /bin/ls *", "")),
        (HEAD + OURS + OTHER_USER + NOT_ROOT, ("", "")),
        (HEAD + OURS + EXCEPT, ("a rule forbids commands: (ALL) ALL, !/bin/su",) * 2),
        (HEAD + EXCEPT + OURS, ("", "")),
        (HEAD + OURS + DATED, ("", "")),
        (HEAD + DATED, ("no rule lets the user run every command as root",) * 2),
        (HEAD + OURS + CHROOT, ("a rule runs commands with /srv as their root: (ALL) ALL",) * 2),
        (HEAD + CHROOT + OURS, ("", "")),
        (HEAD + OURS + NOTHING, ("a rule forbids every command: (ALL) !ALL",) * 2),
        (HEAD + NOTHING + OURS, ("", "")),
        (HEAD + OTHER_USER, ("no rule lets the user run every command as root",) * 2),
        (HEAD + ONE, ("no rule lets the user run every command as root",) * 2),
        (DEFAULTS % ", !authenticate" + HEAD + ASKS, ("", "")),
        (
            DEFAULTS % ", targetpw" + HEAD + ASKS,
            (
                "a rule asks for a password: (ALL) ALL",
                "sudo asks for a password that is not the user's own: targetpw",
            ),
        ),
        (DEFAULTS % ", targetpw, !targetpw" + HEAD + ASKS + OURS, ("", "")),
        (DEFAULTS % ", targetpw" + HEAD + ASKS + OURS, ("", "")),
        (
            DEFAULTS % ", !rootpw" + SPECIAL + HEAD + ASKS,
            (
                "a rule asks for a password: (ALL) ALL",
                "sudo asks for a password that is not the user's own: rootpw",
            ),
        ),
        (
            "User bob is not allowed to run sudo on vm.\n",
            ("no rule lets the user run every command as root",) * 2,
        ),
        ("", (None, None)),
        ("sudo: sorry, you must have a tty to run sudo\n", (None, None)),
        ("usage: sudo -h | -K | -k | -V\n", (None, None)),
    ],
)
def test_the_last_rule_counts(text: str, whys: Tuple[Optional[str], Optional[str]]) -> None:
    assert (judge(text, False), judge(text, True)) == whys


def test_a_group_may_be_exempt_from_passwords() -> None:
    text = DEFAULTS % ", exempt_group=adm" + HEAD + ASKS
    assert judge(text, False, ("adm", "wheel")) == ""
    assert judge(text, False, ("wheel",)) == judge(text, False) != ""


def test_a_rule_is_read_whole() -> None:
    listing = read_listing(DEFAULTS % "" + HEAD + ONE + LDAP)
    assert listing is not None
    first, second = listing.entries
    assert (first.source, first.run_as, first.options) == ("", ("root",), ("setenv",))
    assert first.commands == ("/bin/ls *",) and second.source == "admins"
    assert listing.settings[0] == "env_reset" and "use_pty" in listing.settings
