"""`lightinit generalize`, by the real command on a scratch root: a disk that was used, and what an
image may keep of it.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from typing import Any, Dict, Optional, Sequence, Tuple

import pytest

from lightinit.commands.generalize import next_steps
from lightinit.commands.removal import image
from lightinit.commands.removal.changes import RemovalContext
from lightinit.errors import ProvisioningError
from lightinit.host.command import Completed
from lightinit.host.files.lock import Lock
from lightinit.host.system import System
from lightinit.registry import load_settings
from lightinit.state import LOCK
from tests.lib.provisioned import ID, PASSWD, enable, provisioned
from tests.lib.scratch import HERE, Machine

JOURNAL = "/var/log/journal/0123456789abcdef0123456789abcdef"
NM = "/var/lib/NetworkManager/"
DHCP_SERVER = (
    "note: /var/lib/dhcp/dhcpd.leases stays: these are the leases of a DHCP server: remove them,"
    " unless the clients move to the new VM\n"
)
GOES: Dict[str, str] = dict.fromkeys(
    (
        "/root/.bash_history",
        "/root/.bash_history-01234.tmp",
        "/root/.ash_history",
        "/root/.zsh_history",
        "/root/.python_history",
        "/root/.lesshst",
        "/root/.viminfo",
        "/root/.wget-hsts",
        "/var/lib/dhcp/dhclient.eth0.leases",
        "/var/lib/dhcp/dhclient6.leases",
        "/var/lib/dhclient/dhclient--eth0.lease",
        NM + "internal-0a1b-eth0.lease",
        NM + "dhclient-0a1b-eth0.lease",
        NM + "secret_key",
        NM + "seen-bssids",
        NM + "timestamps",
        "/var/lib/dhcpcd/eth0.lease",
        "/var/lib/dhcpcd/duid",
        "/var/lib/dhcpcd/secret",
        "/var/db/dhcpcd/eth0.lease",
        "/etc/dhcpcd.duid",
        "/var/lib/wicked/lease-eth0-dhcp-ipv4.xml",
        "/var/lib/wicked/duid.xml",
        "/etc/udev/rules.d/70-persistent-net.rules",
        "/var/lib/systemd/random-seed",
        "/boot/efi/loader/random-seed",
        "/etc/ssh/sshd_config.d/00-lightinit.conf",
        "/var/log/lightinit.log",
        "/etc/ssh/ssh_host_rsa_key",
        "/etc/ssh/ssh_host_rsa_key.pub",
        "/run/lightinit/status.json",
        JOURNAL + "/system.journal",
        JOURNAL[:-1] + "0/system.journal",
        JOURNAL + ".mail/system.journal",  # a namespace
    ),
    "x\n",
)
STAYS: Dict[str, str] = {
    "/var/lib/lightinit/sem/module.x": "{}\n",
    "/etc/lightinit/lightinit.conf": "[lightinit]\n",
    "/var/lib/dhcp/dhcpd.leases": "x\n",
    NM + "NetworkManager.state": "x\n",
    NM + "NetworkManager-intern.conf": "x\n",
    "/etc/ssh/sshd_config.d/50-mine.conf": "x\n",
    "/root/.profile": "x\n",
    JOURNAL[:-2] + "/x": "x\n",
    JOURNAL[:-1] + "G/x": "x\n",
    "/var/log/journal/remote/x": "x\n",
    "/etc/NetworkManager/system-connections/a.nmconnection": "x\n",
    "/etc/udev/rules.d/99-mine.rules": "x\n",
    "/etc/rc.conf": "rc_parallel=NO\n",
}
EDITED: Dict[str, Tuple[str, str]] = {
    "/etc/machine-id": (ID, ""),
    "/var/log/syslog": ("x\n", ""),
    "/etc/ssh/sshd_config": (
        "# BEGIN lightinit\nPasswordAuthentication no\n# END lightinit\n# mine\nPort 22\n",
        "# mine\nPort 22\n",
    ),
    "/etc/hostname": ("web-1\n", "localhost\n"),
    "/etc/HOSTNAME": ("web-1.example.org\n", "localhost\n"),
    "/etc/conf.d/hostname": ('# mine\nhostname="web-1"\n', '# mine\nhostname="localhost"\n'),
    "/etc/sysconfig/network": (
        "NETWORKING=yes\nHOSTNAME=web-1\n",
        "NETWORKING=yes\nHOSTNAME=localhost\n",
    ),
    "/etc/hosts": (
        (
            "127.0.0.1 web-1 localhost\n127.0.1.1 web-1.example.org web-1 printer # lightinit\n::1"
            " web-1\n10.0.0.9 db\n"
        ),
        "127.0.0.1 localhost\n127.0.1.1 printer # lightinit\n10.0.0.9 db\n",
    ),
    "/etc/fstab": (
        (
            "UUID=1 / ext4 defaults 0 1\nLABEL=lightinit /mnt/resource ext4 defaults,nofail 0 2 #"
            " lightinit\n/mnt/resource/swapfile none swap sw,noauto 0 0 # lightinit\n/dev/sdc1"
            " /data xfs nofail 0 0\n"
        ),
        "UUID=1 / ext4 defaults 0 1\n/dev/sdc1 /data xfs nofail 0 0\n",
    ),
}


def used(root: Any) -> Machine:
    """The disk of a machine that was provisioned and used."""
    machine = provisioned(root, "alice")
    machine.put("/usr/lib/systemd/systemd", "")
    enable(machine)
    for files in (GOES, STAYS, {name: before for name, (before, _) in EDITED.items()}):
        for name, text in files.items():
            machine.put(name, text)
    return machine


def test_all_that_is_one_machines_own_goes(tmp_path: Any) -> None:
    machine = used(tmp_path)
    before = machine.tree()
    ended = machine.run("generalize", "--yes")
    assert ended.returncode == 0, ended.stderr
    after = machine.tree()
    assert {name for name in before if name not in after} == set(GOES) | {
        "/var/lib/lightinit/instances/instance-0/instance.json"
    }
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == set(EDITED) | {"/run/lightinit/lock"}
    assert {name: after[name] for name in EDITED} == {
        name: text for name, (_, text) in EDITED.items()
    }
    assert all(
        "removed " + name.replace("/system.journal", "") in ended.stdout.splitlines()
        for name in GOES
    )
    assert [line for line in ended.stdout.splitlines() if line.startswith("note")] == [
        DHCP_SERVER.strip(),
        "note: accounts that lightinit provisioned stay (--user removes them): alice",
    ]
    assert "Next: unmount it." in ended.stdout
    again = machine.run("generalize", "--yes")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "nothing left to do")
    assert machine.tree() == dict(
        after, **{"/run/lightinit/lock": machine.read("/run/lightinit/lock")}
    )


def test_with_the_accounts(tmp_path: Any) -> None:
    machine = used(tmp_path)
    ended = machine.run("generalize", "--yes", "--user")
    assert ended.returncode == 0, ended.stderr
    assert "removed the user alice, /home/alice, /var/mail/alice, its rights" in ended.stdout
    assert machine.read("/etc/passwd") == PASSWD
    left = machine.run("generalize", "--user").stdout
    assert left == DHCP_SERVER + "nothing left to do\n", "nothing to ask about either"


def ask(machine: Machine, answer: str, hang_up: bool = False) -> Tuple[int, str]:
    """Run it on a terminal; (exit code, all that was shown). ``hang_up``: it gets a SIGHUP before
    the answer.
    """
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        machine.argv("generalize"), cwd=HERE, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    shown, is_answered = b"", False
    try:
        while select.select([leader], [], [], 60)[0]:
            try:
                read = os.read(leader, 4096)
            except OSError:  # the other end is closed
                break
            shown += read
            if b"[y/N]" in shown and not is_answered:
                is_answered = True
                if hang_up:
                    process.send_signal(signal.SIGHUP)
                os.write(leader, answer.encode())
        return process.wait(60), shown.decode()
    finally:
        os.close(leader)
        process.kill()
        process.wait()


@pytest.mark.parametrize("answer", ["\n", "n\n", "no\n", "yesterday\n", "\x04"])
def test_it_asks_and_without_a_yes_changes_nothing(tmp_path: Any, answer: str) -> None:
    machine = used(tmp_path)
    before = machine.tree()
    code, shown = ask(machine, answer)
    assert code == 1 and "nothing was changed" in shown
    after = machine.tree()
    after.pop("/run/lightinit/lock")
    assert after == before


def test_what_it_lists_is_what_it_does(tmp_path: Any) -> None:
    code, shown = ask(used(tmp_path), "y\n")
    assert code == 0
    lines = shown.replace("\r", "").split("\n")
    listed = [line[17:] for line in lines if line.startswith("  ")]
    done = [line for line in lines if line.startswith(("removed", "emptied", "set", "took"))]
    assert len(listed) > 30 and sum("/var/log/journal/" in line for line in listed) == 3
    past = {"remove": "removed", "empty": "emptied", "set": "set", "take": "took"}
    assert [" ".join([past[line.split()[0]]] + line.split(" ")[1:]) for line in listed] == done


def test_a_connection_that_breaks_does_not_stop_it_half_way(tmp_path: Any) -> None:
    machine = used(tmp_path)
    assert ask(machine, "y\n", hang_up=True)[0] == 0
    assert not any(machine.exists(name) for name in GOES)


def test_without_a_terminal_it_wants_a_yes(tmp_path: Any) -> None:
    machine = used(tmp_path)
    before = machine.tree()
    ended = machine.run("generalize")
    assert ended.returncode == 64 and "--yes" in ended.stderr
    after = machine.tree()
    after.pop("/run/lightinit/lock")
    assert after == before


def test_not_while_provisioning_runs(tmp_path: Any) -> None:
    machine = used(tmp_path)
    lock = Lock(System(machine.root), LOCK)
    lock.take("boot")
    before = machine.tree()
    ended = machine.run("generalize", "--yes")
    lock.release()
    assert ended.returncode == 75 and "another lightinit is running" in ended.stderr
    assert machine.tree() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to become another user")
@pytest.mark.parametrize("command", ["generalize", "clean"])
def test_the_live_machine_is_roots_alone(command: str, tmp_path: Any) -> None:
    nowhere = str(tmp_path / "nowhere")
    code = (
        "import os, sys; sys.path.insert(0, %r); import lightinit.boot, lightinit.cli,"
        " lightinit.grammar\nfrom"
        " lightinit.commands import clean, generalize\nlightinit.cli.main(['boot', '--root',"
        " %r])  # imports what only root may be able to read\nos.setgid(65534);"
        " os.setuid(65534); sys.exit(lightinit.cli.main([%r]))" % (HERE, nowhere, command)
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, cwd="/", check=False
    )
    assert (
        ended.returncode == 77
        and b"only root can %s this machine" % command.encode() in ended.stderr
    )


def test_one_failure_does_not_keep_the_rest_from_being_done(tmp_path: Any) -> None:
    machine = used(tmp_path)
    os.unlink(machine.root + "/etc/hostname")
    os.mkdir(machine.root + "/etc/hostname")
    ended = machine.run("generalize", "--yes")
    assert ended.returncode == 1
    assert (
        "some steps failed:\n  host name: file cannot be read (path=/etc/hostname" in ended.stdout
    )
    assert "Next" not in ended.stdout
    assert not any(machine.exists(name) for name in GOES) and machine.read("/etc/machine-id") == ""
    os.rmdir(machine.root + "/etc/hostname")
    ended = machine.run("generalize", "--yes")
    assert ended.returncode == 0 and machine.read("/etc/HOSTNAME") == "localhost\n"


PACKAGES = "# made-by: lightinit package\ncloud-init is active on this machine.\n"


@pytest.mark.parametrize(
    "text, agent, stays, said",
    [
        (PACKAGES, False, False, ""),
        (PACKAGES, True, True, "VMs made from this image would be provisioned by walinuxagent"),
        ("# by hand\n" + PACKAGES, False, True, "/etc/lightinit/disabled stays"),
        ("", False, True, "/etc/lightinit/disabled stays"),
        (None, True, False, "VMs made from this image would be provisioned by walinuxagent"),
    ],
)
def test_the_packages_mark(tmp_path: Any, text: Any, agent: bool, stays: bool, said: str) -> None:
    machine = Machine(tmp_path)
    if text is not None:
        machine.put("/etc/lightinit/disabled", text)
    if agent:
        machine.put("/usr/sbin/waagent", "")
        os.chmod(machine.root + "/usr/sbin/waagent", 0o755)
        os.makedirs(machine.root + "/etc/runlevels/default")
        os.symlink("/etc/init.d/waagent", machine.root + "/etc/runlevels/default/waagent")
    ended = machine.run("generalize", "--yes")
    assert ended.returncode == 0
    assert machine.exists("/etc/lightinit/disabled") == stays
    assert said in ended.stdout and bool(said) == ("note:" in ended.stdout)


def test_udevs_own_rule_against_names_of_cards_stays(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    rules = "/etc/udev/rules.d/70-persistent-net.rules"
    machine.put(rules, "")
    machine.run("generalize", "--yes")
    assert machine.exists(rules)
    os.unlink(machine.root + rules)
    os.symlink("/dev/null", machine.root + rules)
    machine.run("generalize", "--yes")
    assert machine.exists(rules)


@pytest.mark.parametrize("keys, noted", [("# none\n\n", False), ("ssh-ed25519 AAAA me\n", True)])
def test_keys_that_open_root_are_told(tmp_path: Any, keys: str, noted: bool) -> None:
    machine = Machine(tmp_path)
    machine.put("/root/.ssh/authorized_keys", keys)
    assert (
        "note: /root/.ssh/authorized_keys stays" in machine.run("generalize", "--yes").stdout
    ) == noted
    assert machine.exists("/root/.ssh/authorized_keys")


class Journald(System):
    """A root on which systemd runs, and its journalctl does as told or does not know the option."""

    def __init__(self, root: str, status: int) -> None:
        super().__init__(root)
        self.status = status
        self.there_then: Dict[str, bool] = {}

    def tool(self, name: str) -> Optional[str]:
        return "/usr/bin/" + name

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        self.there_then[" ".join(argv)] = self.exists(JOURNAL)
        if self.status < 0:
            raise ProvisioningError("command took too long")
        return Completed(self.status, "", "")


@pytest.mark.parametrize("status", [0, 1, -1])
def test_a_journald_that_runs_lets_go_of_its_journal_first(tmp_path: Any, status: int) -> None:
    machine = Machine(tmp_path)
    machine.put(JOURNAL + "/system.journal", "x")
    os.makedirs(machine.root + "/run/systemd/system")
    system = Journald(machine.root, status)
    changes = image.plan_journal(RemovalContext(system, load_settings(system)))
    assert machine.exists(JOURNAL) and not system.there_then
    for change in changes:
        change.do()
    assert system.there_then == {"/usr/bin/journalctl --relinquish-var": True}
    assert not machine.exists(JOURNAL)


def test_a_link_among_the_journals_stays(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/data/system.journal", "x")
    os.makedirs(machine.root + "/var/log/journal")
    os.symlink("../../../data", machine.root + JOURNAL)
    machine.run("generalize", "--yes")
    assert machine.exists(JOURNAL) and machine.exists("/data/system.journal")


def test_links_out_of_the_root_are_not_followed(tmp_path: Any) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "eth0.lease").write_text("x")
    machine = Machine(tmp_path / "root")
    os.symlink(str(tmp_path / "outside"), machine.root + "/var/lib/dhcpcd")
    os.symlink(
        str(tmp_path / "outside" / "eth0.lease"),
        machine.root + "/var/lib/dhcp/dhclient.eth1.leases",
    )
    assert machine.run("generalize", "--yes").returncode == 0
    assert (tmp_path / "outside" / "eth0.lease").exists()
    assert not machine.exists("/var/lib/dhcp/dhclient.eth1.leases")


def test_a_listener_that_goes_away_stops_nothing(tmp_path: Any) -> None:
    machine = used(tmp_path)
    command = "%s -m lightinit --root %s generalize --yes | true" % (sys.executable, machine.root)
    subprocess.run(
        ["sh", "-c", command],
        cwd=HERE,
        env=dict(os.environ, PYTHONUNBUFFERED="1"),
        check=False,
        stderr=subprocess.DEVNULL,
    )
    assert not any(machine.exists(name) for name in GOES)


def test_what_comes_next_is_said_for_the_platform() -> None:
    for gone in (False, True):
        azure, elsewhere = next_steps(True, gone), next_steps(False, gone)
        assert "az vm generalize" in azure and "copy its disk" not in azure
        assert "az vm" not in elsewhere and "copy its disk: that is the image" in elsewhere
        for text in (azure, elsewhere):
            assert ("sudo poweroff" in text) == (not gone), "sudo works no longer"
            assert "without a reboot" in text and text.endswith("whose address is not in use.")
    assert "switch the machine off from outside" in next_steps(False, True)
