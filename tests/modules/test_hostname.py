"""The module hostname, on scratch roots of several make."""

from __future__ import annotations

import os
import socket
import stat
from typing import Any, Dict

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import hostname
from lightinit.settings.shipped import SHIPPED

DEFAULTS: Dict[str, Any] = {
    setting.key: setting.default for setting in SHIPPED["hostname"].settings
}


def put(root: Any, files: Dict[str, str]) -> None:
    for name, text in files.items():
        path = str(root) + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as handle:
            handle.write(text)


def tree(root: Any) -> Dict[str, str]:
    found = {}
    for folder, _, names in os.walk(str(root)):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8", newline="") as handle:
                found[path[len(str(root)) :]] = handle.read()
    return found


def apply(root: Any, *names: str, **settings: Any) -> Outcome:
    return hostname.apply(Instance("id", hostnames=names), System(root), dict(DEFAULTS, **settings))


NO_HOSTS: Dict[str, Any] = {"manage_etc_hosts": False}


@pytest.mark.parametrize(
    "before, changed",
    [
        ({}, {"/etc/hostname": "vm1\n"}),
        ({"/etc/hostname": "old\n"}, {"/etc/hostname": "vm1\n"}),
        (
            {"/etc/conf.d/hostname": '# x\nhostname="old"\n'},
            {"/etc/conf.d/hostname": '# x\nhostname="vm1"\n'},
        ),
        (
            {"/etc/conf.d/hostname": 'hostname="old"\n', "/etc/hostname": "old\n"},
            {"/etc/conf.d/hostname": 'hostname="vm1"\n', "/etc/hostname": "vm1\n"},
        ),
        ({"/etc/HOSTNAME": "old\n"}, {"/etc/HOSTNAME": "vm1\n"}),
        (
            {"/etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=old\n"},
            {"/etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=vm1\n"},
        ),
        ({"/etc/sysconfig/network": "# anaconda\n"}, {"/etc/hostname": "vm1\n"}),
        ({"/etc/rc.conf": 'HOSTNAME="old"\n'}, {"/etc/rc.conf": 'HOSTNAME="vm1"\n'}),
        ({"/etc/rc.conf": '#HOSTNAME="old"\n'}, {"/etc/hostname": "vm1\n"}),
        (
            {"/etc/HOSTNAME": "old\n", "/usr/lib/systemd/systemd": ""},
            {"/etc/HOSTNAME": "vm1\n", "/etc/hostname": "vm1\n"},
        ),
    ],
)
def test_the_files_that_this_host_uses(
    tmp_path: Any, before: Dict[str, str], changed: Dict[str, str]
) -> None:
    put(tmp_path, before)
    apply(tmp_path, "vm1", **NO_HOSTS)
    assert tree(tmp_path) == dict(before, **changed)


def test_a_second_run_writes_nothing(tmp_path: Any) -> None:
    put(
        tmp_path,
        {"/etc/conf.d/hostname": 'hostname="old"\n', "/etc/hosts": "127.0.0.1 localhost\n"},
    )
    apply(tmp_path, "vm1.example.org")
    inodes = {name: os.stat(str(tmp_path) + name).st_ino for name in tree(tmp_path)}
    apply(tmp_path, "vm1.example.org")
    assert {name: os.stat(str(tmp_path) + name).st_ino for name in tree(tmp_path)} == inodes


def test_the_old_names_line_in_hosts_becomes_the_new_ones(tmp_path: Any) -> None:
    put(
        tmp_path,
        {
            "/etc/hostname": "image\n",
            "/etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\timage.lan image\n# end",
        },
    )
    apply(tmp_path, "vm1.example.org")
    assert (
        tree(tmp_path)["/etc/hosts"]
        == "127.0.0.1\tlocalhost\n127.0.1.1\tvm1.example.org vm1\n# end"
    )


def test_a_crash_between_hosts_and_hostname_is_completed(tmp_path: Any) -> None:
    put(tmp_path, {"/etc/hostname": "image\n", "/etc/hosts": "127.0.1.1\tvm1\n"})
    apply(tmp_path, "vm1")
    assert tree(tmp_path) == {"/etc/hostname": "vm1\n", "/etc/hosts": "127.0.1.1\tvm1\n"}


