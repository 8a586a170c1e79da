"""Finds the device that a user named, and tells what is on it and who uses it."""

from __future__ import annotations

import os
from typing import List, Optional

from lightinit.errors import ProvisioningError
from lightinit.formats.disks import device_names
from lightinit.formats.disks.device_names import DeviceName
from lightinit.formats.disks.mounts import Mount, parse_mounts, parse_swaps
from lightinit.formats.disks.signatures import Signature, find_signatures, read_uuid
from lightinit.host.disks import block, named
from lightinit.host.disks.block import BlockDevice
from lightinit.host.system import System
from lightinit.model import NamedTuple

FIND_LIMIT_S = 10.0


class Content(NamedTuple):
    """What is on a device.

    Attributes:
        found: the signatures of file systems, partition tables and the like.
        uuid: of the only file system, or "".
    """

    found: List[Signature]
    uuid: str = ""

    @property
    def kinds(self) -> List[str]:
        """The kinds of the signatures."""
        return [each.kind for each in self.found]


def find_named(system: System, name: DeviceName) -> Optional[BlockDevice]:
    """The device; the first partition of a disk that has some, as cloud-init takes it. None if
    there is none, or if the name is that of no device.

    Raises:
        ProvisioningError: the resource disk is ambiguous.
    """
    if name.text.startswith(device_names.TAGS):
        return _find_by_tag(system, name.text)
    disk = find_whole(system, name)
    if disk is None:
        return None
    if name.plain and named.find_by_path(system, name.plain) == disk:
        return named.find_part(system, disk, None)
    part = name.part
    azure = device_names.read_azure_name(name.text)
    if azure is not None and azure.part is not None and not disk.partition:
        part = azure.part
    return named.find_part(system, disk, part)


def find_whole(system: System, name: DeviceName) -> Optional[BlockDevice]:
    """The device itself: of a disk with partitions, the disk. None as for :func:`find_named`.

    Raises:
        ProvisioningError: the resource disk is ambiguous.
    """
    if not name.is_path or not name.known:
        return None
    for path in (name.plain, name.text):
        device = named.find_by_path(system, path) if path else None
        if device is not None:
            return device
    azure = device_names.read_azure_name(name.text)
    if azure is None:
        return None
    return named.find_azure_disk(system, azure.kind, azure.lun, azure.bus)


def is_missing(name: DeviceName, device: Optional[BlockDevice]) -> bool:
    """Whether a name is that of a device which is not there."""
    is_tag = name.text.startswith(device_names.TAGS)
    return name.known and device is None and (name.is_path or is_tag)


def _find_by_tag(system: System, tag: str) -> Optional[BlockDevice]:
    tool = system.tool("findfs")
    if tool is None:
        return None
    try:
        ended = system.run([tool, tag], timeout_s=FIND_LIMIT_S)
    except ProvisioningError:
        return None
    if not ended.ok:
        return None
    return named.find_by_path(system, ended.stdout.strip())


def read_content(system: System, device: BlockDevice) -> Content:
    """What is on a device.

    Raises:
        MalformedError, ProvisioningError: it cannot be read.
    """

    def read(offset: int, size: int) -> bytes:
        return block.read_bytes(system, device, offset, size)

    found = find_signatures(read, 0, device.size_bytes)
    if len(found) != 1:
        return Content(found)
    return Content(found, read_uuid(read, 0, found[0].kind))


def find_lasting_name(system: System, name: DeviceName, device: BlockDevice, uuid: str) -> str:
    """The name of a device that is still right after a restart, as far as there is one.

    Args:
        system: the machine.
        name: as the user named it.
        device: the device.
        uuid: of its file system, or "".
    """
    if not name.is_path:
        return name.text
    path = name.text
    if device.partition and named.find_by_path(system, path) != device:
        path = device_names.part_path(path, device.partition)
    there = named.find_by_path(system, path)
    if there is not None and there.number == device.number and not device_names.is_unstable(path):
        return path
    if uuid:
        return "UUID=" + uuid
    return device.node


def list_mounts(system: System) -> List[Mount]:
    """All mounts of the host and of this process, which may have a mount namespace of its own."""
    return [
        mount
        for process in ("1", "self")
        for mount in parse_mounts(system.read_text("/proc/%s/mountinfo" % process))
    ]


def list_swaps(system: System) -> List[str]:
    """The paths of all swap in use."""
    return [path for path, _ in parse_swaps(system.read_text("/proc/swaps"))]


def is_mounted(system: System, device: BlockDevice, place: str) -> bool:
    """Whether a device is what is mounted at ``place``."""
    there = [each for each in list_mounts(system) if each.place == place][-1:]
    return any(
        each.device == device.number or os.path.realpath(each.source) == device.node
        for each in there
    )
