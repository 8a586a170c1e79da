"""Power cuts in a first boot of a live root, with real useradd, ssh-keygen, sudo and sshd: it is
recorded, and the next boot from each disk that may be left completes. The admin can log in.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import pytest

from lightinit.emulator import make_ovf
from tests.lib.cut_disk import CutDisk, Tree, build, clear
from tests.lib.cuts import Cut, Event, Kept, Recorded, is_marked_ready
from tests.lib.lasting import is_lasting
from tests.lib.netns import Namespace, need
from tests.lib.scratch import DMI, HERE, SPARE_THE_DISK, UUID
from tests.lib.system_calls import Call, read_calls, strace

pytestmark = pytest.mark.long

SAMPLE = 2  # of each recorded boot
SCRIPT_RAN = "the script has run"
AT_MOST = 12  # durable barriers of lightinit's own in a first boot
TOOLS = ("strace", "ssh-keygen", "useradd", "sudo", "/usr/sbin/sshd")
ENV = {"PYTHONPATH": HERE}
DISK = ["/etc", "/home", "/var/lib/lightinit", "/var/lib/dhcp", "/var/mail", "/var/lib/hyperv"]
LEASE = """lease {
 interface "lo"; fixed-address 10.99.0.4; option routers 10.99.0.1;
 option unknown-245 a8:3f:81:10; expire never;
}
"""
# /etc is on a file system in /mnt already.
ONE_DISK = """set -e
for folder in %s; do
  mkdir -p "$folder" "/mnt/disk$folder"
  mount --bind "/mnt/disk$folder" "$folder"
done
"""
# Each on a file system of its own.
FILE_SYSTEMS = """set -e
for folder in /etc/ssh /home /var/lib/lightinit /var/lib/hyperv /var/lib/dhcp /var/mail; do
  mkdir -p "$folder" /mnt/copy
  cp -a "$folder/." /mnt/copy
  mount -t tmpfs none "$folder"
  cp -a /mnt/copy/. "$folder"
  rm -r /mnt/copy
done
"""
# The account, its key and rights, sshd's configuration, and each host key with its public part.
CAN_LOG_IN = r"""set -e
getent passwd alice >/dev/null
mkdir -p /run/sshd
/usr/sbin/sshd -t
sudo -n -l -U alice | grep -q ALL
for key in /etc/ssh/ssh_host_*_key; do
  made=$(ssh-keygen -y -f "$key" | cut -d' ' -f1,2)
  [ "$made" = "$(cut -d' ' -f1,2 "$key.pub")" ]
  [ "$(stat -c %a:%u "$key")" = 600:0 ]
done
ls -a /etc /etc/ssh /home /home/alice/.ssh | grep lightinit-new && exit 1
cat /home/alice/.ssh/authorized_keys
"""
HAS_PASSWORD = "getent shadow alice | cut -d: -f2 | grep -q '^[$]'"
# /var/log keeps over all boots what this did.
RAN = "/var/log/ran"
BOOT_ID = "/var/log/boot_id"
SCRIPT = b"#!/bin/sh\necho ran >>%s\n" % RAN.encode()
MEDIA = make_ovf("alice", "web-1", password="Correct-4-horses", custom_data=SCRIPT)


class Owner(NamedTuple):
    """What the owner of a VM wants, and its settings.

    Attributes:
        media: the document of its media; empty for none.
        settings: of lightinit.
        check: a command that succeeds once the VM is provisioned.
        events: see Recorded.
        at_most: durable barriers of lightinit's own.
    """

    media: bytes
    settings: str
    check: str
    events: Dict[str, Event]
    at_most: int


OWNERS = {
    # A script has syncs of its own, which would make durable what was forgotten before.
    "key": Owner(b"", "", "true", {}, AT_MOST),
    "key, password and script": Owner(
        MEDIA,
        "[azure]\nmedia = /etc/media\n",
        HAS_PASSWORD,
        {SCRIPT_RAN: lambda call: call.name == "write" and call.folder(0) == RAN},
        AT_MOST + 3,  # after Ready: the script, what says that it begins, and how it ended
    ),
}


class Vm:
    """A live machine with a disk of its own, and the platform on its loopback.

    Args:
        machine: the namespaces.
        folder: an empty directory.
        owner: whose it is.
    """

    def __init__(self, machine: Namespace, folder: Path, owner: Owner) -> None:
        self.machine = machine
        self.owner = owner
        self._log = folder / "requests.jsonl"
        key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        self.public = key.with_suffix(".pub").read_text()
        profile = {
            "computerName": "web-1",
            "adminUsername": "alice",
            "disablePasswordAuthentication": "false" if owner.media else "true",
        }
        keys = [{"keyData": self.public, "path": "/home/alice/.ssh/authorized_keys"}]
        compute = {
            "name": "vm-1",
            "userData": "",
            "vmId": UUID,
            "osProfile": profile,
            "publicKeys": keys,
        }
        (folder / "instance.json").write_text(json.dumps({"compute": compute}))
        machine.run("sh", "-c", DMI)
        self._boots = 0
        machine.write(BOOT_ID, "")
        machine.run("mount", "--bind", BOOT_ID, "/proc/sys/kernel/random/boot_id")
        self._restart()
        machine.write("/etc/lightinit/conf.d/05-test.conf", SPARE_THE_DISK)
        machine.write("/etc/lightinit/conf.d/06-owner.conf", owner.settings)
        if owner.media:
            machine.write("/etc/media/ovf-env.xml", owner.media.decode())
        machine.write("/var/lib/dhcp/dhclient.lo.leases", LEASE)
        for address in ("168.63.129.16/32", "169.254.169.254/32", "10.99.0.4/24"):
            machine.add_address("lo", address)
        emulator = [sys.executable, "-m", "lightinit.emulator", "run"]
        emulator += ["--wireserver", "168.63.129.16:80", "--imds", "169.254.169.254:80"]
        emulator += ["--instance", str(folder / "instance.json"), "--log", str(self._log)]
        ready = folder / "ready"
        machine.start(*emulator, "--ready-file", str(ready), log=folder / "emulator.log", env=ENV)
        deadline_s = time.monotonic() + 60
        while not ready.exists():
            assert time.monotonic() < deadline_s, (folder / "emulator.log").read_text()
            time.sleep(0.05)

    @property
    def root(self) -> str:
        """Where its files are as seen from here."""
        pid = self.machine.command("true")[2]
        return "/proc/%s/root" % pid

    def _restart(self) -> None:
        """The kernel's id of the boot is another one from now on: what a boot has left on its way
        counts in the same boot, but not after a power cut.
        """
        self._boots += 1
        text = "%08d-2222-4222-8222-222222222222\n" % self._boots
        Path(self.root + BOOT_ID).write_text(text)  # in place: it is mounted

    def boot(self, *before: str) -> None:
        """Boot it, with a command in front."""
        argv = ["unshare", "--uts", *before, sys.executable, "-m", "lightinit", "boot"]
        self.machine.run(*argv, env=ENV, timeout_s=300.0)

    def count_readies(self) -> int:
        """How many Ready reports were accepted since the last call."""
        text = self._log.read_text()
        self._log.write_text("")
        return len(re.findall("<State>Ready</State>", text))

    def count_scripts(self) -> int:
        """How often the script has run, in all boots."""
        return len(Path(self.root + RAN).read_text().split()) if self.owner.media else 0

    def put(self, tree: Tree) -> None:
        """Make this its disk, as after a restart."""
        for folder in [*DISK, "/run"]:
            clear(self.root + folder)
        self._restart()
        build(tree, lambda path: self.root + path)


def own_barriers(barriers: List[Call]) -> List[str]:
    """The barriers of lightinit's own, not of its tools."""
    tools = {"/etc/" + name for name in ("passwd", "shadow", "nshadow", "group", "gshadow", "sub")}
    return [
        call.folder(0)
        for call in barriers
        if not any(call.folder(0).startswith(tool) for tool in tools)
    ]


