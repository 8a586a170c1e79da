"""Host keys that are begun before the module puts them in place, by programs that a test tells what
to do.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Sequence

import pytest

from lightinit.host.ssh import early
from lightinit.model import Instance, Outcome
from lightinit.modules import ssh_host_keys
from tests.lib.early_host import BLOB, DROPBEARKEY, KEYGEN, EarlyHost, openssh
from tests.lib.scripts import is_alive

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root is needed: files change owners")


def begin(system: EarlyHost, count: int = 3, keep: bool = False) -> None:
    """Begin, and wait until all programs have started."""
    ssh_host_keys.begin(system, {"keep_existing": keep})
    until_s = time.monotonic() + 120
    while len(system.starts) < count and time.monotonic() < until_s:
        time.sleep(0.01)
    assert len(system.starts) == count


def apply(system: EarlyHost, keep: bool = False) -> Outcome:
    return ssh_host_keys.apply(Instance("id"), system, {"keep_existing": keep})


def pid_of(system: EarlyHost) -> int:
    until_s = time.monotonic() + 120
    while time.monotonic() < until_s:
        try:
            return int((system.folder / "pid").read_text())
        except (FileNotFoundError, ValueError):
            time.sleep(0.01)
    raise AssertionError("it has not started")


def await_others(system: EarlyHost, pid: int) -> None:
    """Wait until all programs but ``pid``, which hangs, have ended. They are not reaped."""
    for running in early._BEGUN[system].running.values():
        if running.pid != pid:
            os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)


BEGUN = ["-A -f ", "-q -t ecdsa -N  -f ", "-q -t rsa -N  -f "]
ALL_NEW: Dict[str, str] = {}
for _kind in ("ecdsa", "ed25519", "rsa"):
    ALL_NEW["ssh_host_%s_key" % _kind] = "new " + _kind
    ALL_NEW["ssh_host_%s_key.pub" % _kind] = "ssh-ed25519 %s root@%s" % (BLOB, os.uname().nodename)


def test_each_type_is_begun_once_and_put_in_place_later(tmp_path: Path) -> None:
    """Nothing else is started, and the comment has the name that the host has got meanwhile."""
    system = openssh(tmp_path)
    old = {"ssh_host_rsa_key": "old", "ssh_host_dsa_key": "old", "sshd_config": "UsePAM no"}
    for name, text in old.items():
        system.put("/etc/ssh/" + name, text)
    begin(system)
    assert {name: system.found()[name] for name in old if name in system.found()} == old, (
        "nothing of the host has changed"
    )
    assert os.stat(system.root + "/etc/ssh/.lightinit-new").st_mode & 0o777 == 0o700
    assert apply(system) == Outcome("3 SSH host keys made")
    assert system.starts == BEGUN
    assert system.found() == dict(ALL_NEW, sshd_config="UsePAM no")
    assert apply(system) == Outcome("3 SSH host keys made"), "the next time it makes them itself"
    assert system.starts == ["-A -f "] + BEGUN
    early.abandon(system)
    assert system.found() == dict(ALL_NEW, sshd_config="UsePAM no")


@pytest.mark.parametrize("what", ["fail", "die", "half", "hang"])
@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_what_was_not_made_is_made_then(tmp_path: Path, kind: str, what: str, caplog: Any) -> None:
    """ssh-keygen fails, is killed, or takes longer than the module would wait."""
    caplog.set_level(logging.INFO)
    system = openssh(tmp_path)
    system.order(kind, what)
    begin(system)
    if what == "hang":
        pid = pid_of(system)
        assert os.getpriority(os.PRIO_PROCESS, pid) == early.NICE
        await_others(system, pid)
        system.clock.sleep(121)
    assert apply(system) == Outcome("3 SSH host keys made")
    assert system.found() == ALL_NEW
    assert system.starts == ["-A -f "] + BEGUN
    assert "begun early, but: " in caplog.text and "ssh-keygen -A makes it now" in caplog.text
    if what == "hang":
        assert not is_alive(pid) and "did not end within 120 s" in caplog.text


def test_keys_that_cannot_be_made_at_all_are_the_same_error_as_ever(tmp_path: Path) -> None:
    system = openssh(tmp_path)
    script = system.folder / "ssh-keygen"
    script.write_text(script.read_text().replace("rm -f", ": "))
    for kind in ("rsa", "ecdsa", "ed25519"):
        system.order(kind, "fail")
    begin(system)
    with pytest.raises(ssh_host_keys.ProvisioningError, match="ssh host keys could not be made"):
        apply(system)
    early.abandon(system)
    assert system.found() == {}


def test_a_type_that_cannot_be_made_costs_no_other(tmp_path: Path) -> None:
    system = openssh(tmp_path)
    script = system.folder / "ssh-keygen"
    script.write_text(script.read_text().replace("rm -f", ": "))
    system.put("/etc/ssh/ssh_host_rsa_key", "old")
    system.order("rsa", "fail")
    begin(system)
    said = "ssh-keygen made only %s: no rsa; for the other types run: ssh-keygen -A"
    names = "ssh_host_ecdsa_key, ssh_host_ed25519_key"
    assert apply(system) == Outcome("2 SSH host keys made", (said % names,))
    early.abandon(system)
    assert system.found() == {name: ALL_NEW[name] for name in ALL_NEW if "rsa" not in name}


def test_keys_that_stay_are_not_begun(tmp_path: Path) -> None:
    system = openssh(tmp_path)
    for kind, text in (("rsa", "old"), ("ed25519", "old"), ("ecdsa", "")):
        system.put("/etc/ssh/ssh_host_%s_key" % kind, text)
        system.put("/etc/ssh/ssh_host_%s_key.pub" % kind, text)
    begin(system, 2, keep=True)
    assert apply(system, keep=True) == Outcome("1 SSH host keys made, 2 kept")
    assert system.starts == BEGUN[:2]
    found = system.found()
    assert {name: text for name, text in found.items() if "old" in text or "new" in text} == {
        "ssh_host_ecdsa_key": "new ecdsa",
        "ssh_host_ed25519_key": "old",
        "ssh_host_ed25519_key.pub": "old",
        "ssh_host_rsa_key": "old",
        "ssh_host_rsa_key.pub": "old",
    }
    assert found["ssh_host_ecdsa_key.pub"] == ALL_NEW["ssh_host_ecdsa_key.pub"]


def test_a_key_that_has_gone_since_is_made(tmp_path: Path) -> None:
    system = openssh(tmp_path)
    system.put("/etc/ssh/ssh_host_rsa_key", "old")
    begin(system, 2, keep=True)
    os.unlink(system.root + "/etc/ssh/ssh_host_rsa_key")
    assert apply(system, keep=True) == Outcome("3 SSH host keys made")
    assert system.found() == ALL_NEW


def test_a_folder_that_has_gone_since_is_no_loss(tmp_path: Path) -> None:
    system = openssh(tmp_path)
    begin(system)
    await_others(system, 0)
    system.remove_tree("/etc/ssh/.lightinit-new")
    assert apply(system) == Outcome("3 SSH host keys made")
    assert system.found() == ALL_NEW


@pytest.mark.parametrize("abandon", [early.abandon, early.abandon_orphans])
def test_what_nobody_waits_for_is_killed_and_leaves_nothing(tmp_path: Path, abandon: Any) -> None:
    system = openssh(tmp_path)
    system.order("rsa", "hang")
    system.put("/etc/ssh/ssh_host_rsa_key", "old")
    begin(system)
    pid = pid_of(system)
    if abandon is early.abandon_orphans:
        cmdline = "/proc/%d/cmdline" % pid
        system.put(cmdline, "sh\0-c\0another\0")
        abandon(system)
        assert is_alive(pid), "its number is that of another process now"
        system.put(cmdline, Path(cmdline).read_text())
    abandon(system)
    until_s = time.monotonic() + 120
    while is_alive(pid) and time.monotonic() < until_s:
        time.sleep(0.01)
    assert not is_alive(pid)
    assert system.found() == {"ssh_host_rsa_key": "old"}


@pytest.mark.parametrize("parent, killed", [("sh", True), ("lightinit", False)])
def test_what_was_begun_after_the_fork_is_found_in_proc(
    tmp_path: Path, parent: str, killed: bool
) -> None:
    """The watchdog's process has no record of it. One of a new run has lightinit as its parent."""
    system = openssh(tmp_path)
    folder = system.path(early.SCRATCHES[0])
    program = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)", folder + "/12/etc/ssh/x"]
    )
    try:
        system.put("/proc/%d/cmdline" % program.pid, "ssh-keygen\0-f\0%s/12/etc/ssh/x\0" % folder)
        system.put("/proc/%d/stat" % program.pid, "%d (ssh) S 77 1 1 0" % program.pid)
        system.put("/proc/77/cmdline", "python3\0/usr/lib/%s/__main__.py\0boot\0" % parent)
        system.put("/proc/88/cmdline", "ssh-keygen\0-f\0/home/alice/key\0")
        early.abandon_orphans(system)
        if killed:
            assert program.wait(60) == -signal.SIGKILL
        else:
            assert program.poll() is None
    finally:
        program.kill()
        program.wait()


