"""What decides about logins beside sshd: PAM's files, sudo's answer; and lightinit's records."""

from __future__ import annotations

import json

from lightinit.formats import records
from lightinit.formats.accounts import account_options, given_rules, sudo_listing
from lightinit.formats.pam import access, conditions, limits, stack
from lightinit.formats.ssh import dropbear_keys, dropbear_options
from lightinit.model import User
from tests.lib.readers.reader import Reader, text

VISITOR = access.Visitor("bob", ("bob", "wheel"), "192.0.2.1")
VALUES = {"user": "bob", "uid": "1000"}
STACK = (
    b"account required pam_access.so\n"
    b"account [success=1 default=ignore] pam_succeed_if.so uid < 1000\n"
    b"@include common\n"
)


LISTING = b"User bob may run the following commands on a:\n\n"
SUDO_RULE = b"Sudoers entry: /etc/sudoers\n    RunAsUsers: ALL\n    Options: !authenticate\n\tALL\n"


def _stack(data: bytes) -> None:
    given = text(data)
    for entry in stack.read_stack("sshd", "account", lambda service: given):
        conditions.succeed_if(entry.arguments, VALUES, VISITOR.groups)
        conditions.read_listfile(entry.arguments)


def _sudo(data: bytes) -> None:
    for password in (False, True):
        sudo_listing.judge(text(data), password)


def _limits(data: bytes) -> None:
    limits.find_login_limit([text(data)], "bob", ("wheel",))


def _dropbear(data: bytes) -> None:
    given = text(data)
    variables = dict(
        dropbear_options.read_environment([given]), **dropbear_options.read_variables(given)
    )
    words = dropbear_options.expand(dropbear_options.read_exec_start([given]), variables)
    options = dropbear_options.read_options(words)
    dropbear_options.find_unreached(options.ports, ["10.0.0.4"])
    dropbear_options.read_version(given)
    options = dropbear_options.read_started([], [given], [given], given)
    dropbear_keys.list_places(options, [given])
    dropbear_keys.find_type(given, data)
    dropbear_keys.is_on_demand(options, [given])
    dropbear_keys.find_public(given)


def _records(data: bytes) -> None:
    try:
        records.read_record(User, json.loads(text(data)), {})
    except (ValueError, RecursionError):
        pass  # what its callers expect


def _given_rules(data: bytes) -> None:
    given = text(data)
    given_rules.is_plain(given)
    given_rules.is_doas_rule_of("bob", given)
    given_rules.as_doas_rule("bob", given)
    given_rules.edit_rules_file(given, [("bob", "ALL=(ALL) ALL")], {"eve"})
    given_rules.add_doas_rules(given, given.split("\n"))


def _account_options(data: bytes) -> None:
    given = text(data)
    account_options.is_group_name(given)
    account_options.is_path(given)
    account_options.is_days(given)
    account_options.is_selinux_user(given)
    account_options.read_day(given)


READERS = (
    Reader(
        "accounts.given_rules",
        _given_rules,
        ((b"", b""), (b"ALL=(", b") ALL"), (b"ALL=", b"ALL"), (b"permit setenv {", b"} bob")),
        ((b"", b"eve A%d\n", b""), (b"permit ", b"setenv { A } ", b"bob")),
    ),
    Reader("accounts.account_options", _account_options, ((b"", b""), (b"/a", b"/b"))),
    Reader(
        "pam.access",
        lambda data: access.judge_access(text(data), VISITOR),
        ((b"-:", b":ALL\n"), (b"-:ALL:", b"\n"), (b"+:bob EXCEPT ", b":ALL\n")),
        (
            (b"", b"-:root%d:ALL\n", b""),
            (b"-:ALL:", b"10.%d.0.0/8 ", b"\n"),
            (b"-:ALL:", b"EXCEPT a ", b"\n"),
        ),
        (b"-:ALL EXCEPT root (wheel):10. cron :0\n",),
    ),
    Reader(
        "pam.stack",
        _stack,
        (
            (b"account required pam_succeed_if.so uid < ", b"\n"),
            (b"account [", b"] pam_access.so\n"),
            (b"account ", b" pam_access.so\n"),
        ),
        (
            (b"", b"account required pam_access.so\n", b""),
            (b"account required pam_succeed_if.so ", b"uid < 7 ", b"\n"),
            (b"account required pam_listfile.so ", b"a%d=b ", b"\n"),
            (b"account [", b"a%d=1 ", b"] pam_access.so\n"),
            (b"", b"@include a\n", b""),
        ),
        (STACK,),
    ),
    Reader(
        "pam.limits",
        _limits,
        ((b"bob hard maxlogins ", b"\n"), (b"@wheel - ", b" 0\n")),
        ((b"", b"@wheel hard maxlogins 0\n", b""), (b"bob ", b"a ", b"\n")),
        (b"* hard maxlogins 0\nbob - maxlogins 4\n",),
    ),
    Reader(
        "ssh.dropbear_options",
        _dropbear,
        ((b'DROPBEAR_OPTS="', b'"\n'), (b"ExecStart=/usr/sbin/dropbear ", b"\n")),
        (
            (b"ExecStart=a ", b"-p 22 ", b"\n"),
            (b"ExecStart=a -", b"s", b"\n"),
            (b"", b"A%d=b\n", b""),
            (b"ExecStart=a ", b"$A ", b"\nA=b\n"),
            (b"", b"ExecStart=a\n", b""),
        ),
        (b'OPTIONS="-s -p 22"\nExecStart=/usr/sbin/dropbear -F $OPTIONS\n',),
    ),
    Reader(
        "accounts.sudo_listing",
        _sudo,
        ((LISTING, b"\n"), (b"User ", b" may run the following commands on a:\n")),
        (
            (LISTING, SUDO_RULE, b""),
            (LISTING + SUDO_RULE, b"\t!/bin/a%d\n", b""),
            (LISTING + b"    RunAsUsers: ", b"root, ", b"\n\tALL\n"),
            (b"Matching Defaults entries for bob:\n", b"    a%d, !targetpw,\n", LISTING),
        ),
        (LISTING + SUDO_RULE,),
    ),
    Reader(
        "records",
        _records,
        ((b'{"name": "', b'"}'),),
        ((b'{"name": "a", "groups": [', b'"g%d", ', b'"g"]}'),),
        (b'{"name": "bob"}',),
    ),
)
