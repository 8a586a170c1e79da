"""Disks: ``growpart``, ``resize_rootfs``, ``disk_setup``, ``fs_setup`` and ``device_aliases``."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section
from lightinit.model import NamedTuple

KEYS = ("growpart", "resize_rootfs", "disk_setup", "fs_setup", "device_aliases")
MODES = ("auto", "growpart", "gpart", "off")
OF_A_FILE_SYSTEM = (
    "label",
    "filesystem",
    "device",
    "partition",
    "overwrite",
    "replace_fs",
    "extra_opts",
    "cmd",
)


class GivenGrowth(NamedTuple):
    """What is said of growing.

    Attributes:
        grow: whether partitions grow; None if nothing is said.
        devices: whose partitions, by mount point or device; by default ``/``.
        resize: whether the root file system grows after its partition; None if nothing is said.
        resize_in_background: whether the boot goes on meanwhile (``noblock``).
        ignores_marker: whether partitions grow although /etc/growroot-disabled is there.
    """

    grow: Optional[bool] = None
    devices: Tuple[str, ...] = ("/",)
    resize: Optional[bool] = None
    resize_in_background: bool = False
    ignores_marker: bool = False


class GivenPartition(NamedTuple):
    """One partition: its share of the disk in percent, and its type in hexadecimal, or ""."""

    percent: int
    type: str = ""


class GivenTable(NamedTuple):
    """The partitions of one disk.

    Attributes:
        device: path or alias.
        table_type: mbr or gpt.
        partitions: in order; empty makes none.
        remove: whether all partitions are removed.
        overwrite: whether partitions that are there are lost.
    """

    device: str
    table_type: str = "mbr"
    partitions: Tuple[GivenPartition, ...] = ()
    remove: bool = False
    overwrite: bool = False


class GivenFileSystem(NamedTuple):
    """One file system to make.

    Attributes:
        device: path or alias.
        filesystem: such as ext4.
        label: or "".
        partition: number, ``auto`` (one with the same file system and label counts), ``any``
            (one with the same file system counts), ``none`` (the whole device), or "".
        overwrite: whether what is there is lost.
        replace_fs: the file system that is replaced, or "".
        options: further arguments for mkfs.
        command: the command to run instead of mkfs, as words or one text for the shell.
    """

    device: str
    filesystem: str = ""
    label: str = ""
    partition: str = ""
    overwrite: bool = False
    replace_fs: str = ""
    options: Tuple[str, ...] = ()
    command: Union[str, Tuple[str, ...]] = ()


class GivenDisks(NamedTuple):
    """What a cloud-config says of disks.

    Attributes:
        growth: of partitions and the root file system.
        tables: the disks to partition.
        file_systems: those to make.
        aliases: name -> path, for the devices of all others.
    """

    growth: GivenGrowth = GivenGrowth()
    tables: Tuple[GivenTable, ...] = ()
    file_systems: Tuple[GivenFileSystem, ...] = ()
    aliases: Tuple[Tuple[str, str], ...] = ()


def read_disks(values: Mapping[str, Any]) -> Tuple[GivenDisks, List[Mistake]]:
    """Read what is said of disks. What could destroy data by mistake is left out.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    aliases = given.section("device_aliases")
    named: Dict[str, str] = {}
    if aliases is not None:
        named = {key: aliases.line(key) for key in aliases.values}
    file_systems = [_file_system(each) for each in given.sections("fs_setup")]
    disks = GivenDisks(
        _growth(given),
        _tables(given),
        tuple(each for each in file_systems if each is not None),
        tuple(item for item in named.items() if item[1]),
    )
    return disks, given.mistakes


def _growth(given: Section) -> GivenGrowth:
    grow, devices, ignores_marker = None, GivenGrowth().devices, False
    section = None
    if given.values.get("growpart") is False:
        given.wrong("growpart", "false is deprecated", "write `growpart: {mode: off}`", True)
        grow = False
    else:
        section = given.section("growpart")
    if section is not None:
        section.know(("mode", "devices", "ignore_growroot_disabled"))
        mode = section.values.get("mode", "auto")
        if mode is False:  # `off` without quotes
            mode = "off"
        if mode not in MODES:
            section.wrong("mode", "it is unknown; auto is taken", "one of " + ", ".join(MODES))
        grow = mode != "off"
        devices = section.texts("devices") or devices
        ignores_marker = section.yes("ignore_growroot_disabled")
    if given.values.get("resize_rootfs") == "noblock":
        return GivenGrowth(grow, devices, True, True, ignores_marker)
    return GivenGrowth(grow, devices, given.flag("resize_rootfs"), ignores_marker=ignores_marker)


def _tables(given: Section) -> Tuple[GivenTable, ...]:
    disks = given.section("disk_setup")
    if disks is None:
        return ()
    found = []
    for device in disks.values:
        section = disks.section(device)
        if section is None:
            continue
        section.know(("table_type", "layout", "overwrite"))
        kind = section.line("table_type", "mbr").lower()
        if kind not in ("mbr", "gpt"):
            section.wrong("table_type", "it is neither mbr nor gpt", "write one of these")
            continue
        layout = section.values.get("layout", False)
        partitions = _layout(section, layout)
        if partitions is not None:
            overwrite = section.yes("overwrite")
            found.append(GivenTable(device, kind, partitions, layout == "remove", overwrite))
    return tuple(found)


def _layout(section: Section, layout: Any) -> Optional[Tuple[GivenPartition, ...]]:
    """The partitions; None if they cannot be told."""
    if layout is True:
        return (GivenPartition(100),)
    if layout is False or layout == "remove":
        return ()
    if not isinstance(layout, list):
        section.expected("layout", "true, false, remove or a list", layout)
        return None
    found = []
    for each in layout:
        size, kind = each, ""
        if isinstance(each, list) and len(each) == 2:
            size, kind = each[0], str(getattr(each[1], "written", each[1]))
        if isinstance(size, bool) or not isinstance(size, (int, float)) or not 0 < size <= 100:
            section.wrong("layout", "a size is not a percentage", "write numbers from 1 to 100")
            return None
        found.append(GivenPartition(int(size), kind))
    if sum(each.percent for each in found) > 100:
        section.wrong("layout", "the sizes are more than 100 percent", "write less")
        return None
    return tuple(found)


def _file_system(section: Section) -> Optional[GivenFileSystem]:
    section.know(OF_A_FILE_SYSTEM)
    device, kind = section.line("device").strip(), section.line("filesystem").strip()
    command: Union[str, Tuple[str, ...]] = section.texts("cmd")
    if isinstance(section.values.get("cmd"), str):
        command = section.text("cmd")
    if not device:
        section.wrong("device", "it is missing", "such as /dev/disk/azure/scsi1/lun0")
        return None
    if not kind and not command:
        section.wrong("filesystem", "it is missing", "such as ext4")
        return None
    options = section.texts("extra_opts")
    if isinstance(section.values.get("extra_opts"), str):
        options = tuple(section.text("extra_opts").split())
    return GivenFileSystem(
        device,
        kind,
        section.line("label"),
        section.line("partition").strip(),
        section.yes("overwrite"),
        section.line("replace_fs"),
        options,
        command,
    )