@pytest.mark.parametrize("tools", [(), ("sshd",), ("ssh-keygen",)])
def test_nothing_is_begun_without_a_server_or_its_program(
    tmp_path: Path, tools: Sequence[str]
) -> None:
    system = EarlyHost(tmp_path, dict.fromkeys(tools, KEYGEN))
    ssh_host_keys.begin(system, {"keep_existing": False})
    assert not early.is_begun(system) and system.found() == {}


# -- dropbear


def dropbear(folder: Path) -> EarlyHost:
    system = EarlyHost(folder, {"dropbear": "#!/bin/sh\n", "dropbearkey": DROPBEARKEY})
    system.put("/etc/dropbear/dropbear_rsa_host_key", "----ssh-rsa old")
    system.put("/etc/dropbear/dropbear_dss_host_key", "----ssh-dss old")
    return system


@pytest.mark.parametrize("what", ["", "fail", "empty", "hang"])
def test_dropbears_keys_are_begun_too(tmp_path: Path, what: str, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    system = dropbear(tmp_path)
    system.order("rsa", what)
    begin(system)
    if what == "hang":
        await_others(system, pid_of(system))
        system.clock.sleep(121)
    assert apply(system) == Outcome("3 host keys of dropbear made")
    folder = "/etc/dropbear"
    assert sorted(system.found(folder)) == [
        "dropbear_%s_host_key" % kind for kind in ("ecdsa", "ed25519", "rsa")
    ]
    assert not any("old" in text for text in system.found(folder).values())
    made = [line for line in system.starts if line.startswith("-t")]
    assert len(made) == (4 if what else 3) == len(system.starts), (
        "a program that makes a key prints its public part, which nobody asks for again"
    )
    assert "SSH host key ssh-ed25519 SHA256:" in caplog.text
    early.abandon(system)
    assert not os.path.exists(system.root + "/etc/.dropbear.lightinit-new")
