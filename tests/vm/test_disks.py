"""A root disk that is larger than its image, the platform's resource disk, and custom data that are
executed. That a boot keeps a resource disk that lightinit has made is in test_power_cut.py.

On the one image where it is cheapest, the networkd one of bookworm. A boot with a user's disk comes
with LIGHTINIT_VM=all alone; tests/real_clients/test_media.py shows it in namespaces.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import MappingProxyType
from typing import Mapping, NamedTuple, Sequence

from tests.vm.azure import Person
from tests.vm.facts import TRACE, Facts, check_ready, journal, provisioned
from tests.vm.guest import Guest
from tests.vm.machine import Machine
from tests.vm.qemu import optical_drive
from tests.vm.resource_disk import QUESTIONS, SETTINGS, check_lent, lend, plugged_in
from tests.vm.scene import ALL, CHEAP, FIRST, Checks, Scene, Stopwatch

MIB = 1024 * 1024
ROOM_MIB = 600
# udev is so late that lightinit has begun when the disk gets its links.
LATE_LINKS = """ACTION=="add", SUBSYSTEM=="block", KERNEL=="sd[a-z]", \
PROGRAM="/bin/sh -c 'until [ -e /run/lightinit/status.json ]; do sleep 0.1; done; sleep 3'"
"""
# Nothing but the last two lines may be done in the sandbox of lightinit's unit.
CUSTOM_DATA = """#!/bin/sh
set -e
mount -t tmpfs none /srv
echo it lasts >/srv/mark
echo 37 >/proc/sys/vm/swappiness
modprobe dummy
date -s +1sec >/dev/null
ip link add made type dummy
nohup sleep 4711 >/dev/null 2>&1 &
echo $! >/run/sleeper
echo "the custom data speak of $LIGHTINIT_INSTANCE_ID"
echo "and complain" >&2
echo ran >>/root/ran
"""
OUTSIDE = {
    "srv": "findmnt -rn --mountpoint /srv -o FSTYPE && cat /srv/mark",
    "swappiness": "cat /proc/sys/vm/swappiness",
    "dummy": "ls -d /sys/module/dummy && ip -o link show made",
    "sleeper": (
        "tr '\\0' ' ' </proc/$(cat /run/sleeper)/cmdline; cat /proc/$(cat /run/sleeper)/cgroup"
    ),
    "folder": "ls -A /run/lightinit/scripts",
}


def digest(path: Path) -> str:
    """Of every byte of a disk."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Vm(NamedTuple):
    """What all boots of the test have in common.

    Attributes:
        scene: the scene.
        admin: who logs in.
        lent: the resource disk.
        machine: the machine.
        guest: what runs on it.
        checks: what fails is noted there.
    """

    scene: Scene
    admin: Person
    lent: Path
    machine: Machine
    guest: Guest
    checks: Checks

    def look(
        self, more: Mapping[str, str] = MappingProxyType({}), statuses: Sequence[int] = (0,)
    ) -> Facts:
        """Log in after a boot, and check what always holds."""
        return provisioned(
            self.checks,
            self.scene.azure,
            self.machine,
            self.guest,
            FIRST,
            "web-1",
            self.admin,
            dict(QUESTIONS, **more),
            statuses,
        )


@CHEAP
def test_disks_and_custom_data(scene: Scene) -> None:
    azure, admin, watch = scene.azure, scene.person("admin"), Stopwatch(scene.folder / "times")
    azure.serve_dhcp()
    azure.stand_for(FIRST, "web-1", admin)
    root = scene.changed(
        {
            "/etc/lightinit/conf.d/20-test.conf": SETTINGS,
            "/etc/udev/rules.d/10-test.rules": LATE_LINKS,
        }
    )
    small_mib = root.stat().st_size // MIB
    os.truncate(root, root.stat().st_size + ROOM_MIB * MIB)
    lent = lend(scene.scratch("lent") / "temp.raw")
    media = scene.media(
        "--user-name",
        "admin",
        "--host-name",
        "web-1",
        "--custom-data",
        scene.file("custom", CUSTOM_DATA),
    )
    machine = scene.machine(
        root,
        FIRST,
        devices=[*optical_drive(media), *plugged_in(lent)],
    ).start()
    with Checks() as checks:
        vm = Vm(scene, admin, lent, machine, scene.guest(machine, FIRST, admin), checks)
        checks.begin("first boot")
        first = check_first_boot(vm, small_mib)
        watch.lap("first boot")
        heard = azure.heard()
        checks.begin("boot with another fresh disk")
        check_another_fresh_disk(vm, first)
        watch.lap("boot with another fresh disk")
        if ALL:  # else in tests/real_clients/test_media.py, in namespaces
            checks.begin("boot with a user's disk")
            check_users_disk(vm)
            watch.lap("boot with a user's disk")
        checks.same(azure.heard(), heard, "what the platform has heard since the first boot")


