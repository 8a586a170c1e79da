"""Writes the mounts of a cloud-config into /etc/fstab, and mounts them.

Each line gets ``nofail``: without it, a disk that is missing later stops the boot. The lines end in
``# lightinit mounts``, so that the next instance replaces them.
"""

from __future__ import annotations

import logging
import os
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from lightinit.disks import devices
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats.cloud_config.readers.disks import read_disks
from lightinit.formats.cloud_config.readers.mounts import GivenMount, read_mounts
from lightinit.formats.disks import device_names, fstab
from lightinit.formats.disks.device_names import DeviceName
from lightinit.host.disks import fstab_file, make, mounts
from lightinit.host.disks.block import BlockDevice
from lightinit.host.files.selinux import restore_labels
from lightinit.host.init import systemd
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple, Outcome
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.mounts")
ALL_LIMIT_S = 120.0  # all mounts together; the rest is mounted at the next boot
NETWORK_LIMIT_S = 30.0
IN_MEMORY = ("tmpfs", "ramfs")
NO_DISK = "there is no such disk or partition"
SAYS_OPEN = (
    "%s has a password in its options, and everybody can read /etc/fstab: write it into a file of"
    " root's, and name that by credentials="
)


class _LeftOut(Exception):
    """The mount gets no line in fstab; the text says why."""


class _Prepared(NamedTuple):
    entry: fstab.FstabLine
    name: DeviceName
    device: Optional[BlockDevice]
    why_later: str = ""  # why it is not mounted now


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The settings that a cloud-config gives: its mounts, and the aliases of devices.

    Args:
        values: the keys of a cloud-config.
    """
    return {"mounts": read_mounts(values)[0].mounts, "aliases": read_disks(values)[0].aliases}


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Write the lines and mount them.

    Args:
        instance: not used.
        system: the machine.
        settings: ``mounts`` and ``aliases``, as :func:`from_cloud_config` gives them.

    Returns:
        What is mounted; a warning for each mount that is not, or not yet.

    Raises:
        ProvisioningError: /etc/fstab cannot be read. It is unchanged.
    """
    wishes = _without_removed(settings.get("mounts", ()))
    aliases = dict(settings.get("aliases", ()))
    others = fstab.other_lines(
        fstab.drop_cloud_inits(fstab_file.read_fstab(system)), fstab.MOUNTS_MARK
    )
    warnings: List[str] = []
    found: List[_Prepared] = []
    problems: Dict[str, str] = {}
    names = [
        device_names.read_device_name(each.device, each.type, each.options, aliases)
        for each in wishes
    ]
    there = _find_all(system, names, problems)
    for wish, name, device in zip(wishes, names, there):
        try:
            prepared = _prepare(system, wish, name, device)
            why = problems.get(name.text)
            if why:
                prepared = prepared._replace(why_later=why)
            _check_others(prepared, [each.entry for each in found], others)
            if name.is_network and "password=" in wish.options:
                warnings.append(SAYS_OPEN % _said(wish))
            found.append(prepared)
        except (_LeftOut, LightinitError) as error:
            warnings.append("%s is left out: %s" % (_said(wish), error))
    entries = _tell_apart(found)
    lasting = _write(system, entries, warnings)
    if not system.live:
        system.skip("mounting")
        return Outcome("%d lines in /etc/fstab" % len(entries), tuple(warnings))
    done = _mount_all(system, found, lasting, warnings)
    warnings += [
        "/etc/fstab: %s" % each
        for each in fstab_file.complaints(system)
        if lasting and each.split(": ")[0] in done
    ]
    return Outcome("%d of %d mounts are done" % (len(done), len(wishes)), tuple(warnings))


def _without_removed(given: Sequence[GivenMount]) -> List[GivenMount]:
    """The mounts, without those that a later entry removes, and without such entries."""
    kept: List[GivenMount] = []
    for each in given:
        if each.point:
            kept.append(each)
        else:
            kept = [other for other in kept if other.device != each.device]
    return kept


def _said(wish: GivenMount) -> str:
    return "the mount of %s at %s" % (ascii(wish.device)[1:-1], ascii(wish.point)[1:-1])


# -- looking
# --------------------------------------------------------------------------------------------------


