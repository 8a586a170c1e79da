"""Hosts of which a part is read-only or in memory: the real command on a live root, with real
useradd and sshd. What works is Ready; what does not ends with a reason that says where to look.

tests/vm/kinds/immutable.py is a whole VM of this kind.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lightinit.formats.disks.mounts import is_in_memory, parse_mounts
from tests.lib.netns import Namespace
from tests.real_clients.azure_side import ENV, Azure, boot, start_dhcp

KEEP_STATE = "mount --bind %s /var/lib/lightinit"
# sudo looks up a name that is not in /etc/hosts; nobody answers here.
NO_DNS = "echo nameserver 127.0.0.1 >/etc/resolv.conf"
# A restart: /run and what else is in memory is as the image has it, the rest stays.
RESTART = """set -e
find /run/lightinit /home /etc -mindepth 1 -delete
cp -a /var/mail/image/. /etc
"""


def prepare(vm: Namespace, *lines: str) -> None:
    vm.run("sh", "-c", "set -e\n" + "\n".join(lines))


def disk(folder: Path) -> Path:
    """A folder that is on a disk, for what a VM is to keep."""
    mounts = parse_mounts(Path("/proc/self/mountinfo").read_text())
    assert not is_in_memory(mounts, str(folder)), "tests of kept state need a disk for TMPDIR"
    made = folder / "disk"
    made.mkdir(exist_ok=True)
    return made


def state_of(azure: Azure) -> str:
    return azure.posts()[-1]["body"].partition("<State>")[2].partition("</State>")[0]


def why_not(azure: Azure) -> str:
    """What the platform was told, in one line."""
    (post,) = azure.posts()
    assert "<State>NotReady</State>" in post["body"] and post["status"] == 200
    return " ".join(post["body"].split())


def test_accounts_in_memory_are_made_anew_by_each_boot(azure: Azure, vm: Namespace) -> None:
    """An overlay on memory, or NixOS' impermanence: only /var/lib/lightinit is kept."""
    azure.start()
    prepare(vm, "cp -a /etc /var/mail/image", KEEP_STATE % disk(azure.folder))
    start_dhcp(azure, vm)
    said = boot(vm)
    assert "/etc is in memory, so a restart empties it" in said
    assert "/home is in memory" in said
    assert state_of(azure) == "Ready"
    heard = len(azure.heard())
    key = vm.run("cat", "/home/alice/.ssh/authorized_keys")
    assert "nothing to do" in boot(vm)  # by hand, in the same boot

    prepare(vm, RESTART)
    assert "alice" not in vm.run("cat", "/etc/passwd")
    said = boot(vm)
    assert "exit status" not in said, said
    assert vm.run("getent", "passwd", "alice").startswith("alice:x:")
    assert vm.run("cat", "/home/alice/.ssh/authorized_keys") == key
    assert vm.run("cat", "/etc/hostname") == "web-1\n"
    assert len(azure.heard()) == heard, "the records have all that is needed"


@pytest.mark.long
def test_a_home_in_memory_costs_no_host_keys(azure: Azure, vm: Namespace) -> None:
    azure.start()
    folder = disk(azure.folder)
    keep = "cp -a /etc %s/etc; mount --bind %s/etc /etc" % (folder, folder)
    prepare(vm, keep, "mkdir %s/lightinit" % folder, KEEP_STATE % (folder / "lightinit"))
    start_dhcp(azure, vm)
    boot(vm)
    show = "cat /etc/ssh/ssh_host_*_key.pub"
    keys = vm.run("sh", "-c", show)
    prepare(vm, "rm -rf /run/lightinit /home/*")
    said = boot(vm)
    assert "keys added to /home/alice/.ssh/authorized_keys" in said, said
    assert vm.run("sh", "-c", show) == keys
    assert vm.run("stat", "-c", "%U", "/home/alice/.ssh/authorized_keys") == "alice\n"


