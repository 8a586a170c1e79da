"""Makes a file system as a user wants it, unless its place may have data or is in use."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple, Union

from lightinit.digits import read_digits
from lightinit.disks import devices, safety
from lightinit.errors import ProvisioningError
from lightinit.formats.disks import mkfs
from lightinit.formats.disks.resource_disk import DiskState, assess
from lightinit.host.disks import block, make, resource_disk
from lightinit.host.disks.block import BlockDevice
from lightinit.host.disks.open_disk import OpenDisk
from lightinit.host.system import System
from lightinit.model import NamedTuple

FORMAT_LIMIT_S = 300.0
SHELL = "/bin/sh"
AUTO, ANY, NONE = "auto", "any", "none"


class WishedFileSystem(NamedTuple):
    """A file system as a user wants it.

    Attributes:
        kind: its type, such as ``ext4``.
        label: or "".
        partition: a number, ``auto``, ``any`` or ``none``.
        overwrite: whether what is there may be lost.
        replaces: the type of the file system that is replaced, or "".
        options: further arguments for mkfs.
        command: what is run instead of mkfs, as words or one text for the shell.
    """

    kind: str
    label: str = ""
    partition: str = ANY
    overwrite: bool = False
    replaces: str = ""
    options: Sequence[str] = ()
    command: Union[str, Sequence[str]] = ()


class _Target(NamedTuple):
    device: BlockDevice
    is_done: bool  # whether it already has what is wished


def make_wished(
    system: System, device: BlockDevice, wish: WishedFileSystem, fresh: Sequence[str]
) -> Tuple[BlockDevice, bool]:
    """Make a file system.

    Args:
        system: the machine.
        device: a disk, or a partition.
        wish: what is to be made.
        fresh: the numbers of disks whose partitions this run has made. Nobody's data are there.

    Returns:
        The device that has it, and whether it was made now.

    Raises:
        ProvisioningError: it may not be made there, or a tool failed.
        MalformedError: the device cannot be read.
    """
    why = "" if wish.command and not wish.kind else mkfs.why_not(wish.kind, wish.label)
    if why:
        raise safety.leave_alone(device, why)
    target = _choose(system, device, wish)
    if target.is_done:
        return target.device, False
    chosen = target.device
    argv = _command(system, chosen, wish)
    safety.check_unused(system, chosen)
    with OpenDisk(system, chosen, writable=True, wished=True) as opened:
        is_fresh = chosen.disk is not None and chosen.disk.number in fresh
        if not wish.overwrite and not is_fresh:
            _check_content(system, chosen, opened)
        _run(system, chosen, argv)
        opened.drop_caches()
    make.settle(system)
    if not devices.read_content(system, chosen).found and wish.kind in mkfs.MAKERS:
        raise safety.leave_alone(
            chosen, "it has no file system after %s" % argv[0], "run it by hand"
        )
    return chosen, True


# -- choosing
# --------------------------------------------------------------------------------------------------


def _choose(system: System, device: BlockDevice, wish: WishedFileSystem) -> _Target:
    """The device on which the file system is to be, by cloud-init's rules."""
    if wish.partition == NONE:
        return _named(system, device, wish)
    parts = block.partitions(system, device) if not device.partition else {}
    number = read_digits(wish.partition)
    if number is not None and not device.partition:
        part = parts.get(number)
        if part is None:
            raise safety.leave_alone(device, "it has no partition %s" % wish.partition)
        return _named(system, part, wish)
    if device.partition:
        return _named(system, device, wish)
    return _first_that_fits(system, device, parts, wish)


def _named(system: System, device: BlockDevice, wish: WishedFileSystem) -> _Target:
    is_done = not wish.overwrite and _is_wished(system, device, wish, with_label=True)
    return _Target(device, is_done)


def _first_that_fits(
    system: System, disk: BlockDevice, parts: Dict[int, BlockDevice], wish: WishedFileSystem
) -> _Target:
    """With ``auto`` or ``any``: a device that has it; else the first that has no file system."""
    free: Optional[BlockDevice] = None
    with_label = wish.partition == AUTO
    for each in [disk, *(parts[number] for number in sorted(parts))]:
        if each is disk and parts:
            continue
        if _is_wished(system, each, wish, with_label):
            return _Target(each, True)
        kinds = devices.read_content(system, each).kinds
        replaced = mkfs.SIGNATURES.get(wish.replaces.lower(), "")
        if replaced and not with_label and kinds == [replaced]:
            return _Target(each, False)
        if not kinds and free is None:
            free = each
    if free is None and wish.overwrite and not parts:
        free = disk
    if free is None:
        raise safety.leave_alone(disk, "it has no device without a file system", safety.SAFE)
    return _Target(free, False)


def _is_wished(
    system: System, device: BlockDevice, wish: WishedFileSystem, with_label: bool
) -> bool:
    content = devices.read_content(system, device)
    wished = mkfs.SIGNATURES.get(wish.kind, "")
    if not wished or content.kinds != [wished]:
        return False
    # The labels of others are not read: then the type has to do.
    knows_label = wished in ("ext4", "XFS")
    return not (with_label and knows_label) or content.found[0].label == wish.label


def _check_content(system: System, chosen: BlockDevice, opened: OpenDisk) -> None:
    """Raise an error if the device may have somebody's data."""
    if not chosen.partition:
        safety.check_disk_content(chosen, opened)
        return
    kinds = devices.read_content(system, chosen).kinds
    if kinds == ["NTFS"] and _is_platforms(system, chosen):
        return
    safety.check_partition_content(chosen, opened, kinds)


def _is_platforms(system: System, part: BlockDevice) -> bool:
    """Whether it is the resource disk's NTFS as the platform made it, without anybody's files."""
    resource = resource_disk.find_resource_disk(system)
    if resource is None or part.disk is None or resource.number != part.disk.number:
        return False
    with OpenDisk(system, resource, wished=True) as opened:
        finding = assess(opened.read, opened.size_bytes, opened.sector_bytes)
    return finding.state is DiskState.FRESH


# -- making
# --------------------------------------------------------------------------------------------------


def _command(system: System, device: BlockDevice, wish: WishedFileSystem) -> List[str]:
    given = wish.command
    if given and isinstance(given, str):
        return [SHELL, "-c", mkfs.fill_in(given, wish.label, wish.kind, device.node)]
    if given:
        return [mkfs.fill_in(each, wish.label, wish.kind, device.node) for each in given]
    for name in mkfs.tool_names(wish.kind):
        tool = system.tool(name)
        if tool is not None:
            return mkfs.make_command(tool, wish.kind, wish.label, wish.options, device.node)
    package = mkfs.MAKERS.get(wish.kind, mkfs.UNKNOWN).package
    missing = mkfs.tool_names(wish.kind)[0]
    raise safety.leave_alone(device, "%s is missing" % missing, "install %s in the image" % package)


def _run(system: System, device: BlockDevice, argv: List[str]) -> None:
    ended = system.run(argv, timeout_s=FORMAT_LIMIT_S)
    if not ended.ok:
        raise ProvisioningError(
            "disk cannot be prepared",
            device=device.node,
            why="%s failed" % argv[0],
            said=ended.last_words,
        )
