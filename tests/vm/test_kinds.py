"""A VM's life on every kind of distribution: first boot, reboot, an image made of it, a VM made of
that image. tests/vm/kinds has the kinds. By default those with systemd have no such clone, since
test_life.py has one.

The WireServer is where only option 245 says, so that a kind whose lease is not read reports
nowhere. A table at the end of the run shows what each kind could do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List

import pytest

from tests.vm.guest import Guest, Said, soon
from tests.vm.kinds import KINDS, QUICK
from tests.vm.kinds.kind import Kind
from tests.vm.kinds.look import provisioned_now, public_keys, questions, settled
from tests.vm.qemu import more_disks
from tests.vm.scene import ALL, BOOT_TIMEOUT_S, FIRST, SECOND, Checks, Scene, Stopwatch, all_or
from tests.vm.table import Row

GENERALIZE = 'sh -c "lightinit generalize --user --yes; echo status=\\$?; sync; %s"' % soon(
    "poweroff"
)
NETWORK = {"network": "cat /var/lib/lightinit/instance/network.json"}


def ask(checks: Checks, row: Row, guest: Guest, kind: Kind) -> Dict[str, Said]:
    """Log in as the admin, become root, and look around."""
    guest.wait_for_ssh(BOOT_TIMEOUT_S)  # the key that IMDS gave opens the account
    row.note("login", True)
    said = guest.ssh(guest.become_root + " id -u")
    row.note("root", checks.same(said.text, "0", "whom %s makes" % guest.become_root))
    return guest.ask({**questions(kind), **NETWORK})


def empty_disk(scene: Scene, kind: Kind) -> List[Path]:
    """The disk that keeps what changes; empty for a kind that has no such disk."""
    if not kind.state_size:
        return []
    return [scene.new_disk(scene.scratch("state"), kind.state_size)]


@pytest.mark.parametrize("scene", all_or(list(KINDS), QUICK), indirect=True)
def test_life_of_a_kind(scene: Scene, row: Row) -> None:
    kind = KINDS[scene.image.name]
    azure, watch = scene.azure, Stopwatch(scene.folder / "times")
    admin, other = scene.person("admin"), scene.person("other")
    azure.move_wireserver()
    azure.serve_dhcp(lease_time="infinite")  # as Azure's leases
    azure.stand_for(FIRST, "web-1", admin)
    disk = scene.overlay()
    state = empty_disk(scene, kind)
    machine = scene.machine(disk, FIRST, devices=more_disks(state)).start()
    guest = scene.guest(machine, FIRST, admin, kind.become_root)
    with Checks() as checks:
        checks.begin("first boot")
        first = ask(checks, row, guest, kind)
        settled(checks, first, kind, "web-1", "admin")
        provisioned_now(checks, scene, row, machine, FIRST, first, "web-1")
        watch.lap("first boot")

        checks.begin("reboot")
        heard = azure.heard()
        guest.reboot()
        second = ask(checks, row, guest, kind)
        settled(checks, second, kind, "web-1", "admin")
        kept, _, written = second["trace"].text.partition("/")
        holds = [
            checks.that(second["boot"].text != first["boot"].text, "this is another boot"),
            checks.same(azure.heard(), heard, "what the platform has heard"),
            checks.same(second["python"].text, "", "the list of Python programs started"),
            checks.that(kept and kept == written, "the trace is whole", second["trace"]),
            checks.same(second["keys"].text, first["keys"].text, "the host keys"),
            checks.same(second["passwd"].text, first["passwd"].text, "passwd"),
        ]
        row.note("second boot", all(holds))
        watch.lap("reboot")

        checks.begin("generalize")
        said = guest.ssh("%s %s" % (kind.become_root, GENERALIZE))
        checks.that("status=0" in said.text, "lightinit generalize succeeds", said)
        machine.wait_for_end()
        checks.same(azure.heard(), heard, "what the platform has heard")
        watch.lap("generalize and power off")
        if not kind.init and not ALL:  # systemd's clone is in test_life.py
            row.cells["clone"] = "not tried"
            return

        checks.begin("first boot of the image's VM")
        azure.stand_for(SECOND, "web-2", other)
        copies = [scene.copy(each, "clone-of-" + each.stem) for each in [disk, *state]]
        clone = scene.machine(copies[0], SECOND, devices=more_disks(copies[1:])).start()
        guest = scene.guest(clone, SECOND, other, kind.become_root)
        third = ask(checks, row, guest, kind)
        settled(checks, third, kind, "web-2", "other")
        provisioned_now(checks, scene, row, clone, SECOND, third, "web-2")
        common = set(public_keys(third["keys"].text)) & set(public_keys(first["keys"].text))
        holds = [
            checks.same(common, set(), "host keys that both VMs have"),
            checks.that(
                "\nadmin:" not in third["passwd"].text,
                "the first VM's account is gone",
                third["passwd"].text,
            ),
            checks.that(
                "admin" not in third["homes"].text.split(), "its home is gone", third["homes"].text
            ),
        ]
        row.note("clone", all(holds))
        watch.lap("first boot of the image's VM")
