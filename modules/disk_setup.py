"""Partitions disks and makes file systems as a cloud-config says.

A disk that may have data is changed only if the cloud-config says `overwrite: true`; one that is in
use, and the disk of the operating system, never.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from lightinit.disks import devices, formatting, partitioning, safety
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats.cloud_config.readers.disks import GivenFileSystem, GivenTable, read_disks
from lightinit.formats.disks import device_names
from lightinit.formats.disks.device_names import DeviceName
from lightinit.formats.disks.partition_plan import WishedPartition
from lightinit.host.disks import make, named
from lightinit.host.disks.block import BlockDevice
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The settings that a cloud-config gives: tables, file systems, and aliases of devices.

    Args:
        values: the keys of a cloud-config.
    """
    given = read_disks(values)[0]
    return {
        "tables": given.tables,
        "file_systems": given.file_systems,
        "aliases": given.aliases,
    }


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Partition the disks, then make the file systems.

    Args:
        instance: not used.
        system: the machine.
        settings: ``tables``, ``file_systems`` and ``aliases``, as :func:`from_cloud_config` gives
            them.

    Returns:
        What was made; a warning for each that was not.
    """
    tables = settings.get("tables", ())
    file_systems = settings.get("file_systems", ())
    if not tables and not file_systems:
        return Outcome("no disk is to be prepared", skipped=True)
    if not system.live:
        system.skip("disks")
        return Outcome("disks left out in a scratch root", skipped=True)
    aliases = dict(settings.get("aliases", ()))
    told: List[str] = []
    warnings: List[str] = []
    fresh: List[str] = []
    for table in tables:
        try:
            told.append(_partition(system, table, aliases, fresh))
        except LightinitError as error:
            warnings.append("disk_setup, %s: %s" % (ascii(table.device)[1:-1], error))
    for wish in file_systems:
        try:
            told.append(_format(system, wish, aliases, fresh))
        except LightinitError as error:
            warnings.append("fs_setup, %s: %s" % (ascii(wish.device)[1:-1], error))
    return Outcome("; ".join(filter(None, told)) or "no disk was changed", tuple(warnings))


def _find(
    system: System, text: str, aliases: Mapping[str, str]
) -> Tuple[BlockDevice, Optional[int]]:
    """The device, and the number of a partition that its name has."""
    name = device_names.read_device_name(text, "", "", aliases)
    device = devices.find_whole(system, name)
    if device is None and name.known and name.is_path:
        make.settle(system)
        device = devices.find_whole(system, name)
    if device is None:
        raise ProvisioningError(
            "disk cannot be prepared",
            device=ascii(text)[1:-1],
            why="there is no such disk",
            hint="look at `lsblk`; name it by its LUN: /dev/disk/azure/scsi1/lun0",
        )
    return device, _number(system, name, device)


def _number(system: System, name: DeviceName, device: BlockDevice) -> Optional[int]:
    if device.partition or (name.plain and named.find_by_path(system, name.plain) == device):
        return None
    azure = device_names.read_azure_name(name.text)
    if azure is not None and azure.part is not None:
        return azure.part
    return name.part


def _partition(
    system: System, given: GivenTable, aliases: Mapping[str, str], fresh: List[str]
) -> str:
    """Make or remove a table. Returns what was done."""
    if not given.partitions and not given.remove:
        return ""
    disk, number = _find(system, given.device, aliases)
    if disk.partition or number is not None:
        raise safety.leave_alone(disk, "it is a partition; name the whole disk")
    if given.remove:
        if partitioning.remove_partitions(system, disk, given.overwrite):
            return "partitions of %s removed" % disk.node
        return "%s has no partitions" % disk.node
    wishes = [WishedPartition(each.percent, each.type) for each in given.partitions]
    made = partitioning.make_partitions(system, disk, given.table_type, wishes, given.overwrite)
    if not made:
        return "%s has its partitions already" % disk.node
    fresh.append(disk.number)
    return "%s has %d partitions now" % (disk.node, len(wishes))


def _format(
    system: System, given: GivenFileSystem, aliases: Mapping[str, str], fresh: List[str]
) -> str:
    """Make a file system. Returns what was done."""
    device, number = _find(system, given.device, aliases)
    partition = given.partition.lower() or formatting.ANY
    if number is not None:
        partition = str(number)
    wish = formatting.WishedFileSystem(
        given.filesystem.lower(),
        given.label,
        partition,
        given.overwrite,
        given.replace_fs,
        given.options,
        given.command,
    )
    chosen, made = formatting.make_wished(system, device, wish, fresh)
    if not made:
        return "%s has its %s already" % (chosen.node, wish.kind)
    return "%s made on %s" % (wish.kind or "file system", chosen.node)
