"""What Python alone takes for a blank or a line end, in text that others wrote."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Iterator, List

import pytest

from lightinit.errors import ProvisioningError
from lightinit.files.guarded import check_content
from lightinit.formats.accounts import login_defs, passwd
from lightinit.formats.blanks import BLANKS, SPACES, words_of
from lightinit.formats.cloud_config.readers.users import read_accounts
from lightinit.formats.disks import fstab
from lightinit.formats.disks.mounts import parse_swaps
from lightinit.formats.hosts_file import edit_hosts
from lightinit.formats.packages import apt_sources
from lightinit.formats.pam.access import Visitor, judge_access
from lightinit.formats.pam.limits import find_login_limit
from lightinit.formats.pam.stack import read_stack
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.sshd_config import split_lines
from lightinit.host.system import System

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The readers of files whose own programs part words at BLANKS or SPACES.
HELD = (
    "files/guarded.py",
    "formats/accounts/login_defs.py",
    "formats/accounts/passwd.py",
    "formats/accounts/privileges.py",
    "formats/assignments.py",
    "formats/disks/fstab.py",
    "formats/disks/mounts.py",
    "formats/hosts_file.py",
    "formats/packages/apt_sources.py",
    "formats/pam/access.py",
    "formats/pam/conditions.py",
    "formats/pam/limits.py",
    "formats/pam/stack.py",
    "formats/services/resolver.py",
    "formats/ssh/effective.py",
    "formats/ssh/login_words.py",
    "formats/ssh/origins.py",
    "formats/ssh/public_keys.py",
    "formats/ssh/sshd_config.py",
    "login/key_files.py",
)
PYTHONS_OWN = ("\x1c", "\x1f", "\x85", "\xa0", "\u2003", "\u2028")


def test_words() -> None:
    assert words_of(" a\t\vb\f\r\n") == ["a", "b"]
    assert words_of("\ta b\r", SPACES) == ["a", "b\r"]
    assert not words_of("") and not words_of(BLANKS)


@pytest.mark.parametrize("odd", PYTHONS_OWN)
def test_what_is_a_blank_for_python_alone(tmp_path: Path, odd: str) -> None:
    """getent, findmnt, sshd -T, apt-get indextargets and libpam read these lines so."""
    hosts = "127.0.0.1 localhost\n10.0.0.1%svm\n" % odd
    assert edit_hosts(hosts, "vm", []).count("vm") == 2
    assert "/mnt" not in dict(fstab.other_lines("/dev/sdb1%s/mnt ext4 defaults\n" % odd)).values()
    assert parse_swaps("Filename\n/s%sw\t\tfile\t\t1024\t\t0\n" % odd) == [("/s%sw" % odd, 1024)]
    assert login_defs.read_uid_min("UID_MIN%s500\n" % odd) == login_defs.UID_MIN
    assert find_login_limit(["bob%shard maxlogins 0\n" % odd], "bob", ()) == (None, "")
    assert judge_access("-:bob:ALL%s\n" % odd, Visitor("bob", (), "10.0.0.1")).allowed is None
    pam = "account%srequired a.so\naccount required b.so%s\n" % (odd, odd)
    assert [each.module for each in read_stack("x", "account", lambda _: pam)] == ["b.so" + odd]
    keys = "/k%s%%u" % odd
    assert list(split_lines("AuthorizedKeysFile %s\n" % keys)) == [("authorizedkeysfile", [keys])]
    assert Effective("authorizedkeysfile %s .ssh/a\n" % keys).words("authorizedkeysfile") == [
        keys,
        ".ssh/a",
    ]
    assert apt_sources.find_wrong_line("deb%shttp://h.example/ s main\n" % odd) == 1
    sources = "# a%sSuites: x\nTypes: deb\nURIs: http://h/\nSuites: s s-updates\n" % odd
    assert apt_sources.disable_suites(sources, ["s-updates"]) == sources.replace(" s-updates", "")
    with pytest.raises(ProvisioningError):
        check_content(
            System(root=str(tmp_path)), "/etc/nsswitch.conf", ("passwd:%sfiles\n" % odd).encode()
        )
    users = read_accounts({"users": [{"name": "a", "sudo": "ALL=(ALL) X%sALL=(ALL) ALL" % odd}]})
    assert [len(each.sudo or ()) for each in users[0].users or ()] == [1]


def test_the_carriage_return_of_a_file_from_windows() -> None:
    """glibc and libpam take it for a part of the last word: fgetpwent, fgetgrent, pam_start."""
    shell = passwd.find_account("bob:x:1000:1000::/home/bob:/bin/sh\r\n", "bob")
    assert shell is not None and shell.shell == "/bin/sh\r"
    assert passwd.list_groups("sudo:x:27:bob\r\nadm:x:4:a, bob\n", "bob") == ["adm"]
    assert passwd.add_member("sudo:x:27:\r\n", "sudo", "bob") == "sudo:x:27:bob\n"
    pam = "account required pam_unix.so\r\n\r\naccount required a.so x\r\n"
    found = read_stack("x", "account", lambda _: pam)
    assert [each.module for each in found] == ["pam_unix.so\r", "a.so"]
    assert list(split_lines("Port 22 \r\n\fPort 23\nPort 24\f\n")) == [
        ("port", ["22"]),
        ("port", ["24"]),
    ]
    assert parse_swaps("Filename\n/a\rb file 8 0 -2\n") == [("/a\rb", 8)]


def test_a_zero_byte_in_the_configuration_of_sshd() -> None:
    """As ``sshd -T`` reads it. In a path, it raised an error where no one expects one."""
    text = "AuthorizedKeysFile a\0b c\nPort 22\nHostKey /a\0"
    assert list(split_lines(text)) == [("authorizedkeysfile", ["aPort", "22"]), ("hostkey", ["/a"])]


def test_a_comment_of_pam_hides_no_other_line() -> None:
    """libpam joins lines at a backslash, but not after a comment."""
    text = "# x \\\naccount required a.so#\\\naccount required \\ \t\n b.so \\\n c\n"
    found = read_stack("x", "account", lambda _: text)
    assert [(each.module, each.arguments) for each in found] == [("a.so", ()), ("b.so", ("c",))]


def _loose(tree: ast.AST) -> Iterator[int]:
    """The lines that part or strip text at what Python takes for a blank."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            of_none = [getattr(each, "value", "") for each in node.args[:1]] in ([], [None])
            if name == "splitlines" or (of_none and re.fullmatch(r"r?split|[lr]?strip", name)):
                yield node.lineno


def test_readers_of_the_hosts_files_part_words_as_its_programs_do() -> None:
    found: List[str] = []
    for path in HELD:
        with open(os.path.join(HERE, "lightinit", path), encoding="utf-8") as handle:
            found += ["%s:%d" % (path, line) for line in _loose(ast.parse(handle.read()))]
    assert not found, "use words_of and BLANKS of lightinit/formats/blanks.py"
