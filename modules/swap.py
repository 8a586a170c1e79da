"""Makes the swap file of a cloud-config, switches it on, and writes it into /etc/fstab.

The line ends in ``# lightinit swap``. A file that is there and is no swap file stays as it is.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Any, Dict, Mapping, Optional

from lightinit.disks import devices
from lightinit.errors import ProvisioningError
from lightinit.formats.cloud_config.readers.mounts import GivenSwap, read_mounts
from lightinit.formats.disks import fstab
from lightinit.formats.disks.mounts import find_covering
from lightinit.formats.disks.signatures import HEAD_BYTES, find_signatures
from lightinit.formats.disks.swap_size import read_memory_bytes, suggest_size
from lightinit.host.disks import fstab_file
from lightinit.host.disks.block import number_of
from lightinit.host.disks.mounts import MountedFolder
from lightinit.host.disks.swap import MIB, SwapFile
from lightinit.host.files.trusted_place import find_weak_folder
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings

# The kernel swaps to no file of these.
NO_SWAP = ("9p", "cifs", "exfat", "nfs", "nfs4", "overlay", "ramfs", "squashfs", "tmpfs", "zfs")
ALLOCATES = ("ext2", "ext3", "ext4", "btrfs")
XFS_ALLOCATES = (4, 18)  # older kernels take allocated blocks for holes


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The setting that a cloud-config gives: its swap file.

    Args:
        values: the keys of a cloud-config.
    """
    return {"swap": read_mounts(values)[0].swap}


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Make the swap file.

    Args:
        instance: not used.
        system: the machine.
        settings: ``swap``, as :func:`from_cloud_config` gives it.

    Returns:
        The swap that there is.

    Raises:
        ProvisioningError: there is no swap: the place is not safe, the file is something else, or
            the disk is too small. Nothing is left behind.
    """
    given: Optional[GivenSwap] = settings.get("swap")
    if given is None:
        return Outcome("no swap file is wanted", skipped=True)
    if not system.live:
        system.skip("swap")
        return Outcome("swap left out in a scratch root", skipped=True)
    path = os.path.normpath(given.filename)
    _check_place(system, path)
    if path in devices.list_swaps(system):
        return Outcome("the swap file %s is in use" % path)
    _check_file(system, path)
    place = os.path.dirname(path)
    system.make_dir(place)
    real = system.path(place)
    kind = _file_system(system, real)
    size_mb = _size_mb(system, given, real)
    entry = fstab.FstabLine(path, "none", "swap", "sw,nofail")
    # Under systemd the line's unit switches it on: the service itself may not.
    before = fstab_file.read_fstab(system)
    fstab_file.edit_fstab(system, lambda text: _add(text, entry))
    with MountedFolder(system, place, number_of(os.stat(real).st_dev)) as folder:
        unit = fstab.unit_name(path, "swap")
        file = SwapFile(system, folder, unit, os.path.basename(path), overwrites=kind == "btrfs")
        problem = file.have(size_mb, is_active=False, allocate=_may_allocate(kind))
        if problem:
            file.remove()
    if problem:
        fstab_file.edit_fstab(system, lambda text: before)
        raise _refuse(path, problem)
    return Outcome("%d MiB of swap in %s" % (size_mb, path))


def _add(text: str, entry: fstab.FstabLine) -> str:
    if any(source == entry.source for source, _ in fstab.other_lines(text, fstab.SWAP_MARK)):
        return text
    return fstab.set_entries(text, [entry], fstab.SWAP_MARK)


def _check_place(system: System, path: str) -> None:
    why = fstab.why_not_mount_point(path)
    if why:
        raise _refuse(path, why)
    weak = find_weak_folder(system, os.path.dirname(system.path(path)))
    if weak is not None:
        raise _refuse(path, "users other than root may change %s" % weak.path)


def _check_file(system: System, path: str) -> None:
    """Raise an error if something other than a swap file is there."""
    try:
        status = os.stat(system.path(path, follow_last=False), follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refuse(path, error.strerror or str(error)) from error
    kinds = []
    if stat.S_ISREG(status.st_mode):
        with open(system.path(path), "rb") as handle:
            head = handle.read(HEAD_BYTES)
        head += bytes(HEAD_BYTES - len(head))
        kinds = [each.kind for each in find_signatures(_reader(head), 0, HEAD_BYTES)]
    if kinds != ["swap"]:
        raise _refuse(path, "something else is there, and it was not changed")


def _reader(data: bytes) -> Any:
    return lambda offset, size: data[offset : offset + size]


def _file_system(system: System, real: str) -> str:
    """The type of the file system that has a folder."""
    found = find_covering(devices.list_mounts(system), real)
    kind = ""
    if found is not None:
        kind = found.kind
    if kind in NO_SWAP or kind.startswith("fuse"):
        raise _refuse(real, "the kernel swaps to no file of a file system of type %s" % kind)
    return kind


def _may_allocate(kind: str) -> bool:
    """Whether the blocks may be reserved instead of being written, which takes long."""
    release = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", os.uname().release)
    if kind == "xfs" and release is not None:
        return (int(release.group(1)), int(release.group(2))) >= XFS_ALLOCATES
    return kind in ALLOCATES


def _size_mb(system: System, given: GivenSwap, real: str) -> int:
    size_bytes = given.size_bytes
    if size_bytes is None:
        memory_bytes = read_memory_bytes(system.read_text("/proc/meminfo"))
        if memory_bytes is None:
            raise _refuse(given.filename, "the kernel does not tell the size of the memory")
        room = os.statvfs(real)
        free_bytes = room.f_frsize * room.f_bavail
        size_bytes = suggest_size(memory_bytes, free_bytes, given.maximum_bytes)
    if size_bytes < MIB:
        raise _refuse(given.filename, "less than 1 MiB is wanted, or there is no room for more")
    return size_bytes // MIB


def _refuse(path: str, why: str) -> ProvisioningError:
    return ProvisioningError(
        "swap file cannot be made",
        path=ascii(path)[1:-1],
        why=why,
        hint="choose another `filename` or `size` under `swap` in the cloud-config",
    )
