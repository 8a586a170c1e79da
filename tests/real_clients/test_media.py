"""Provisioning media on a live machine whose IMDS is down: the password opens a session over sshd,
and sudo asks for it.

A namespace with files of its own is the VM, with the platform on its loopback. The media are a real
image on a real block device, which this machine's kernel mounts or 7z reads.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from lightinit.emulator.documents.ovf import make_ovf
from lightinit.emulator.host_side.media import make_media
from tests.lib.hanging_disk import HangingDisk
from tests.lib.loops import loop
from tests.lib.mime_document import multipart
from tests.lib.netns import Namespace, need, wait_until
from tests.lib.scratch import DMI, SPARE_THE_DISK, UUID
from tests.real_clients.azure_side import ENV, start_emulator

pytestmark = pytest.mark.long

INSTANCE = "/var/lib/lightinit/instance"
# Every printable character of ASCII, more of Unicode, colons, and spaces at both ends.
PASSWORD = " " + "".join(map(chr, range(32, 127))) + "\u00e4\u0416\u6f22\U0001f600::\u00a0 "
DOWN = {
    "name": "imds-down",
    "description": "Nobody listens at IMDS.",
    "listen_after_s": {"imds": "forever"},
    "expect": {"ready": 1, "outcome": "degraded", "reports": ["Ready"]},
}
SSH = (
    "ssh",
    "-F",
    "none",
    "-o",
    "KexAlgorithms=curve25519-sha256",
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "LogLevel=ERROR",
    "-o",
    "NumberOfPasswordPrompts=1",
    "-o",
    "PubkeyAuthentication=no",
)


class Vm:
    """A live machine with the platform on its loopback."""

    def __init__(self, machine: Namespace, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        self.log = folder / "requests.jsonl"
        self.media_only_s = 60.0

    def start_platform(self, scenario: Dict[str, Any], **compute: Any) -> None:
        """The emulator at the platform's real addresses."""
        self.media_only_s = 0.5 if scenario == DOWN else 60.0
        (self.folder / "scenario.json").write_text(json.dumps(scenario))
        (self.folder / "instance.json").write_text(
            json.dumps({"compute": dict({"vmId": UUID}, **compute)})
        )
        start_emulator(
            self.machine,
            self.folder,
            self.log,
            "--scenario",
            str(self.folder / "scenario.json"),
        )

    def settings(self, media: str, more: str = "") -> None:
        self.machine.write(
            "/etc/lightinit/conf.d/50-test.conf",
            "[azure]\nmedia = %s\nmedia_only_s = %s\nretry_first_s = 0.1\n%s"
            % (media, self.media_only_s, more),
        )

    def boot(self, **how: Any) -> Tuple[int, str]:
        """The exit status, and what was said."""
        said = self.machine.run(
            "unshare",
            "--uts",
            "sh",
            "-c",
            '"$0" -m lightinit boot 2>&1; echo "status=$?"',
            sys.executable,
            env=ENV,
            **how,
        )
        text, _, status = said.rpartition("status=")
        return int(status), text

    def status(self) -> Dict[str, Any]:
        found: Dict[str, Any] = json.loads(
            self.machine.run(
                "sh",
                "-c",
                '"$0" -m lightinit status --format json || true',
                sys.executable,
                env=ENV,
            )
        )
        return found

    def reports(self) -> List[str]:
        """The bodies of the reports that were accepted, but for those that say that the VM is at
        work.
        """
        heard = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [
            one["body"]
            for one in heard
            if one["method"] == "POST"
            and one["status"] == 200
            and "<SubStatus>Provisioning</SubStatus>" not in one["body"]
        ]

    def line(self, name: str, user: str) -> str:
        """The account's line of a file."""
        return next(
            (
                line
                for line in self.machine.run("cat", name).splitlines()
                if line.startswith(user + ":")
            ),
            "",
        )

    def start_sshd(self) -> None:
        """With the configuration as lightinit has left it."""
        self.machine.run("mkdir", "-p", "/run/sshd")
        log = self.folder / "sshd.log"
        self.machine.start("/usr/sbin/sshd", "-D", "-e", "-p", "2222", log=log)
        wait_until(lambda: "Server listening" in log.read_text(), 60, "sshd does not listen")

    def by_password(self, user: str, password: str, command: str, given: str = "") -> str:
        """What a command says in a session that the password opens; its standard input is
        ``given``.
        """
        self.machine.write("/run/password", password, 0o600)
        self.machine.write("/run/given", given, 0o600)
        self.machine.write("/run/askpass", "#!/bin/sh\ncat /run/password\n", 0o700)
        return self.machine.run(
            "sh",
            "-c",
            '"$@" </run/given 2>&1 || true',
            "sh",
            "setsid",
            *SSH,
            "-p",
            "2222",
            user + "@127.0.0.1",
            command,
            env={"SSH_ASKPASS": "/run/askpass", "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"},
        ).strip()


