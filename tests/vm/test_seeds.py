"""From a seed or a metadata service to a login, on a machine that is not on Azure: plain QEMU, as
on a desk, and machines whose firmware names OpenStack and EC2.

The seed for NoCloud is one that Debian's cloud-localds makes. The others are RARE: `make peers`
shows that cloud-init takes the same data, and whole boots in scratch roots that lightinit does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Sequence

from lightinit.datasources import DATASOURCES
from tests.lib.netns import wait_until
from tests.lib.scratch import HERE
from tests.vm.azure import Person
from tests.vm.facts import TRACE, Facts, fingerprints, provisioned, warnings
from tests.vm.guest import Guest
from tests.vm.qemu import Hardware
from tests.vm.scene import CHEAP, FIRST, RARE, SECOND, Checks, Scene

SETTINGS = """[lightinit]
default_user = admin
"""
USER_DATA = """#cloud-config
ssh_authorized_keys:
  - %s
write_files:
  - path: /root/%s
    content: it is there
"""
# The key is the platform's.
FILES_ALONE = """#cloud-config
write_files:
  - path: /root/cloud-1
    content: it is there
"""
QUESTIONS = {
    "platform": "lightinit query platform 2>/run/why; grep -c '^lightinit: not taken ' /run/why",
    "written": "ls /root",
    "instance": "lightinit query id",
    "log": "cat /var/log/lightinit.log",
}
METADATA = "169.254.169.254:80"


def on_a_desk(hardware: Hardware, **more: str) -> Hardware:
    """The same machine, but not on Azure."""
    return hardware._replace(asset_tag="", **more)


def make_seed(
    scene: Scene, name: str, person: Person, instance: str, kind: str = "iso9660"
) -> Path:
    """The image of a NoCloud seed, by cloud-localds."""
    user = scene.file(name + ".user", USER_DATA % (person.public.strip(), name))
    meta = scene.file(name + ".meta", "instance-id: %s\nlocal-hostname: %s\n" % (instance, name))
    seed = scene.folder / (name + ".iso")
    subprocess.run(["cloud-localds", "--filesystem", kind, str(seed), user, meta], check=True)
    return seed


def attached(volume: Path) -> List[str]:
    """QEMU's words for a volume that cannot be written."""
    drive = "if=none,id=seed,format=raw,readonly=on,file=%s" % volume
    return ["-drive", drive, "-device", "virtio-blk-pci,drive=seed"]


def check_login(
    checks: Checks, scene: Scene, guest: Guest, machine: Any, name: str, person: Person, source: str
) -> Facts:
    """The key opens the account; the cloud-config took effect; nobody was told."""
    facts = provisioned(
        checks,
        scene.azure,
        machine,
        guest,
        FIRST,
        name,
        person,
        {**TRACE, **QUESTIONS},
    )
    others = str(len(DATASOURCES) - 1)
    checks.same(
        facts["platform"].text.split(), [source, others], "the datasource, and why no other"
    )
    checks.that(name in facts["written"].text.split(), "write_files took effect", facts["written"])
    checks.same(warnings(facts["result"].text), [], "warnings")
    checks.that("nobody to report to" in facts["log"].text, "the log says so", facts["log"])
    return facts


def check_silence(
    checks: Checks, scene: Scene, guest: Guest, machine: Any, name: str, person: Person
) -> Facts:
    """A later boot starts no Python, and the login goes on."""
    questions = {**TRACE, "check": "/usr/lib/lightinit/check 2>&1; echo status=$?"}
    facts = provisioned(checks, scene.azure, machine, guest, FIRST, name, person, questions)
    checks.same(facts["python"].text, "", "the list of Python programs started")
    checks.that("status=1" in facts["check"].text, "nothing is to do", facts["check"])
    return facts


