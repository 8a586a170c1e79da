"""Reading and writing a disk, for which a file stands here."""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.disks.block import BlockDevice
from lightinit.host.disks.open_disk import OpenDisk
from lightinit.host.system import System

DISK = BlockDevice("sdb", "8:16", 10, 4096)


def test_reading_beyond_the_end(tmp_path: Any) -> None:
    system = System(tmp_path)
    system.write("/dev/sdb", b"0123456789")
    with OpenDisk(system, DISK, writable=True) as device:
        assert (device.size_bytes, device.sector_bytes, device.read(2, 3)) == (10, 4096, b"234")
        with pytest.raises(MalformedError, match="disk is too short"):
            device.read(8, 3)
        device.write(4, b"xyz")
        assert device.read(0, 10) == b"0123xyz789"
    with pytest.raises(ProvisioningError, match="resource disk cannot be used"):
        OpenDisk(system, BlockDevice("sdc", "8:32", 10))
