"""A VM's life on every image: first boot, reboot, an image made of it, a VM made of that image.

By default two images stand for all six: one of each release, and two of the three network stacks.
The third, ifupdown with dhclient, is in a machine only with LIGHTINIT_VM=all; the real ones are in
tests/real_clients (leases, names) and tests/packages (installed, enabled).
"""

from __future__ import annotations

import pytest

from tests.vm.facts import (
    DETAILS,
    TRACE,
    check_keys_shown,
    check_ready,
    fingerprints,
    provisioned,
    provisioned_now,
)
from tests.vm.recipe import NAMES
from tests.vm.scene import FIRST, SECOND, Checks, Scene, Stopwatch, all_or
from tests.vm.table import Row

IMAGES = all_or(NAMES, ["bookworm-networkd"])
GENERALIZE = (
    "sudo -n sh -c 'lightinit generalize --user --yes; echo status=$?; sync; systemctl --no-block"
    " poweroff'"
)


@pytest.mark.parametrize("scene", IMAGES, indirect=True)
def test_life(scene: Scene, row: Row) -> None:
    azure, watch = scene.azure, Stopwatch(scene.folder / "times")
    admin, other = scene.person("admin"), scene.person("other")
    azure.serve_dhcp()
    azure.stand_for(FIRST, "web-1", admin)
    disk = scene.overlay()
    machine = scene.machine(disk, FIRST).start()
    guest = scene.guest(machine, FIRST, admin)
    with Checks() as checks:
        checks.begin("first boot")
        first = provisioned(
            checks,
            azure,
            machine,
            guest,
            FIRST,
            "web-1",
            admin,
            {**DETAILS, "verify": "systemd-analyze verify --man=no lightinit.service"},
        )
        check_keys_shown(checks, guest, first)
        row.note_answered(check_ready(checks, azure))
        in_dns = provisioned_now(checks, first, machine, azure, FIRST, "web-1", admin)
        row.note("name in DNS", in_dns)
        checks.same(tuple(first["verify"]), (0, ""), "what systemd-analyze verify says")
        watch.lap("first boot")

        checks.begin("reboot")
        heard = azure.heard()
        guest.reboot()
        second = provisioned(checks, azure, machine, guest, FIRST, "web-1", admin, TRACE)
        check_keys_shown(checks, guest, second)
        checks.that(second["boot"].text != first["boot"].text, "this is another boot")
        silent = checks.same(azure.heard(), heard, "what the platform has heard")
        idle = checks.same(second["python"].text, "", "the list of Python programs started")
        row.note("second boot", silent and idle)
        kept, _, written = second["trace"].text.partition("/")
        checks.that(kept and kept == written, "the trace of programs is whole", second["trace"])
        checks.same(fingerprints(second), fingerprints(first), "the host keys")
        for name in ("passwd", "machine-id"):
            checks.same(second[name].text, first[name].text, name)
        watch.lap("reboot")

        checks.begin("generalize")
        said = guest.ssh(GENERALIZE)
        checks.that("status=0" in said.text, "lightinit generalize succeeds", said)
        machine.wait_for_end()
        checks.same(azure.heard(), heard, "what the platform has heard")
        watch.lap("generalize and power off")

        checks.begin("first boot of the image's VM")
        azure.stand_for(SECOND, "web-2", other)
        clone = scene.machine(scene.copy(disk, "clone"), SECOND).start()
        guest = scene.guest(clone, SECOND, other)
        third = provisioned(
            checks, azure, clone, guest, SECOND, "web-2", other, {**DETAILS, "homes": "ls /home"}
        )
        check_keys_shown(checks, guest, third)
        row.note("clone", check_ready(checks, azure))
        provisioned_now(checks, third, clone, azure, SECOND, "web-2", other)
        common = set(fingerprints(third)) & set(fingerprints(first))
        row.note("clone", checks.same(common, set(), "host keys that both VMs have"))
        checks.that(
            third["machine-id"].text != first["machine-id"].text,
            "the machine id is new",
            third["machine-id"],
        )
        checks.that(
            "\nadmin:" not in third["passwd"].text,
            "the first VM's account is gone",
            third["passwd"].text,
        )
        checks.that(
            "admin" not in third["homes"].text.split(),
            "the first VM's home is gone",
            third["homes"].text,
        )
        watch.lap("first boot of the image's VM")
