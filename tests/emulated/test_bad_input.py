"""Bad input: one clear line, the right exit code, a report where there is a platform, and nothing
damaged.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
from typing import Any, Dict

import pytest

from lightinit import boot
from lightinit.emulator import Platform
from lightinit.host.clock import Clock
from lightinit.host.system import System
from lightinit.pipeline import StepResult
from tests.emulated.boots import reported
from tests.lib.context import make_context
from tests.lib.scratch import UUID, Machine

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to mount")
INSTANCE = {
    "compute": {"name": "web-1", "osProfile": {"computerName": "web-1", "adminUsername": "alice"}}
}


def one_line(ended: Any, says: str) -> None:
    """Exactly one error line of a step has the reason, and no trace was printed."""
    lines = [line for line in ended.stderr.splitlines() if says in line and "error" in line]
    assert len(lines) == 1, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "content",
    [
        "lease {",
        'lease {\n interface "eth0";\n fixed-address 10.0',
        "\x00" * 4000,
        "}{" * 3000,
        "lease {\n option unknown-245 zz;\n}\n",
    ],
)
def test_a_lease_file_that_is_garbage_is_passed_over(tmp_path: Any, content: str) -> None:
    machine = Machine(tmp_path)
    machine.put("/var/lib/dhcp/dhclient.eth1.leases", content)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["Ready"]


def test_random_bytes_in_every_lease_file(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    for number, name in enumerate(
        (
            "/run/systemd/netif/leases/2",
            "/var/lib/NetworkManager/internal-a-eth0.lease",
            "/run/NetworkManager/devices/2",
            "/var/lib/dhcpcd/eth0.lease",
            "/run/lightinit/leases/eth0.udhcpc",
            "/var/lib/dhcp/dhclient.leases",
        )
    ):
        machine.put(name, "")
        with open(machine.root + name, "wb") as handle:
            handle.write(bytes((value * 7919 + number * 31) % 256 for value in range(5000)))
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["Ready"]


def test_without_dmi_option_245_is_the_evidence_and_imds_tells_the_id(tmp_path: Any) -> None:
    machine = Machine(
        tmp_path, without=["/sys/class/dmi/id/chassis_asset_tag", "/sys/class/dmi/id/product_uuid"]
    )
    with Platform(instance={"compute": {"vmId": UUID.upper()}}) as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["Ready"]
        assert os.readlink(machine.root + "/var/lib/lightinit/instance") == "instances/" + UUID
        machine.put("/proc/sys/kernel/random/boot_id", "22222222-2222-4222-8222-222222222222\n")
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["Ready"]


def test_without_dmi_and_without_option_245_nothing_is_touched(tmp_path: Any) -> None:
    machine = Machine(
        tmp_path, without=["/sys/class/dmi/id/chassis_asset_tag", "/sys/class/dmi/id/product_uuid"]
    )
    machine.put(
        "/var/lib/dhcp/dhclient.eth0.leases",
        'lease {\n interface "eth0";\n fixed-address 10.0.0.4;\n expire never;\n}\n',
    )
    with Platform() as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert ended.returncode == 1
        one_line(ended, "platform is unknown")
        assert not platform.requests
    assert machine.read("/etc/hostname") == "image\n"
    assert machine.run("status").returncode == 1


def test_no_network_is_reported_if_there_is_somebody_after_all(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/var/lib/dhcp/dhclient.eth0.leases", "")
    with Platform() as platform:
        # An interface that does not exist: nothing on the machine that runs this test can count as
        # a network.
        machine.lead_to(platform, "interface = nic-of-nowhere\n")
        machine.put("/etc/lightinit/conf.d/20-time.conf", "[network]\nlease_timeout_s = 0.3\n")
        ended = machine.run("boot")
        assert ended.returncode == 1
        one_line(ended, "no network before the deadline")
        assert reported(platform) == ["NotReady"]
        assert "no network before the deadline" in platform.final_reports[0]["description"]


PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def in_a_trap(machine: Machine, port: int) -> Dict[str, str]:
    """An environment that leads elsewhere, with foreign credentials."""
    machine.put("/home-of-root/.netrc", "default login me password secret\n")
    os.chmod(machine.root + "/home-of-root/.netrc", 0o600)
    trap = dict.fromkeys(PROXIES, "http://me:secret@127.0.0.1:%d" % port)
    trap.update(dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), "/none"))
    home = machine.root + "/home-of-root"
    return dict(trap, no_proxy="", NO_PROXY="", HOME=home, NETRC=home + "/.netrc")


@pytest.mark.parametrize("library", ["requests", "none"])
def test_environment_proxies_count_for_nothing(tmp_path: Any, library: str) -> None:
    """Neither for requests, nor for the standard library's report: nobody connects to the proxy,
    and nobody's credentials are sent.
    """
    machine = Machine(tmp_path)
    with socket.socket() as proxy, Platform() as platform:
        proxy.bind(("127.0.0.1", 0))
        proxy.listen()
        machine.lead_to(platform)
        trap = in_a_trap(machine, proxy.getsockname()[1])
        if library == "none":
            machine.put("/site/requests.py", "raise ImportError('damaged')\n")
            trap["PYTHONPATH"] = machine.root + "/site"
        ended = machine.run("boot", env=trap)
        proxy.settimeout(0.0)
        with pytest.raises(BlockingIOError):
            proxy.accept()
        assert reported(platform) == [{"requests": "Ready", "none": "NotReady"}[library]]
        assert bool(ended.returncode) == (library == "none")
        for request in platform.requests:
            names = {name.lower() for name in request["headers"]}
            assert not names & {"authorization", "proxy-authorization", "cookie"}


class JumpingClock(Clock):
    """Its time of day jumps back to 1970, far ahead, and back, each time somebody asks."""

    def __init__(self) -> None:
        self._times = itertools.cycle([1.7e9, 3.0, 4.0e9, 1.2e9, 2.5e9])

    def time(self) -> float:
        return next(self._times)


def test_a_clock_that_jumps(tmp_path: Any) -> None:
    """No wait becomes endless or nothing; marks and records stay right; nothing is done twice."""
    slow = {
        "name": "busy",
        "description": "IMDS wants a pause, by a date.",
        "imds": [{"status": 429, "headers": {"Retry-After": "Thu, 26 Nov 2026 07:00:00 GMT"}}],
        "health": [{"status": 503}],
        "expect": {"ready": 1, "outcome": "done", "reports": ["Ready"]},
    }
    machine = Machine(tmp_path)
    with Platform(scenario=slow) as platform:
        machine.lead_to(platform)
        for expected in (True, False):
            system = System(machine.root, JumpingClock())
            context = make_context(system)
            assert boot.boot(context) == "done"
            assert any(step.result is StepResult.OK for step in context.steps) == expected
        assert reported(platform) == ["Ready"]
    for step in machine.json("/var/lib/lightinit/instance/result.json")["steps"]:
        assert 0.0 <= step["duration_s"] < 60.0


def keys_file(machine: Machine) -> str:
    """Where alice's keys go."""
    return machine.root + "/home/alice/.ssh/authorized_keys"


