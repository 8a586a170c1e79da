"""The module ephemeral_disk where it touches no disk. It formats disks in tests/real_tools."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import ephemeral_disk
from lightinit.settings.shipped import SHIPPED
from tests.lib.stand_in import StandIn

OURS = "LABEL=lightinit /mnt/resource ext4 defaults,nofail 0 2 # lightinit\n"
NVME = "/sys/class/block/nvme0n1/device/model"


def apply(system: System, **changes: str) -> Outcome:
    settings: Dict[str, Any] = {
        each.key: each.default for each in SHIPPED["ephemeral_disk"].settings
    }
    settings.update(changes)
    return ephemeral_disk.apply(Instance("id"), system, settings)


def test_a_scratch_root_has_no_disk(tmp_path: Any) -> None:
    system = System(tmp_path)
    assert apply(system).skipped and system.skipped == ["resource disk"]


def test_a_vm_without_the_disk_loses_our_lines_alone(tmp_path: Any) -> None:
    system = StandIn(tmp_path)
    system.write("/etc/fstab", ("UUID=1 / ext4 x 0 1\n" + OURS).encode(), 0o600)
    assert apply(system) == Outcome("no resource disk", skipped=True)
    assert system.read("/etc/fstab") == b"UUID=1 / ext4 x 0 1\n"


def test_without_fstab_none_is_made(tmp_path: Any) -> None:
    system = StandIn(tmp_path)
    assert apply(system).message == "no resource disk"
    assert not system.exists("/etc/fstab")


def test_local_nvme_disks_are_told_and_not_taken(tmp_path: Any) -> None:
    system = StandIn(tmp_path)
    system.write(NVME, b"Microsoft NVMe Direct Disk v2\n")
    told = "no resource disk, but 1 local NVMe disks: name one with device ="
    assert apply(system).message == told


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"mount_point": "relative"}, "mount point cannot be used"),
        ({"mount_point": "/proc/x"}, "it is below /proc"),
        ({"mount_options": "a b"}, "mount options cannot be used"),
        ({"device": "sdb"}, "write auto, or an absolute path"),
        ({"device": "/dev/file"}, "device is not a disk"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Any, changes: Dict[str, str], reason: str) -> None:
    system = StandIn(tmp_path)
    system.write("/dev/file", b"")
    with pytest.raises(ProvisioningError, match=reason):
        apply(system, **changes)
    assert system.runs == [] and not system.exists("/etc")
