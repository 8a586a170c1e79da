"""What several tests in virtual machines do: reboot a guest, give its console a password."""

from __future__ import annotations

import secrets
from typing import Dict

import pytest

from tests.vm import disk
from tests.vm.facts import Facts
from tests.vm.guest import Guest
from tests.vm.machine import Machine
from tests.vm.scene import BOOT_TIMEOUT_S, Scene, shadow_with_password

# The image on which a boot is cheapest.
CHEAP = pytest.mark.parametrize("scene", ["bookworm-networkd"], indirect=True)


def reboot(machine: Machine, guest: Guest, before: Facts) -> None:
    """Let the guest reboot itself, and wait until it is another boot than the one ``before`` is
    of.
    """
    machine.turn_page()
    guest.ssh("sudo -n reboot")

    def came_back() -> bool:
        said = guest.ssh("cat /proc/sys/kernel/random/boot_id", timeout_s=60.0)
        return said.status == 0 and said.text != before["boot"].text

    machine.wait_until(came_back, BOOT_TIMEOUT_S, "the guest does not come back from its reboot")


def put_password(scene: Scene, files: Dict[str, str]) -> str:
    """Among the files of a disk, give the account at the console a password, which is returned."""
    password = secrets.token_hex(12)
    files["/etc/shadow"] = shadow_with_password(
        disk.read(scene.image.disk, "/etc/shadow"), password
    )
    return password