@CHEAP
def test_nocloud(scene: Scene) -> None:
    """The first boot, a second one that starts no Python, and a clone with another seed."""
    admin, other = scene.person("admin"), Person("admin", scene.scratch("other"))
    scene.azure.serve_dhcp()
    disk = scene.changed({"/etc/lightinit/conf.d/20-test.conf": SETTINGS})
    seed = make_seed(scene, "desk-1", admin, "one")
    hardware = on_a_desk(FIRST)
    machine = scene.machine(disk, hardware, devices=attached(seed)).start()
    guest = scene.guest(machine, hardware, admin)
    with Checks() as checks:
        checks.begin("first boot")
        first = check_login(checks, scene, guest, machine, "desk-1", admin, "nocloud")
        checks.same(first["instance"].text, "one", "the instance id")
        checks.that("waiting for a DHCP lease" not in first["log"].text, "no network is waited for")

        checks.begin("reboot")
        guest.reboot()
        second = check_silence(checks, scene, guest, machine, "desk-1", admin)
        checks.that(second["boot"].text != first["boot"].text, "this is another boot")
        checks.same(fingerprints(second), fingerprints(first), "the host keys")
        guest.power_off()

        checks.begin("clone")
        clone = scene.machine(
            scene.copy(disk, "clone"),
            on_a_desk(SECOND),
            devices=attached(make_seed(scene, "desk-2", other, "two", "vfat")),
        ).start()
        guest = scene.guest(clone, on_a_desk(SECOND), other)
        third = check_login(checks, scene, guest, clone, "desk-2", other, "nocloud")
        checks.same(third["instance"].text, "two", "the instance id")


@RARE
@CHEAP
def test_configdrive(scene: Scene) -> None:
    admin = scene.person("admin")
    scene.azure.serve_dhcp()
    volume = scene.folder / "config-2.iso"
    run_emulator(
        *["seed", "--platform", "configdrive", "--output", str(volume)],
        *["--host-name", "cloud-1", "--ssh-key", str(admin.key) + ".pub"],
        *["--user-data", scene.file("user", FILES_ALONE)],
    )
    check_once(scene, admin, on_a_desk(FIRST), "configdrive", attached(volume))


@RARE
@CHEAP
def test_openstack(scene: Scene) -> None:
    admin = scene.person("admin")
    instance = {
        "uuid": FIRST.uuid,
        "hostname": "cloud-1",
        "public_keys": {"mine": admin.public},
        "user_data": FILES_ALONE,
    }
    check_service(scene, admin, "openstack", on_a_desk(FIRST, product="OpenStack Nova"), instance)


@RARE
@CHEAP
def test_ec2(scene: Scene) -> None:
    admin = scene.person("admin")
    metadata = {"local-hostname": "cloud-1", "public-keys": {"mine": admin.public}}
    instance = {"meta-data": metadata, "user-data": FILES_ALONE}
    hardware = on_a_desk(FIRST, uuid="ec2" + FIRST.uuid[3:], vendor="Amazon EC2")
    check_service(scene, admin, "ec2", hardware, instance)


def check_service(
    scene: Scene, admin: Person, platform: str, hardware: Hardware, instance: Dict[str, Any]
) -> None:
    """A metadata service at the address that all clouds have in common, which has the key."""
    scene.azure.serve_dhcp()
    ready = scene.folder / "ready"
    scene.azure.machine.start(
        sys.executable,
        *["-m", "lightinit.emulator", "run", "--platform", platform, "--imds", METADATA],
        *["--instance", scene.file("vm.json", json.dumps(instance)), "--ready-file", str(ready)],
        *["--log", str(scene.folder / "metadata.jsonl")],
        log=scene.folder / "emulator.log",
        env={"PYTHONPATH": HERE},
    )
    wait_until(ready.exists, 60, "the emulator does not start; see emulator.log")
    check_once(scene, admin, hardware, platform, [])


def check_once(
    scene: Scene, admin: Person, hardware: Hardware, platform: str, devices: Sequence[str]
) -> None:
    """The first boot, to the login with the platform's key, and a second one without Python."""
    disk = scene.changed({"/etc/lightinit/conf.d/20-test.conf": SETTINGS})
    machine = scene.machine(disk, hardware, devices=devices).start()
    guest = scene.guest(machine, hardware, admin)
    with Checks() as checks:
        checks.begin("first boot")
        check_login(checks, scene, guest, machine, "cloud-1", admin, platform)
        checks.begin("reboot")
        guest.reboot()
        check_silence(checks, scene, guest, machine, "cloud-1", admin)


def run_emulator(*arguments: str) -> None:
    """Run a command of the emulator."""
    command = [sys.executable, "-m", "lightinit.emulator", *arguments]
    subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.DEVNULL)