def test_hosts_can_be_left_alone(tmp_path: Any) -> None:
    put(tmp_path, {"/etc/hosts": "127.0.0.1 localhost\n"})
    apply(tmp_path, "vm1", **NO_HOSTS)
    assert tree(tmp_path)["/etc/hosts"] == "127.0.0.1 localhost\n"


def test_bytes_that_are_no_text_come_through(tmp_path: Any) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hosts").write_bytes(b"10.1.1.1 j\xf6rg\n")
    apply(tmp_path, "vm1")
    assert (
        tmp_path / "etc/hosts"
    ).read_bytes() == b"10.1.1.1 j\xf6rg\n127.0.1.1\tvm1\t# lightinit\n"


def test_the_next_candidate_is_taken_when_one_is_invalid(tmp_path: Any) -> None:
    outcome = apply(tmp_path, "bad_name", "", "vm2", "vm3")
    assert outcome.message == "host name is vm2"
    assert len(outcome.warnings) == 1 and "bad_name" in outcome.warnings[0]


def test_a_name_that_is_cut_is_said(tmp_path: Any) -> None:
    outcome = apply(tmp_path, "a" * 70)
    assert tree(tmp_path)["/etc/hostname"] == "a" * 63 + "\n"
    assert "63 characters" in outcome.warnings[0]


@pytest.mark.parametrize("names", [(), ("",), ("bad_name", "-x")])
def test_without_a_valid_name_nothing_changes_and_a_warning_says_so(
    tmp_path: Any, names: Any
) -> None:
    put(tmp_path, {"/etc/hostname": "image\n"})
    outcome = apply(tmp_path, *names)
    assert outcome.warnings
    assert tree(tmp_path) == {"/etc/hostname": "image\n"}


def test_the_settings_name_comes_first(tmp_path: Any) -> None:
    assert apply(tmp_path, "vm1", hostname="mine").message == "host name is mine"
    assert apply(tmp_path, "vm1", hostname="not_mine").message == "host name is vm1"


def test_a_name_can_be_preserved(tmp_path: Any) -> None:
    put(tmp_path, {"/etc/hostname": "image\n"})
    assert apply(tmp_path, "vm1", preserve_hostname=True).skipped
    assert tree(tmp_path) == {"/etc/hostname": "image\n"}


def test_a_scratch_root_leaves_the_live_name(tmp_path: Any) -> None:
    before = socket.gethostname()
    system = System(tmp_path)
    hostname.apply(Instance("id", hostnames=("vm1",)), system, DEFAULTS)
    assert "live host name" in system.skipped and socket.gethostname() == before


def test_a_scratch_root_renews_no_lease(tmp_path: Any) -> None:
    files = {
        "/proc/7/comm": "dhclient\n",
        "/proc/7/cmdline": "dhclient\0eth0\0",
        "/etc/hostname": "image\n",
        "/etc/dhcp/dhclient.conf": "send host-name = gethostname();\n",
        "/var/lib/dhcp/dhclient.leases": "lease {}\n",
    }
    put(tmp_path, files)
    assert apply(tmp_path, "vm1", **NO_HOSTS) == Outcome("host name is vm1")
    assert tree(tmp_path) == dict(files, **{"/etc/hostname": "vm1\n"})


@pytest.mark.parametrize(
    "path, other",
    [
        ("/etc/hostname", "/etc/conf.d/hostname"),
        ("/etc/conf.d/hostname", "/etc/hostname"),
        ("/etc/sysconfig/network", "/etc/hostname"),
        ("/etc/HOSTNAME", "/etc/hostname"),
    ],
)
def test_a_file_that_cannot_be_read_costs_no_other(tmp_path: Any, path: str, other: str) -> None:
    """N1: each file by itself; a name costs no VM."""
    put(tmp_path, {other: "" if other == "/etc/hostname" else "hostname=old\n"})
    os.makedirs(str(tmp_path) + path)
    outcome = apply(tmp_path, "vm1")
    assert outcome.message == "host name is vm1" and "vm1" in tree(tmp_path)[other]
    if path != "/etc/sysconfig/network":  # nobody knows whether the host reads its name there
        (warning,) = outcome.warnings
        assert warning.startswith(path + " is left as it is: file cannot be read (Is a directory)")
        assert "after a reboot the host has the name in that file again" in warning