def check_first_boot(vm: Vm, small_mib: int) -> Facts:
    """The disk of the root was larger than its file system of ``small_mib``, the resource disk
    fresh; custom data ran.
    """
    checks, facts = vm.checks, vm.look(OUTSIDE)
    check_ready(checks, vm.scene.azure)
    check_lent(checks, facts)
    grown_mib = int(facts["root"].text.strip(" M"))
    checks.that(
        small_mib < grown_mib <= small_mib + ROOM_MIB,
        "the root file system has grown from %d MiB" % small_mib,
        facts["root"],
    )
    checks.same(
        facts["srv"].text.splitlines(), ["tmpfs", "it lasts"], "what the custom data have mounted"
    )
    checks.same(facts["swappiness"].text, "37", "what the custom data have set in /proc/sys")
    checks.same(
        facts["dummy"].status, 0, "module and link of the custom data: the status of asking"
    )
    checks.that(
        facts["sleeper"].text.startswith("sleep 4711")
        and "lightinit.service" not in facts["sleeper"].text,
        "what the custom data have left running goes on, outside of lightinit's unit",
        facts["sleeper"],
    )
    checks.same(facts["folder"].text, "", "what is left in /run/lightinit/scripts")
    said = [
        entry["MESSAGE"]
        for entry in journal(facts)
        if entry.get("_SYSTEMD_UNIT") == "lightinit.service"
    ]
    for words in ("the custom data speak of " + FIRST.uuid, "and complain"):
        checks.that(any(words in line for line in said), "the journal has %r" % words, said)
        checks.that(words in vm.machine.console(), "the console shows %r" % words)
    checks.that(
        not any("sandbox" in line for line in said),
        "the script is not run inside the sandbox",
        said,
    )
    return facts


def check_another_fresh_disk(vm: Vm, before: Facts) -> None:
    """The platform gives another disk than /etc/fstab speaks of, as after a deallocation."""
    checks = vm.checks
    vm.guest.power_off()
    lend(vm.lent)
    vm.machine.start()
    facts = vm.look(TRACE)
    checks.that(facts["boot"].text != before["boot"].text, "this is another boot", facts["boot"])
    checks.that(facts["python"].text, "Python ran, for the module that runs at each boot")
    check_lent(checks, facts)
    check_not_waited(checks, facts)


def check_users_disk(vm: Vm) -> None:
    """The disk has something of somebody's. The VM comes up all the same, and says so."""
    checks = vm.checks
    vm.guest.power_off()
    lend(vm.lent, **{"thesis.txt": "the work of years\n"})
    before = digest(vm.lent)
    vm.machine.start()
    facts = vm.look(statuses=(2,))
    checks.that(
        "resource disk holds data" in facts["status"].text
        and "NTFS with 1 files" in facts["status"].text,
        "the warning says why",
        facts["status"],
    )
    checks.that(
        any(
            "resource disk holds data" in entry["MESSAGE"] and entry["PRIORITY"] == "4"
            for entry in journal(facts)
        ),
        "the journal has it as a warning",
    )
    checks.same(
        (facts["mounted"].text, facts["swaps"].text), ("", ""), "what is mounted, and swapped to"
    )
    checks.that(
        "lightinit" not in facts["fstab"].text, "/etc/fstab has no line of ours", facts["fstab"]
    )
    checks.same(facts["ran"].text, "ran", "how often the custom data have run")
    check_not_waited(checks, facts)
    vm.guest.ssh("sudo -n sync")
    vm.machine.cut_off()
    checks.same(digest(vm.lent), before, "the disk's SHA-256")


def check_not_waited(checks: Checks, facts: Facts) -> None:
    """Nothing of the boot has waited for the disk of /etc/fstab, which only lightinit could bring
    back.
    """
    times = {
        what: [
            int(entry["__MONOTONIC_TIMESTAMP"])
            for entry in journal(facts)
            if words in entry["MESSAGE"]
        ]
        for what, words in (("began", "lightinit 0"), ("given up", "Timed out waiting for device"))
    }
    checks.that(
        times["began"] and all(times["began"][0] < each for each in times["given up"]),
        "lightinit begins before systemd gives the old disk up",
        times,
    )