@pytest.mark.long
def test_host_keys_in_memory_are_made_anew_by_each_boot(azure: Azure, vm: Namespace) -> None:
    """Without them sshd would not start. The accounts stay as they are."""
    azure.start()
    folder = disk(azure.folder)
    keep = "cp -a /etc %s/etc; mount --bind %s/etc /etc" % (folder, folder)
    keep_home = "mkdir %s/home; mount --bind %s/home /home" % (folder, folder)
    ssh = "cp -a /etc/ssh /var/mail; mount --bind /var/mail/ssh /etc/ssh"
    records = "mkdir %s/lightinit" % folder
    prepare(vm, keep, keep_home, ssh, records, KEEP_STATE % (folder / "lightinit"))
    start_dhcp(azure, vm)
    assert "/etc/ssh is in memory" in boot(vm)
    prepare(vm, "rm -rf /run/lightinit /etc/ssh/ssh_host_* /etc/ssh/sshd_config.d/*")
    said = boot(vm)
    assert "SSH host keys made" in said and "made user" not in said, said
    assert "PRIVATE KEY" in vm.run("cat", "/etc/ssh/ssh_host_ed25519_key")
    assert vm.run("cat", "/etc/ssh/sshd_config.d/00-lightinit.conf")


@pytest.mark.long
def test_records_in_memory_are_a_warning(azure: Azure, vm: Namespace) -> None:
    azure.start()
    folder = disk(azure.folder)
    prepare(vm, "cp -a /etc %s/etc; mount --bind %s/etc /etc" % (folder, folder))
    start_dhcp(azure, vm)
    said = boot(vm)
    assert "/var/lib/lightinit is in memory: each boot provisions this VM again" in said
    assert state_of(azure) == "Ready"


CANNOT = {
    "a read-only /etc": (
        ["mount -o remount,bind,ro /etc"],
        "account files cannot be changed",
        "its folder is on a read-only file system",
    ),
    "links out of a read-only /etc": (
        [
            "for each in passwd group shadow gshadow; do",
            "mv /etc/$each /var/mail; ln -s /var/mail/$each /etc; done",
            "mount -o remount,bind,ro /etc",
        ],
        "account files cannot be changed",
        "its folder is on a read-only file system",
    ),
    "passwd alone": (
        ["cp /etc/passwd /var/mail/passwd; mount --bind /var/mail/passwd /etc/passwd"],
        "account files cannot be changed",
        "it is a mount of its own",
    ),
    "read-only records": (
        ["mount -o remount,ro /var/lib/lightinit"],
        "directory cannot be made",
        "/etc/fstab",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("case", CANNOT)
def test_where_no_account_can_be_made_the_platform_hears_why(
    azure: Azure, vm: Namespace, case: str
) -> None:
    lines, reason, why = CANNOT[case]
    azure.start()
    prepare(vm, *lines)
    start_dhcp(azure, vm)
    said = boot(vm)
    assert "exit status 1" in said and "Traceback" not in said
    told = why_not(azure)
    assert "reason=" + reason in told and why in told
    assert "alice" not in vm.run("cat", "/etc/passwd", "/etc/group", "/etc/shadow")
    status = vm.run("sh", "-c", '"$0" -m lightinit status --long || :', sys.executable, env=ENV)
    assert reason in status or case == "read-only records"


@pytest.mark.long
def test_an_account_of_a_read_only_etc_is_enough(azure: Azure, vm: Namespace) -> None:
    """The image has the account; only its home can be written to."""
    azure.start()
    prepare(
        vm,
        NO_DNS,
        "useradd -m -s /bin/bash -p '*' alice",
        "ssh-keygen -A >/dev/null",
        "mount -o remount,bind,ro /etc",
    )
    start_dhcp(azure, vm)
    said = boot(vm)
    assert state_of(azure) == "Ready", said
    assert vm.run("stat", "-c", "%U", "/home/alice/.ssh/authorized_keys") == "alice\n"


@pytest.mark.long
def test_names_that_are_mounts_of_their_own_are_warnings(azure: Azure, vm: Namespace) -> None:
    azure.start()
    single = "cp -a /etc/%s /var/mail/%s; mount --bind /var/mail/%s /etc/%s"
    prepare(vm, NO_DNS, *(single % ((name,) * 4) for name in ("hostname", "hosts")))
    start_dhcp(azure, vm)
    said = boot(vm)
    assert "name=web-1\n" in said and state_of(azure) == "Ready"
    result = json.loads(vm.run("cat", "/var/lib/lightinit/instance/result.json"))
    left = [each for each in result["warnings"] if "is left as it is" in each]
    assert len(left) == 2 and all("Device or resource busy" in each for each in left), result