@pytest.fixture(params=OWNERS.values(), ids=list(OWNERS))
def vm(tmp_path: Path, request: Any) -> Any:
    need(*TOOLS)
    with Namespace(["/run", "/var/log"]) as machine:
        machine.run("sh", "-c", ONE_DISK % " ".join(DISK[1:]))
        yield Vm(machine, tmp_path, request.param)


def is_promised(path: str) -> bool:
    """Whether Ready and the marks stand for a path."""
    return is_lasting(path + "/") and "/lightinit/" not in path


def is_whole(path: str) -> bool:
    """Whether a login depends on a file. Other programs copy /etc/skel and make backups without a
    sync, and the public part of a host key goes before its private part comes.
    """
    if path.endswith((".pub", "-")):
        return False
    return path.startswith("/etc/") or path.endswith("/authorized_keys")


def boot_from(vm: Vm, cut: Cut) -> None:
    """Boot from the disk that a cut has left, and once more."""
    tree = cut.tree
    vm.put(tree)
    scripts = vm.count_scripts()
    vm.boot()
    assert vm.count_readies() == (0 if is_marked_ready(tree) else 1), cut.after
    assert vm.machine.run("sh", "-c", CAN_LOG_IN) == vm.public, cut.after
    vm.machine.run("sh", "-c", vm.owner.check)
    if SCRIPT_RAN in cut.events:
        assert vm.count_scripts() == scripts, cut.after
    scripts = vm.count_scripts()
    vm.boot()
    assert (vm.count_readies(), vm.count_scripts()) == (0, scripts), cut.after


def test_file_systems_of_their_own_have_few_barriers(tmp_path: Path) -> None:
    """Each has a barrier of its own before Ready."""
    need(*TOOLS)
    with Namespace(["/run", "/var/log"]) as machine:
        machine.run("sh", "-c", FILE_SYSTEMS)
        vm = Vm(machine, tmp_path, OWNERS["key"])
        before = CutDisk(DISK, vm.root)
        vm.boot(*strace(str(tmp_path / "calls")))
        calls = read_calls(str(tmp_path / "calls"))
        recorded = Recorded(lambda: copy.deepcopy(before), calls)
        own = own_barriers(recorded.barriers)
        assert len(own) <= AT_MOST, own
        assert vm.count_readies() == 1


def test_each_disk_that_a_power_cut_leaves_is_made_good(
    vm: Vm, tmp_path: Path, capsys: Any
) -> None:
    before = CutDisk(DISK, vm.root)
    vm.boot(*strace(str(tmp_path / "calls")))
    calls = read_calls(str(tmp_path / "calls"))
    recorded = Recorded(lambda: copy.deepcopy(before), calls, vm.owner.events)
    recorded.check_whole(DISK, lambda path: path.endswith("dhclient.lo.leases"), vm.root)
    assert len(own_barriers(recorded.barriers)) <= vm.owner.at_most
    assert vm.count_readies() == 1
    began_s = time.monotonic()
    checked = done = 0
    promised = recorded.list_changed(is_promised)
    kept = Kept(promised, promised, [path for path in promised if is_whole(path)])
    for cut in recorded.cuts(SAMPLE):
        checked += 1
        recorded.check(cut, kept)
        if cut.is_sampled:
            done += 1
            boot_from(vm, cut)
    with capsys.disabled():
        print("\n%d of %d disks in %.0f s" % (done, checked, time.monotonic() - began_s))