def _find_all(
    system: System, names: Sequence[DeviceName], problems: Dict[str, str]
) -> List[Optional[BlockDevice]]:
    """The devices of the names. If one is missing, udev is waited for once.

    Args:
        problems: gets why the device of a name cannot be told.
    """
    if not system.live:
        return [None] * len(names)
    found = [_find(system, name, problems) for name in names]
    if any(devices.is_missing(name, device) for name, device in zip(names, found)):
        make.settle(system)
        found = [_find(system, name, problems) for name in names]
    return found


def _find(system: System, name: DeviceName, problems: Dict[str, str]) -> Optional[BlockDevice]:
    try:
        return devices.find_named(system, name)
    except ProvisioningError as error:
        problems[name.text] = str(error)
        return None


def _prepare(
    system: System, wish: GivenMount, name: DeviceName, device: Optional[BlockDevice]
) -> _Prepared:
    """The line of one mount.

    Raises:
        _LeftOut: it must not have one.
        LightinitError: its device cannot be read.
    """
    if not name.known:
        raise _LeftOut("no device has this name on this platform")
    is_swap = wish.type == "swap"
    place = "none"
    if not is_swap:
        place = os.path.normpath(wish.point)
        why = device_names.why_no_place(place)
        if wish.type in IN_MEMORY and re.match("/home(/[^/]+)?$", place):
            why = "homes in memory are gone after a restart, with the keys in them"
        if why:
            raise _LeftOut(why)
        _check_place(system, place, device)
    if not (fstab.are_options(wish.options) and fstab.are_options(wish.type)) or (
        not name.text.isprintable()
    ):
        raise _LeftOut("a field has characters that fstab cannot have")
    why_later, source = "", name.text
    if device is not None:
        source, why_later = _look_at(system, wish, name, device)
    elif name.part is not None:
        source = device_names.part_path(name.text, name.part)
    is_missing = system.live and devices.is_missing(name, device)
    if is_missing:
        why_later = NO_DISK
    waits = name.is_path or name.text.startswith(device_names.TAGS)
    options = device_names.complete_options(
        wish.options, name.is_network, waits and systemd.is_installed(system)
    )
    check = int(wish.check)
    if not waits or is_swap or is_missing:
        check = 0  # some programs that check file systems know no nofail
    entry = fstab.FstabLine(source, place, wish.type, options, check, int(wish.dump))
    return _Prepared(entry, name, device, why_later)


def _check_place(system: System, place: str, device: Optional[BlockDevice]) -> None:
    """Raise _LeftOut if the mount would hide what the system needs."""
    if not device_names.must_be_empty(place) or not system.list_dir(place):
        return
    if device is not None and devices.is_mounted(system, device, place):
        return
    raise _LeftOut("the system needs what is in it")


def _look_at(
    system: System, wish: GivenMount, name: DeviceName, device: BlockDevice
) -> Tuple[str, str]:
    """The source for a device's line; and why it cannot be mounted, or ""."""
    content = devices.read_content(system, device)
    azure = device_names.read_azure_name(name.text)
    if azure is not None and azure.kind == "resource":
        if fstab.has_ours(fstab_file.read_fstab(system)):
            raise _LeftOut("the module ephemeral_disk mounts the resource disk")
        if content.kinds == ["NTFS"] and not wish.type.startswith("ntfs"):
            raise _LeftOut(
                "it has the platform's NTFS: `fs_setup` makes another file system on it, the module"
                " ephemeral_disk also on the disk that replaces it"
            )
    why = ""
    if not content.kinds and not device.mapped:
        why = "it has no file system: `fs_setup` makes one"
    return devices.find_lasting_name(system, name, device, content.uuid), why


def _check_others(
    prepared: _Prepared, before: Sequence[fstab.FstabLine], others: Sequence[Tuple[str, str]]
) -> None:
    """Raise _LeftOut if another line of fstab has the device or the mount point."""
    source, place = prepared.entry.source, prepared.entry.place
    for other_source, other_place in others:
        if other_source in (source, prepared.name.text):
            raise _LeftOut("/etc/fstab has another line for this device")
        if place != "none" and other_place.rstrip("/") == place:
            raise _LeftOut("/etc/fstab mounts %s there" % ascii(other_source)[1:-1])
    if place != "none" and any(each.place == place for each in before):
        raise _LeftOut("an earlier entry is mounted there")