@pytest.fixture
def vm(tmp_path: Path) -> Iterator[Vm]:
    need("sshd", "ssh", "sudo", "visudo", "useradd", "chpasswd", "setsid")
    private = [
        "/run",
        "/var/lib/dhcp",
        "/var/lib/lightinit",
        "/var/lib/hyperv",
        "/var/log",
        "/home",
        "/var/mail",
        "/var/lib/sudo",
    ]
    with Namespace(private) as machine:
        machine.run(
            "sh", "-c", DMI + "mkdir /sys/class/block; mount --bind /mnt/block /sys/class/block\n"
        )
        # A wrong password costs no time.
        machine.run("sed", "-i", "s/pam_unix.so nullok/& nodelay/", "/etc/pam.d/common-auth")
        machine.write("/etc/lightinit/conf.d/05-test.conf", SPARE_THE_DISK)
        for address in ("168.63.129.16/32", "169.254.169.254/32"):
            machine.add_address("lo", address)
        yield Vm(machine, tmp_path)


@contextlib.contextmanager
def drive(folder: Path, ovf: bytes, form: str) -> Iterator[str]:
    """A block device with such media."""
    need("losetup", "genisoimage", "7z")
    image = str(folder / "media.img")
    make_media(image, ovf, form)
    with loop(image, "--read-only") as device:
        yield device


def held(vm: Vm, secret: str) -> List[str]:
    """The files in which the secret is to be read."""
    vm.machine.write("/run/words", secret + "\n", 0o600)
    found = vm.machine.run(
        "sh",
        "-c",
        "grep -rlF -f /run/words /var/lib/lightinit /var/lib/hyperv /var/log /run/lightinit "
        "/etc /home || true",
    )
    return found.split()


@pytest.mark.parametrize("form, pam", [("udf", "yes"), ("iso9660", "no")])
def test_a_password_from_media_alone_opens_a_session_and_sudo_asks_for_it(
    vm: Vm, form: str, pam: str
) -> None:
    vm.machine.run(
        "sed",
        "-i",
        "s/^#*UsePAM .*/UsePAM %s/; s/^#*PasswordAuthentication .*/PasswordAuthentication no/"
        % pam,
        "/etc/ssh/sshd_config",
    )
    vm.start_platform(DOWN)
    with drive(
        vm.folder, make_ovf("alice", "web-1", password=PASSWORD, custom_data=b"mine"), form
    ) as device:
        vm.settings(device, "[lightinit]\nlog_level = debug\n")
        status, said = vm.boot()
    assert status == 0, said
    (report,) = vm.reports()
    assert "<State>Ready</State>" in report
    found = vm.status()
    assert [warning[:52] for warning in found["warnings"]] == [
        "local: no usable lease of systemd-networkd, NetworkM",
        "fetch: IMDS is unavailable; using the provisioning m",
    ]
    assert vm.machine.run("cat", "/etc/hostname") == "web-1\n"
    # In with the password, not with a part of it, not with none.
    vm.start_sshd()
    assert vm.by_password("alice", PASSWORD, "id -un") == "alice"
    for wrong in (PASSWORD[:-1], PASSWORD.strip(), PASSWORD[:8], "", "*"):
        assert "Permission denied" in vm.by_password("alice", wrong, "id -un"), wrong
    assert vm.by_password("alice", PASSWORD, "sudo -n id -un") == "sudo: a password is required"
    assert vm.by_password("alice", PASSWORD, "sudo -S -p '' id -un", PASSWORD + "\n") == "root"
    assert (
        "root"
        not in vm.by_password(
            "alice", PASSWORD, "sudo -S -p '' id -un", PASSWORD[:-1] + "\n"
        ).split()
    )
    # Nobody else sees it.
    shadow = vm.line("/etc/shadow", "alice").split(":")[1]
    assert shadow.startswith("$")
    for secret in (PASSWORD, PASSWORD[2:40], PASSWORD[-14:].strip()):
        assert held(vm, secret) == [] and secret not in said
    assert shadow not in said
    assert vm.machine.run("cat", INSTANCE + "/custom-data") == "mine"
    assert "<UserName>alice</UserName>" in vm.machine.run("cat", INSTANCE + "/ovf-env.xml")