def prepare_home(machine: Machine) -> None:
    """alice is there already."""
    uid = os.geteuid() or 1000
    machine.put(
        "/etc/passwd",
        machine.read("/etc/passwd") + "alice:x:%d:%d::/home/alice:/bin/sh\n" % (uid, uid),
    )
    machine.put("/etc/group", machine.read("/etc/group") + "alice:x:%d:\n" % uid)
    os.makedirs(os.path.dirname(keys_file(machine)), 0o700)
    if os.geteuid() == 0:
        for path in ("/home/alice", "/home/alice/.ssh"):
            os.chown(machine.root + path, uid, uid)


def test_authorized_keys_that_is_a_directory(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    prepare_home(machine)
    os.makedirs(keys_file(machine))
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert ended.returncode == 1
        assert reported(platform) == ["NotReady"]
    assert os.path.isdir(keys_file(machine))


def test_authorized_keys_that_leads_to_shadow(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    prepare_home(machine)
    os.symlink(machine.root + "/etc/secret", keys_file(machine))
    machine.put("/etc/secret", "root:*:19000::::::\n")
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert ended.returncode == 1
        assert reported(platform) == ["NotReady"]
    assert machine.read("/etc/secret") == "root:*:19000::::::\n"
    assert os.path.islink(keys_file(machine))


def test_authorized_keys_without_a_newline_at_its_end(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    prepare_home(machine)
    with open(keys_file(machine), "w", encoding="utf-8") as handle:
        handle.write('from="10.0.0.1" ssh-foreign AAAA somebody')
    if os.geteuid() == 0:
        os.chown(keys_file(machine), 1000, 1000)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert ended.returncode == 0, ended.stderr
        key = machine.json("/var/lib/lightinit/instance/instance.json")["admin"]["ssh_keys"][0][
            "text"
        ].split()[1]
    lines = machine.read("/home/alice/.ssh/authorized_keys").splitlines()
    assert lines[0] == 'from="10.0.0.1" ssh-foreign AAAA somebody'
    assert key in lines[1]


def fill(path: str, inodes: bool = False) -> None:
    """Write until nothing more fits: no byte, or no file."""
    if inodes:
        os.mkdir(path)
        try:
            for number in itertools.count():
                os.mkdir("%s/%d" % (path, number))
        except OSError:
            return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(descriptor, b"x" * 4096)
    except OSError:
        os.close(descriptor)


@needs_root
@pytest.mark.parametrize("options", ["size=512k", "size=4m,nr_inodes=300"])
def test_a_full_disk_is_reported_and_mended_by_the_next_boot(
    tmp_path: Any, mounted: Any, options: str
) -> None:
    """Also one that has blocks and no inodes."""
    mounted(str(tmp_path), options)
    machine = Machine(tmp_path / "root")
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        before: Dict[str, str] = machine.tree()
        fill(str(tmp_path) + "/ballast", "inodes" in options)
        ended = machine.run("boot")
        assert ended.returncode == 1
        assert "No space left on device" in ended.stderr and "Traceback" not in ended.stderr
        assert reported(platform) == ["NotReady"]
        assert "No space left" in platform.final_reports[0]["description"]
        after = machine.tree()
        assert {name: after[name] for name in before} == before, "what was there is as it was"
        subprocess.run(["rm", "-r", str(tmp_path) + "/ballast"], check=True)
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["NotReady", "Ready"]


@needs_root
def test_a_full_root_that_is_read_only_lacks_no_room(tmp_path: Any, mounted: Any) -> None:
    """A squashfs always has no free block."""
    mounted(str(tmp_path), "size=64k")
    assert not System(tmp_path).has_room()
    subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
    assert System(tmp_path).has_room()


@needs_root
def test_a_read_only_root_is_reported(tmp_path: Any, mounted: Any) -> None:
    mounted(str(tmp_path), "size=4m")
    machine = Machine(tmp_path / "root")
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        before = machine.tree()
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        ended = machine.run("boot")
        assert ended.returncode == 1
        assert "Read-only file system" in ended.stderr and "Traceback" not in ended.stderr
        assert reported(platform) == ["NotReady"]
        assert machine.tree() == before
        assert machine.run("status").returncode == 3


def test_another_agent_beside_it_is_told(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/usr/bin/azure-init", "#!/bin/sh\n")
    os.chmod(machine.root + "/usr/bin/azure-init", 0o755)
    os.makedirs(machine.root + "/etc/runlevels/default")
    os.symlink("/etc/init.d/azure-init", machine.root + "/etc/runlevels/default/azure-init")
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert ended.returncode == 0
        assert "azure-init is enabled too" in ended.stderr
        assert reported(platform) == ["Ready"]
    assert machine.run("status").returncode == 2


def test_a_stamp_that_cannot_be_renewed_makes_no_failure_of_a_good_vm(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        stamp = machine.root + "/var/lib/lightinit/instance/provisioned"
        os.unlink(stamp)
        os.mkdir(stamp)
        ended = machine.run("boot")
        assert (ended.returncode, reported(platform)) == (0, ["Ready"])
        assert (
            "the stamp cannot be written, so the next boot starts Python" in ended.stderr
            and "bug" not in ended.stderr
        )
        assert machine.run("status").returncode == 0


def test_what_needs_nothing_of_the_platforms_is_done_without_it(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/usr/lib/site/modules_of_ours/__init__.py", "")
    module = (
        "from lightinit.model import Frequency, Outcome\nNAME = 'keys'\nFREQUENCY ="
        " Frequency.INSTANCE\nREQUIRED = True\n%s\ndef apply(instance, system, settings):\n   "
        " system.write('/%s', b'')\n    return Outcome('done')\n"
    )
    machine.put(
        "/usr/lib/site/modules_of_ours/keys.py", module % ("NEEDS_INSTANCE = False", "made")
    )
    machine.put("/usr/lib/site/modules_of_ours/other.py", module % ("", "other"))
    with Platform(scenario="imds-500-forever") as platform:
        machine.lead_to(
            platform, "[lightinit]\nmodules = modules_of_ours.keys modules_of_ours.other\n"
        )
        ended = machine.run("boot", env={"PYTHONPATH": machine.root + "/usr/lib/site"})
        assert ended.returncode == 1
        assert machine.exists("/made") and not machine.exists("/other")
        assert reported(platform) == ["NotReady"]
    (step,) = [
        step
        for step in machine.json("/var/lib/lightinit/instance/result.json")["steps"]
        if step["kind"] == "module"
    ]
    assert (step["name"], step["result"]) == ("modules_of_ours.keys", "ok")