def _tell_apart(found: Sequence[_Prepared]) -> List[fstab.FstabLine]:
    """The lines. Where two devices have the same UUID, as clones have, each has its node."""
    numbers: Dict[str, Set[str]] = {}
    for each in found:
        if each.device is not None:
            numbers.setdefault(each.entry.source, set()).add(each.device.number)
    return [
        each.entry._replace(source=each.device.node)
        if each.device is not None and len(numbers[each.entry.source]) > 1
        else each.entry
        for each in found
    ]


# -- changing
# --------------------------------------------------------------------------------------------------


def _write(system: System, entries: Sequence[fstab.FstabLine], warnings: List[str]) -> bool:
    """Write the lines. Returns whether fstab has them."""

    def edit(text: str) -> str:
        return fstab.set_entries(fstab.drop_cloud_inits(text), entries, fstab.MOUNTS_MARK)

    try:
        fstab_file.edit_fstab(system, edit)
    except ProvisioningError as error:
        warnings.append("the mounts are gone after a restart: %s" % error)
        return False
    return True


def _mount_all(
    system: System, found: Sequence[_Prepared], lasting: bool, warnings: List[str]
) -> List[str]:
    """Mount what is there. Returns the mount points of what is mounted."""
    deadline_s = system.clock.monotonic() + ALL_LIMIT_S
    done = []
    for each in found:
        place = each.entry.place
        why = _make_place(system, place, warnings)
        if not why:
            why = each.why_later
        if not why and "noauto" not in each.entry.options.split(","):
            left_s = deadline_s - system.clock.monotonic()
            why = _mount(system, each, lasting, left_s)
        if why:
            warnings.append("%s is not mounted now: %s" % (ascii(place)[1:-1], why))
            continue
        done.append(place)
    return done


def _mount(system: System, prepared: _Prepared, lasting: bool, left_s: float) -> str:
    """Mount one. Returns "" on success, else why not."""
    entry, name, device = prepared.entry, prepared.name, prepared.device
    source = device.node if device is not None else entry.source
    limit_s = min(left_s, mounts.UNIT_LIMIT_S)
    if limit_s < 1:
        return "the mounts before it took too long"
    if entry.kind == "swap":
        if source in devices.list_swaps(system):
            return ""
        unit = device_names.swap_unit(entry.source)
        said = mounts.start_unit(system, unit, limit_s) if lasting else None
        if said is None:
            said = mounts.swap_by_tool(system, source, limit_s)
        return said
    there = [each for each in devices.list_mounts(system) if each.place == entry.place]
    if there:
        if device is None or devices.is_mounted(system, device, entry.place):
            return ""
        return "%s is mounted there" % there[-1].source
    tool, package = device_names.HELPERS.get(entry.kind, ("", ""))
    if tool and system.tool(tool) is None:
        return "%s is missing: install %s" % (tool, package)
    if lasting:
        unit = fstab.unit_name(entry.place, "mount")
        said = mounts.start_unit(system, unit, limit_s, wait=not name.is_network)
        if said == "" and not name.is_network:
            restore_labels(system, [entry.place], with_content=False)
        if said is not None:
            return said
    if name.is_network and lasting:
        # Its options may have a password, which must not be among the arguments of a program.
        return mounts.mount_from_fstab(system, entry.place, min(limit_s, NETWORK_LIMIT_S))
    said = mounts.mount_by_tool(system, source, entry.place, entry.kind, entry.options, limit_s)
    if not said:
        restore_labels(system, [entry.place], with_content=False)
    return said


def _make_place(system: System, place: str, warnings: List[str]) -> str:
    """Make the mount point. Returns "" on success, else why it cannot be used."""
    if place == "none":
        return ""
    real = system.path("/").rstrip("/") + place
    if system.path(place) != real:
        return "a part of it is a symbolic link"
    home = "/".join(place.split("/")[:3])
    if place.startswith("/home/") and place != home and not system.is_dir(home):
        return "%s comes with its account; the next boot mounts it" % home
    try:
        os.makedirs(real, mode=0o755, exist_ok=True)
        is_full = bool(os.listdir(real))
    except OSError as error:
        return error.strerror or str(error)
    if is_full and all(each.place != place for each in devices.list_mounts(system)):
        warnings.append("what was in %s is hidden by the mount" % ascii(place)[1:-1])
    return ""