def test_a_hash_that_openssl_makes_too(vm: Vm) -> None:
    """Where the host hashes by SHA512, openssl comes to the same hash from the same password."""
    need("openssl")
    vm.machine.run(
        "sh",
        "-c",
        "sed -i 's/yescrypt/sha512/' /etc/pam.d/common-password; "
        "sed -i 's/^ENCRYPT_METHOD.*/ENCRYPT_METHOD SHA512/' /etc/login.defs",
    )
    vm.start_platform(DOWN)
    vm.machine.write(
        "/run/media/ovf-env.xml", make_ovf("alice", "web-1", password=PASSWORD).decode(), 0o600
    )
    vm.settings("/run/media")
    status, said = vm.boot()
    assert status == 0, said
    crypted = vm.line("/etc/shadow", "alice").split(":")[1]
    kind, salt = crypted.split("$")[1:3]
    assert kind == "6"
    ended = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin", "-salt", salt],
        input=PASSWORD.encode(),
        check=True,
        stdout=subprocess.PIPE,
    )
    assert ended.stdout.decode().strip() == crypted


def test_an_account_that_is_there_with_another_shell_gets_the_password_and_keeps_the_rest(
    vm: Vm,
) -> None:
    vm.machine.run("useradd", "-m", "-s", "/bin/dash", "-c", "Alice", "alice")
    vm.machine.run("sh", "-c", "echo alice:old-password | chpasswd; echo mine >/home/alice/thesis")
    before, old = vm.line("/etc/passwd", "alice"), vm.line("/etc/shadow", "alice")
    vm.start_platform(DOWN)
    vm.machine.write(
        "/run/media/ovf-env.xml", make_ovf("alice", "web-1", password=PASSWORD).decode(), 0o600
    )
    vm.settings("/run/media")
    status, said = vm.boot()
    assert status == 0 and "<State>Ready</State>" in vm.reports()[0], said
    assert (
        vm.line("/etc/passwd", "alice") == before
        and vm.machine.run("cat", "/home/alice/thesis") == "mine\n"
    )
    assert vm.line("/etc/shadow", "alice") != old
    vm.start_sshd()
    assert vm.by_password("alice", PASSWORD, "echo $0") == "dash"
    assert "Permission denied" in vm.by_password("alice", "old-password", "id -un")


def test_names_that_cannot_be_the_admins_change_nothing_of_a_live_machine(vm: Vm) -> None:
    vm.machine.run("useradd", "-M", "-o", "-u", "0", "toor")
    vm.machine.run("useradd", "-m", "-s", "/usr/sbin/nologin", "robot")
    names = {
        "root": "user name is not allowed",
        "al:ice": "user name is not allowed",
        "a" * 200: "user name is not allowed",
        "toor": "user name belongs to root",
        "daemon": "user name belongs to an account that cannot log in",
        "robot": "user name belongs to an account that cannot log in",
    }
    files = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers")
    before = [vm.machine.run("cat", name) for name in files]
    vm.start_platform(DOWN)
    for number, (name, reason) in enumerate(names.items()):
        vm.machine.write(
            "/run/media/ovf-env.xml", make_ovf(name, "web-1", password=PASSWORD).decode(), 0o600
        )
        vm.settings("/run/media")
        status, said = vm.boot()
        assert status == 1, said
        assert len(vm.reports()) == number + 1
        report = vm.reports()[-1]
        assert "<State>NotReady</State>" in report and "|reason=%s|" % reason in report, report
        assert [vm.machine.run("cat", each) for each in files] == before, name
        assert vm.machine.run("sh", "-c", "ls /etc/sudoers.d | grep lightinit || true") == ""
    assert held(vm, PASSWORD[2:40]) in (
        [],
        ["/run/lightinit/secrets.json"],
    ), "for the next attempt, root's alone"
    # The same VM becomes ready with a name that will do.
    vm.machine.write(
        "/run/media/ovf-env.xml", make_ovf("alice", "web-1", password=PASSWORD).decode(), 0o600
    )
    status, said = vm.boot()
    assert status == 0 and "<State>Ready</State>" in vm.reports()[-1], said
    assert held(vm, PASSWORD[2:40]) == []


