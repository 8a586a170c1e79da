"""Host keys are begun with the boot, while the lease is waited for: real boots of a live root, with
a ssh-keygen that counts how often it is started.
"""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Dict, List

import pytest

from tests.lib.netns import Namespace, wait_until
from tests.lib.scripts import is_alive
from tests.real_clients.azure_side import BOOT, ENV, Azure, start_dhcp

STARTS, HANG = "/run/starts", "/run/hang"
KEYGEN = """#!/bin/sh
echo "$1 $2 $3" >>/run/starts
echo $$ >>/run/pids
if [ -e /run/hang ]; then while :; do sleep 0.1; done; fi
exec /run/real-keygen "$@"
"""
ONCE_EACH = ["-A -f", "-q -t ecdsa", "-q -t rsa"]


def count_starts(vm: Namespace, hang: bool = False) -> None:
    """From now on ssh-keygen writes down that it was started."""
    vm.run("cp", "/usr/bin/ssh-keygen", "/run/real-keygen")
    vm.write("/run/keygen", KEYGEN, 0o755)
    vm.run("mount", "--bind", "/run/keygen", "/usr/bin/ssh-keygen")
    vm.write(STARTS, "")
    if hang:
        vm.write(HANG, "")


def starts(vm: Namespace) -> List[str]:
    found = [line.split() for line in vm.run("cat", STARTS).splitlines()]
    # A path differs from run to run.
    return sorted(" ".join(word for word in words if word[0] != "/") for words in found)


def start(azure: Azure, vm: Namespace) -> "subprocess.Popen[bytes]":
    """Start a boot, and wait until all of its programs have started, and then its watchdog."""
    process = vm.start(*BOOT, log=azure.folder / "boot.log", env=ENV)
    wait_until(lambda: len(starts(vm)) >= 3, 60, "no keys are begun")
    wait_until(lambda: has_forked(process.pid), 60, "no watchdog is there")
    return process


def has_forked(pid: int) -> bool:
    """Whether a process has a child that runs the same program."""
    children = Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()
    return words_of(str(pid)) in [words_of(child) for child in children]


def words_of(pid: str) -> bytes:
    try:
        return Path("/proc/%s/cmdline" % pid).read_bytes()
    except OSError:  # it has ended
        return b""


def scratch(vm: Namespace) -> str:
    return vm.run("sh", "-c", "ls -d /etc/ssh/.light* 2>/dev/null || true")


def test_keys_are_begun_before_the_lease_and_once(azure: Azure, vm: Namespace) -> None:
    azure.start()
    vm.run(
        "sh",
        "-c",
        "rm -f /etc/ssh/ssh_host_*; ssh-keygen -q -t dsa -N '' -f /etc/ssh/ssh_host_dsa_key",
    )
    count_starts(vm)
    process = start(azure, vm)
    assert starts(vm) == ONCE_EACH
    assert not azure.log.exists() or azure.heard() == [], "no request was possible yet"
    there = vm.run("sh", "-c", "ls /etc/ssh/ssh_host_*").split()
    assert there == ["/etc/ssh/ssh_host_dsa_key", "/etc/ssh/ssh_host_dsa_key.pub"]
    start_dhcp(azure, vm)
    assert process.wait(300) == 0, (azure.folder / "boot.log").read_text()
    assert [post["status"] for post in azure.posts()] == [200]
    assert starts(vm) == ONCE_EACH, "nor is any started later"
    assert len(vm.run("sh", "-c", "ls /etc/ssh/ssh_host_*").split()) == 6
    assert vm.run("sh", "-c", "mkdir -p /run/sshd; /usr/sbin/sshd -t 2>&1") == ""
    comments = vm.run("sh", "-c", "cut -d' ' -f3 /etc/ssh/ssh_host_*.pub").split()
    assert comments == ["root@web-1"] * 3 and scratch(vm) == ""
    timeline = json.loads(vm.run("cat", "/var/lib/lightinit/instance/timeline.json"))["entries"]
    told = [entry["name"] for entry in timeline if entry["name"] == "ssh-keygen"]
    assert told == ["ssh-keygen"] * 3

    # A boot that has to report again, with the keys in place.
    vm.run("rm", "/var/lib/lightinit/instance/provisioned")
    vm.run("rm", "/var/lib/lightinit/instance/sem/stage.final")
    vm.run(*BOOT, env=ENV)
    assert len(azure.posts()) == 2 and starts(vm) == ONCE_EACH


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_boot_that_is_stopped_leaves_nothing(
    azure: Azure, vm: Namespace, number: signal.Signals
) -> None:
    """ssh-keygen hangs, and no lease comes. Neither a program nor a key stays behind."""
    azure.start()
    vm.run("sh", "-c", "rm -f /etc/ssh/ssh_host_*; echo old >/etc/ssh/ssh_host_rsa_key")
    count_starts(vm, hang=True)
    process = start(azure, vm)
    assert scratch(vm) != ""
    process.send_signal(number)
    process.wait(300)

    def is_clean() -> bool:
        running = [pid for pid in vm.run("cat", "/run/pids").split() if is_alive(int(pid))]
        return not running and scratch(vm) == ""

    wait_until(is_clean, 60, "something has stayed behind")
    assert vm.run("sh", "-c", "cat /etc/ssh/ssh_host_*") == "old\n"