def test_trouble_with_hosts_is_a_warning_only(tmp_path: Any) -> None:
    (tmp_path / "etc" / "hosts").mkdir(parents=True)
    outcome = apply(tmp_path, "vm1")
    assert outcome.message == "host name is vm1" and tree(tmp_path)["/etc/hostname"] == "vm1\n"
    assert outcome.warnings == (
        "/etc/hosts is left as it is: file cannot be read (path=/etc/hosts, error=Is a directory)",
    )


class ReadOnlyFile(System):
    """A machine on which one file is mounted from elsewhere, as containers have /etc/hosts."""

    def __init__(self, root: Any, read_only: str) -> None:
        super().__init__(root)
        self._read_only = read_only

    def write(self, name: str, *arguments: Any, **named: Any) -> None:
        if name == self._read_only:
            raise ProvisioningError(
                "file cannot be written", path=name, error="Device or resource busy"
            )
        super().write(name, *arguments, **named)


def test_hosts_that_cannot_be_written_is_a_warning_only(tmp_path: Any) -> None:
    put(tmp_path, {"/etc/hosts": "127.0.0.1 localhost\n"})
    system = ReadOnlyFile(tmp_path, "/etc/hosts")
    outcome = hostname.apply(Instance("id", hostnames=("vm1",)), system, DEFAULTS)
    assert "/etc/hosts is left as it is: file cannot be written" in outcome.warnings[0]
    assert tree(tmp_path) == {"/etc/hosts": "127.0.0.1 localhost\n", "/etc/hostname": "vm1\n"}


@pytest.mark.parametrize("path", ["/etc/hostname", "/etc/conf.d/hostname"])
def test_a_name_that_cannot_be_written_is_a_warning_only(tmp_path: Any, path: str) -> None:
    """N1: NixOS/nixpkgs#285464."""
    put(tmp_path, {path: "hostname=old\n" if "conf.d" in path else "old\n"})
    system = ReadOnlyFile(tmp_path, path)
    outcome = hostname.apply(Instance("id", hostnames=("vm1",)), system, DEFAULTS)
    (warning,) = outcome.warnings
    assert "file cannot be written (Device or resource busy); after a reboot" in warning
    assert outcome.message == "host name is vm1" and "vm1" in tree(tmp_path)["/etc/hosts"]


@pytest.mark.parametrize("lines, known", [(60000, True), (700000, False)])
def test_a_long_hosts_file(tmp_path: Any, lines: int, known: bool) -> None:
    before = "127.0.0.1 localhost\n" + "0.0.0.0 ads.example.com\n" * lines
    put(tmp_path, {"/etc/hosts": before})
    outcome = apply(tmp_path, "vm1")
    after = (
        before.replace("localhost\n", "localhost\n127.0.1.1\tvm1\t# lightinit\n", 1)
        if known
        else before
    )
    assert (tree(tmp_path)["/etc/hosts"] == after) and tree(tmp_path)["/etc/hostname"] == "vm1\n"
    assert known or "file is too large" in outcome.warnings[0]


@pytest.mark.parametrize(
    "name", ["/etc/hosts", "/etc/hostname", "/etc/HOSTNAME", "/etc/conf.d/hostname"]
)
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_the_files_keep_their_mode_and_their_owner(tmp_path: Any, name: str, mode: int) -> None:
    put(tmp_path, {name: "127.0.0.1 localhost\n"})
    path = str(tmp_path) + name
    os.chmod(path, mode)
    owner = (1234, 4321) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    os.chown(path, *owner)
    before = os.stat(path)
    apply(tmp_path, "vm1")
    after = os.stat(path)
    assert after.st_ino != before.st_ino or tree(tmp_path)[name] != "127.0.0.1 localhost\n", (
        "it was written"
    )
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (mode,) + owner