def test_a_password_that_no_tool_takes_keeps_the_old_one(vm: Vm) -> None:
    vm.machine.run("useradd", "-m", "-s", "/bin/bash", "alice")
    vm.machine.run("sh", "-c", "echo alice:old-password | chpasswd")
    old = vm.line("/etc/shadow", "alice")
    vm.start_platform(DOWN)
    vm.machine.write(
        "/run/media/ovf-env.xml",
        make_ovf("alice", "web-1", password="\u00e4" * 256).decode(),
        0o600,
    )
    vm.settings("/run/media")
    status, said = vm.boot()
    assert status == 1 and "|reason=password is not allowed|" in vm.reports()[0], said
    assert vm.line("/etc/shadow", "alice") == old


@pytest.mark.parametrize("keys", [True, False], ids=["keys", "password alone"])
def test_media_that_hang_are_told_and_stop_nothing(vm: Vm, keys: bool) -> None:
    """IMDS has all but the password. Without a key nobody could log in then, and the reason is in
    the warnings.
    """
    need("losetup")
    image = vm.folder / "hanging.img"
    image.write_bytes(bytes(1024 * 1024))
    profile = {
        "adminUsername": "alice",
        "computerName": "web-1",
        "disablePasswordAuthentication": "false",
    }
    vm.start_platform(
        {"name": "good", "description": "Good.", "expect": DOWN["expect"]},
        osProfile=profile,
        **({} if keys else {"publicKeys": []}),
    )
    with HangingDisk(str(image), 0) as device:
        vm.settings(device, "media_wait_s = 4\n")
        status, said = vm.boot()
        found = vm.status()
    (report,) = vm.reports()
    assert status == (0 if keys else 1), said
    assert ("<State>Ready</State>" if keys else "|reason=nobody could log in|") in report
    said_of = "provisioning media may be on %s, but: it did not answer within " % device
    assert [warning for warning in found["warnings"] if said_of in warning], found


@contextlib.contextmanager
def resource_disk(folder: Path) -> Iterator[Tuple[str, Path]]:
    """A loop device as the platform's resource disk, NTFS of its label, on which somebody has put a
    file; and its image.
    """
    need("losetup", "sfdisk", "partx", "mkfs.ntfs", "ntfs-3g")
    image = folder / "resource.img"
    with open(str(image), "wb") as handle:
        handle.truncate(64 * 1024 * 1024)

    def run(*argv: str, **how: Any) -> str:
        return subprocess.run(
            argv, check=True, stdout=subprocess.PIPE, universal_newlines=True, **how
        ).stdout.strip()

    with loop(str(image)) as device:
        run("sfdisk", "--quiet", device, input="label: dos\nstart=128, type=7\n")
        subprocess.run(["partx", "--add", device], check=False, stderr=subprocess.DEVNULL)
        run(
            "mkfs.ntfs",
            "-Q",
            "-q",
            "-L",
            "Temporary Storage",
            device + "p1",
            stderr=subprocess.DEVNULL,
        )
        point = folder / "point"
        point.mkdir()
        # In a mount namespace of its own, with which the mount goes.
        run(
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-ec",
            'ntfs-3g "$0" "$1"; echo mine >"$1/thesis.doc"; echo x'
            ' >"$1/DATALOSS_WARNING_README.txt"; umount "$1"',
            device + "p1",
            str(point),
        )
        run("sync")
        yield device, image


