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
from typing import Any, List

import pytest

from tests.lib.cut_disk import CutDisk, Tree, build, clear
from tests.lib.cuts import Cut, Recorded
from tests.lib.netns import Namespace, need
from tests.lib.scratch import DMI, HERE, SPARE_THE_DISK, UUID
from tests.lib.system_calls import Call, read_calls, strace

pytestmark = pytest.mark.long

SAMPLE = 6
AT_MOST = 12  # durable barriers of lightinit's own in a first boot
ENV = {"PYTHONPATH": HERE}
DISK = ["/etc", "/home", "/var/lib/lightinit", "/var/lib/dhcp", "/var/mail", "/var/lib/hyperv"]
LOGIN = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/hosts", "/etc/hostname"]
LOGIN += ["/etc/sudoers", "/etc/ssh/sshd_config", "/home/alice/.ssh/authorized_keys"]
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


class Vm:
    """A live machine with a disk of its own, and the platform on its loopback.

    Args:
        machine: the namespaces.
        folder: an empty directory.
    """

    def __init__(self, machine: Namespace, folder: Path) -> None:
        self.machine = machine
        self._log = folder / "requests.jsonl"
        key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        self.public = key.with_suffix(".pub").read_text()
        profile = {
            "computerName": "web-1",
            "adminUsername": "alice",
            "disablePasswordAuthentication": "true",
        }
        keys = [{"keyData": self.public, "path": "/home/alice/.ssh/authorized_keys"}]
        compute = {"name": "vm-1", "vmId": UUID, "osProfile": profile, "publicKeys": keys}
        (folder / "instance.json").write_text(json.dumps({"compute": compute}))
        machine.run("sh", "-c", DMI)
        machine.write("/etc/lightinit/conf.d/05-test.conf", SPARE_THE_DISK)
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

    def boot(self, *before: str) -> None:
        """Boot it, with a command in front."""
        argv = ["unshare", "--uts", *before, sys.executable, "-m", "lightinit", "boot"]
        self.machine.run(*argv, env=ENV, timeout_s=300.0)

    def count_readies(self) -> int:
        """How many Ready reports were accepted since the last call."""
        text = self._log.read_text()
        self._log.write_text("")
        return len(re.findall("<State>Ready</State>", text))

    def put(self, tree: Tree) -> None:
        """Make this its disk, as after a restart."""
        for folder in [*DISK, "/run"]:
            clear(self.root + folder)
        build(tree, lambda path: self.root + path)


def own_barriers(calls: List[Call], barriers: List[Call]) -> List[str]:
    """The barriers of lightinit's own, not of its tools: its threads share what they write."""
    tools = {"/etc/" + name for name in ("passwd", "shadow", "group", "gshadow", "sub")}
    return [
        call.folder(0)
        for call in barriers
        if not any(call.folder(0).startswith(tool) for tool in tools)
    ]


@pytest.fixture
def vm(tmp_path: Path) -> Any:
    need("strace", "ssh-keygen", "useradd", "sudo", "/usr/sbin/sshd")
    with Namespace(["/run", "/var/log"]) as machine:
        machine.run("sh", "-c", ONE_DISK % " ".join(DISK[1:]))
        yield Vm(machine, tmp_path)


def check_old_or_new(recorded: Recorded, cut: Cut) -> None:
    """What a login needs is there as it was or as it was to be, never a part of it."""
    for path in LOGIN:
        if path in cut.tree:
            assert cut.tree[path][4] in recorded.history[path], (cut.after, path)


def test_each_disk_that_a_power_cut_leaves_is_made_good(
    vm: Vm, tmp_path: Path, capsys: Any
) -> None:
    before = CutDisk(DISK, vm.root)
    vm.boot(*strace(str(tmp_path / "calls")))
    calls = read_calls(str(tmp_path / "calls"))
    recorded = Recorded(lambda: copy.deepcopy(before), calls)
    recorded.check_whole(DISK, lambda path: path.endswith("dhclient.lo.leases"), vm.root)
    assert len(own_barriers(calls, recorded.barriers)) <= AT_MOST
    assert vm.count_readies() == 1
    began_s = time.monotonic()
    done = 0
    for cut in recorded.sample(SAMPLE):
        done += 1
        check_old_or_new(recorded, cut)
        vm.put(cut.tree)
        is_marked = any(path.endswith("/sem/stage.final") for path in cut.tree)
        vm.boot()
        assert vm.count_readies() == (0 if is_marked else 1), cut.after
        assert vm.machine.run("sh", "-c", CAN_LOG_IN) == vm.public, cut.after
        vm.boot()
        assert vm.count_readies() == 0, cut.after
    with capsys.disabled():
        print("\n%d disks in %.0f s" % (done, time.monotonic() - began_s))