@pytest.mark.long
def test_a_boot_without_a_lease_has_keys_all_the_same(azure: Azure, vm: Namespace) -> None:
    """NotReady, but somebody of the image can log in, to this VM and to no other."""
    azure.start()
    count_starts(vm)
    vm.write(
        "/etc/lightinit/conf.d/20-short.conf",
        "[network]\nlease_timeout_s = 2\n[azure]\nreport_timeout_s = 2\n",
    )
    process = start(azure, vm)
    assert process.wait(300) != 0
    assert starts(vm) == ONCE_EACH and scratch(vm) == ""
    assert vm.run("sh", "-c", "mkdir -p /run/sshd; /usr/sbin/sshd -t 2>&1") == ""
    # The next boot, in which a lease comes: the keys are there.
    vm.run("rm", "/etc/lightinit/conf.d/20-short.conf")
    start_dhcp(azure, vm)
    vm.run(*BOOT, env=ENV)
    assert starts(vm) == ONCE_EACH


# A file in /run/orders with the name of a type says what happens when its key is made: always, or
# once.
DOES = r"""#!/bin/sh
echo "$1 $2 $3" >>/run/starts
order() {
    what=$(cat "/run/orders/$1" 2>/dev/null)
    case $what in *-once) rm "/run/orders/$1"; what=${what%%-once} ;; esac
}
spoil() {
    order "$1"
    case $what in
    fail) rm -f "$2" "$2.pub"; return 1 ;;
    killed) echo half >"$2"; echo half >"$2.pub"; kill -9 $$ ;;
    garbage) echo garbage >"$2"; echo garbage >"$2.pub" ;;
    slow) sleep 3 ;;
    esac
}
folder=$3/etc/ssh
if [ "$1" = -A ]; then
    for type in rsa ecdsa ed25519; do
        key=$folder/ssh_host_${type}_key
        [ ! -s "$key" ] || continue
        rm -f "$key" "$key.pub"
        # As in FIPS mode: it goes on with the next type.
        /run/real-keygen -q -t $type -N "" -f "$key" && spoil $type "$key" || echo "no $type" >&2
    done
    [ ! -e /run/orders/full ] || exit 1
else
    /run/real-keygen "$@" && spoil "$3" "$7"
fi
"""


def boot_with(azure: Azure, vm: Namespace, orders: Dict[str, str]) -> str:
    """Boot with a ssh-keygen that does what it is told, on a VM without host keys. Returns the
    report.
    """
    azure.start()
    start_dhcp(azure, vm)
    vm.run("sh", "-c", "rm -f /etc/ssh/ssh_host_*")
    count_starts(vm)
    vm.write("/run/keygen", DOES, 0o755)
    for kind, what in orders.items():
        vm.write("/run/orders/" + kind, what)
    process = vm.start(*BOOT, log=azure.folder / "boot.log", env=ENV)
    process.wait(300)
    return str(azure.posts()[-1]["body"])


def good_keys(vm: Namespace) -> List[str]:
    """The types whose private key sshd can read, and whose public part belongs to it. Nothing else
    is there.
    """
    vm.run("sh", "-c", "mkdir -p /run/sshd; /usr/sbin/sshd -t")
    assert scratch(vm) == ""
    pairs = (
        "cd /etc/ssh; for key in ssh_host_*_key; do /run/real-keygen -y -f $key; cat $key.pub; done"
    )
    words = [line.split()[:2] for line in vm.run("sh", "-c", pairs).splitlines()]
    assert words[::2] == words[1::2]
    return sorted(kind for kind, _ in words[::2])


ALL = ["ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa"]


@pytest.mark.long
@pytest.mark.parametrize(
    "orders, there",
    [
        ({"rsa": "killed-once", "ecdsa": "fail-once", "ed25519": "slow"}, ALL),
        ({"rsa": "garbage-once", "ed25519": "garbage-once"}, ALL),
        ({"rsa": "fail", "ecdsa": "garbage"}, ["ssh-ed25519"]),
    ],
    ids=["once", "wrong output once", "types that cannot be made"],
)
def test_keys_that_are_not_made_as_expected(
    azure: Azure, vm: Namespace, orders: Dict[str, str], there: List[str]
) -> None:
    """A program is killed midway, fails, takes long or writes something else; the lease is there
    before the keys are. Ready comes when sshd can start.
    """
    assert "<State>Ready</State>" in boot_with(azure, vm, orders)
    assert good_keys(vm) == there


MISSING = ": >/run/none; mount --bind /run/none /usr/bin/ssh-keygen"
FULL = """set -e
cp -a /etc/ssh /run/ssh
mount -t tmpfs -o size=4m none /etc/ssh
cp -a /run/ssh/. /etc/ssh
cat /dev/zero >/etc/ssh/fill 2>/dev/null || true
"""


@pytest.mark.long
@pytest.mark.parametrize(
    "broken, mended, said",
    [
        (
            MISSING,
            "umount /usr/bin/ssh-keygen",
            ["reason=ssh-keygen is missing", "install OpenSSH"],
        ),
        (FULL, "rm /etc/ssh/fill", ["No space left on device"]),
    ],
    ids=["ssh-keygen is missing", "the disk is full"],
)
def test_keys_that_cannot_be_made_are_made_by_the_next_boot(
    azure: Azure, vm: Namespace, broken: str, mended: str, said: List[str]
) -> None:
    azure.start()
    start_dhcp(azure, vm)
    vm.run("sh", "-c", "cp /usr/bin/ssh-keygen /run/real-keygen; rm -f /etc/ssh/ssh_host_*")
    vm.run("sh", "-c", broken)
    process = vm.start(*BOOT, log=azure.folder / "boot.log", env=ENV)
    assert process.wait(300) == 1
    (report,) = [str(post["body"]) for post in azure.posts()]
    assert "<State>NotReady</State>" in report
    for word in said:
        assert word in report, report
    vm.run("sh", "-c", mended)
    vm.run(*BOOT, env=ENV)
    assert "<State>Ready</State>" in str(azure.posts()[-1]["body"])
    assert good_keys(vm) == ALL