def test_a_resource_disk_that_holds_a_users_data_is_left_and_told(vm: Vm) -> None:
    vm.start_platform({"name": "good", "description": "Good.", "expect": DOWN["expect"]})
    vm.machine.run("sh", "-c", "echo '# mine' >/etc/fstab")
    with resource_disk(vm.folder) as (device, image):
        before = image.read_bytes()
        modules = SPARE_THE_DISK.strip() + " ephemeral_disk\n"
        vm.settings(
            "none",
            "%s[module.ephemeral_disk]\ndevice = %s\nmount_point = /home/resource\nswap_mb = 1\n"
            % (modules, device),
        )
        status, said = vm.boot()
        assert status == 0 and "<State>Ready</State>" in vm.reports()[0], said
        found = vm.status()
        (warning,) = [each for each in found["warnings"] if each.startswith("ephemeral_disk: ")]
        assert (
            "resource disk holds data (disk=%s, found=NTFS with 1 files or folders" % device
            in warning
        ), said
        assert vm.machine.run("cat", "/etc/fstab") == "# mine\n"
        subprocess.run(["sync"], check=True)
        assert image.read_bytes() == before, "byte for byte"
        # So it is on each boot, and also where the module is required: then the VM is not ready,
        # and nothing is lost.
        vm.machine.run("rm", "-r", INSTANCE, "/var/lib/lightinit/instances", "/run/lightinit")
        vm.machine.write(
            "/etc/lightinit/conf.d/60-test.conf", "[module.ephemeral_disk]\nrequired = yes\n"
        )
        status, said = vm.boot()
        assert status == 1 and "|reason=resource disk holds data|" in vm.reports()[1], said
        subprocess.run(["sync"], check=True)
        assert image.read_bytes() == before


SCRIPT = b"""#!/bin/sh
echo said by the script
echo ran as $(id -un) >>/home/ran
"""


@pytest.mark.parametrize("user_data", ["keep", "run"])
def test_custom_data_are_executed_once_unless_they_are_only_kept(vm: Vm, user_data: str) -> None:
    vm.start_platform(DOWN)
    vm.machine.write(
        "/run/media/ovf-env.xml",
        make_ovf("alice", "web-1", password=PASSWORD, custom_data=SCRIPT).decode(),
        0o600,
    )
    vm.settings("/run/media", "[lightinit]\nuser_data = %s\n" % user_data)
    for _ in range(2):
        status, said = vm.boot()
        assert status == 0, said
    (report,) = vm.reports()
    assert "<State>Ready</State>" in report
    expected = "ran as root\n" if user_data == "run" else ""
    assert vm.machine.run("sh", "-c", "cat /home/ran 2>/dev/null || true") == expected
    assert (
        "custom data: said by the script" in vm.machine.run("cat", "/var/log/lightinit.log")
    ) == bool(expected)
    assert vm.machine.run("cat", INSTANCE + "/custom-data") == SCRIPT.decode()
    assert vm.machine.run("stat", "-c", "%a %U", INSTANCE + "/custom-data") == "600 root\n"


# What `reboot` has systemd do, while the script still runs. Its parent is a shell of lightinit's.
RESTARTS = b"""#!/bin/sh
echo x >>/home/ran
kill -TERM $(cut -d ' ' -f 4 /proc/$PPID/stat)
sleep 1000
"""
FAILS = b"""#!/bin/sh
echo x >>/home/ran
exit 7
"""


@pytest.mark.parametrize(
    "script, before, required, ends, warning",
    [
        (RESTARTS, "yes", "yes", [143, 0, 0], "did not end"),
        (RESTARTS, "no", "yes", [143, 0, 0], "did not end"),
        (FAILS, "yes", "yes", [1, 0, 0], "failed with status 7"),
        (FAILS, "yes", "no", [0, 0, 0], "failed with status 7"),
        (FAILS, "no", "yes", [0, 0, 0], "failed with status 7"),
    ],
)
def test_custom_data_that_restart_the_machine_or_fail_are_executed_once(
    vm: Vm, script: bytes, before: str, required: str, ends: List[int], warning: str
) -> None:
    """The next boot resumes, and goes on to Ready, unless that was before the script."""
    vm.start_platform(DOWN)
    vm.machine.write(
        "/home/media.xml",
        make_ovf("alice", "web-1", password=PASSWORD, custom_data=script).decode(),
        0o600,
    )
    vm.settings(
        "/run/media",
        "[lightinit]\nbefore_ready = %s\n[module.scripts]\nrequired = %s\n" % (before, required),
    )
    for end in ends:
        vm.machine.run(
            "sh", "-c", "rm -rf /run/*; mkdir /run/media; cp /home/media.xml /run/media/ovf-env.xml"
        )
        status, said = vm.boot()
        assert status == end, said
    assert vm.machine.run("cat", "/home/ran") == "x\n"
    states = ["NotReady" if "<State>NotReady</State>" in body else "Ready" for body in vm.reports()]
    assert states == (["NotReady"] if ends[0] == 1 else []) + ["Ready"]
    (told,) = [each for each in vm.status()["warnings"] if "custom data script" in each]
    assert warning in told and told.endswith("not executed again")
    assert [line for line in vm.machine.run("ls", INSTANCE + "/").split() if line == "provisioned"]


