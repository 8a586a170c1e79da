"""What on this machine names the instance of a NoCloud seed: for later boots, which compare it
without reading the seed.

It is the seed itself, and each place that would count before it, also if nothing is there now.
"""

from __future__ import annotations

from typing import Any, List, Mapping, Tuple

from lightinit.datasources.base import Anchor
from lightinit.datasources.nocloud.local_seed import LocalSeed
from lightinit.datasources.nocloud.places import (
    CMDLINE,
    CREDENTIAL_PREFIX,
    CREDENTIALS,
    FOLDERS,
    META_DATA,
    OEM_STRINGS,
    SERIAL,
    USER_DATA,
)
from lightinit.datasources.nocloud.settings import AUTO, LABEL
from lightinit.host.system import System
from lightinit.quick import BY_LABEL

# Larger files are not compared at later boots, see datasources/anchors.py.
COMPARED_BYTES = 60 * 1024
UUID = "/sys/class/dmi/id/product_uuid"


def find_anchors(
    system: System, options: Mapping[str, Any], local: LocalSeed
) -> Tuple[Anchor, ...]:
    """The anchors of the seed that counts; none if it cannot be compared without being read."""
    names: Tuple[str, ...] = (META_DATA, USER_DATA)
    if local.named_id and len(local.files.get(USER_DATA, b"")) > COMPARED_BYTES:
        names = (META_DATA,)  # only then would a change of them go unnoticed
    found = [_file(CMDLINE), _file(SERIAL)] + [_file(name) for name in system.glob(OEM_STRINGS)]
    # The id may be made of it; and the copy of a disk may have a seed whose date is the same.
    found.append(_file(UUID))
    is_last = local.kind == "folder" and local.where in FOLDERS
    if local.kind in ("line", "credentials", "volume") or is_last:
        found += [_file("%s/%s%s" % (CREDENTIALS, CREDENTIAL_PREFIX, name)) for name in names]
    if local.kind in ("line", "volume") or is_last:
        volumes = _volumes(system, str(options["label"] or LABEL), local)
        if local.kind == "volume" and (options["media"] != AUTO or not volumes):
            return ()
        if options["media"] == AUTO:
            found += volumes
    if local.kind == "line":
        found += [_file("%s/%s" % (folder, META_DATA)) for folder in FOLDERS]
    if is_last:
        for folder in FOLDERS[: FOLDERS.index(local.where) + 1]:
            found += [_file("%s/%s" % (folder, name)) for name in names]
    elif local.kind == "folder":
        found += [_file("%s/%s" % (local.where, name)) for name in names]
    if local.folder:
        found += [_file("%s/%s" % (local.folder, name)) for name in names]
    return tuple(dict.fromkeys(found))


def _file(name: str) -> Anchor:
    return Anchor("file", name)


def _volumes(system: System, label: str, local: LocalSeed) -> List[Anchor]:
    """The volumes with this label, if one of them is the seed's; where the seed is none, that their
    links are missing. Nothing if udev has no link to the seed's volume, since there is no udev, or
    the label is in mixed case.
    """
    there, missing, is_linked = [], [], local.kind != "volume"
    for spelled in dict.fromkeys((label, label.lower(), label.upper())):
        link = "%s/%s" % (BY_LABEL, spelled)
        if spelled not in system.list_dir(BY_LABEL):
            missing.append(_file(link))
            continue
        there.append(Anchor("volume", spelled))
        is_linked = is_linked or system.path(link) == system.path(local.where)
    if local.kind != "volume":
        return there + missing
    # The other spellings' links are not compared: udev may not have made all of them yet.
    return there if is_linked else []