@pytest.mark.long
def test_parts_of_custom_data_run_in_order_and_one_that_fails_stops_none(vm: Vm) -> None:
    """A multipart: a boothook first, then the scripts; a cloud-config, whose setting counts, and a
    part handler beside them. The boot with the failure says it, the next one is Ready and executes
    nothing again.
    """
    script = "#!/bin/sh\necho %s >>/home/ran\n"
    data = multipart(
        "x-shellscript:one.sh " + (script % "one").replace("\n", "\r\n"),
        "cloud-config #cloud-config\nhostname: other\n",
        "x-shellscript-per-once:two.sh " + script % "two" + "exit 3\n",
        "part-handler:handler.py #part-handler\n",
        "plain #cloud-boothook\n" + script % "hook",
        "x-shellscript-per-instance:three.sh " + script % "three",
    )
    vm.start_platform(DOWN)
    vm.machine.write(
        "/home/media.xml",
        make_ovf("alice", "web-1", password=PASSWORD, custom_data=gzip.compress(data)).decode(),
        0o600,
    )
    vm.settings("/run/media", "[lightinit]\nbefore_ready = yes\n[module.scripts]\nrequired = yes\n")
    for end in (1, 0):
        vm.machine.run(
            "sh", "-c", "rm -rf /run/*; mkdir /run/media; cp /home/media.xml /run/media/ovf-env.xml"
        )
        status, said = vm.boot()
        assert status == end, said
        assert vm.machine.run("cat", "/home/ran").split() == ["hook", "two", "three", "one"]
    not_ready, ready = vm.reports()
    assert "custom data, part 3 (two.sh)" in not_ready and "<State>Ready</State>" in ready
    told = [each for each in vm.status()["warnings"] if "custom data, part" in each]
    assert len(told) == 2 and "#part-handler" in told[0]
    assert "part 3 (two.sh) script began" in told[1] and "failed with status 3" in told[1]


@pytest.mark.long
def test_what_is_per_boot_runs_at_each_boot_without_its_server(vm: Vm) -> None:
    """An include of a real server. At the next boot the server is gone and nothing is reported."""
    script = "#!/bin/sh\necho %s >>/home/ran\n"
    each = multipart("x-shellscript-per-boot " + script % "each", "x-shellscript " + script % "one")
    vm.start_platform(DOWN)
    vm.machine.write("/home/www/each", each.decode())
    log = vm.folder / "http.log"
    serve = ["-u", "-m", "http.server", "8080", "--bind", "127.0.0.1", "-d", "/home/www"]
    server = vm.machine.start(sys.executable, *serve, log=log)
    wait_until(lambda: "Serving HTTP" in log.read_text(), 60, "no web server")
    data = b"#include-once\nhttp://127.0.0.1:8080/each\n"
    vm.machine.write(
        "/run/media/ovf-env.xml",
        make_ovf("alice", "web-1", password=PASSWORD, custom_data=data).decode(),
        0o600,
    )
    vm.settings("/run/media")
    ran = []
    for boot_id in ("first", "first", "second"):
        vm.machine.write("/home/boot_id", boot_id + "\n")
        vm.machine.run("mount", "--bind", "/home/boot_id", "/proc/sys/kernel/random/boot_id")
        status, said = vm.boot()
        assert status == 0, said
        ran.append(vm.machine.run("cat", "/home/ran").split())
        server.terminate()
    assert ran == [["each", "one"], ["each", "one"], ["each", "one", "each"]]
    (report,) = vm.reports()
    assert "<State>Ready</State>" in report
    assert "provisioned" not in vm.machine.run("ls", INSTANCE + "/").split()
