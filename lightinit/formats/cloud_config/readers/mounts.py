"""``mounts``, ``mount_default_fields`` and ``swap``."""

from __future__ import annotations

import re
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from lightinit.digits import read_digits
from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section, kind_of, written
from lightinit.model import NamedTuple

KEYS = ("mounts", "mount_default_fields", "swap")
# fstab's fields, as cloud-init fills them in without `mount_default_fields`. What waits for the
# network and for cloud-init itself is left out of the options.
DEFAULTS: Tuple[Optional[str], ...] = (None, None, "auto", "defaults,nofail", "0", "2")
NO_POINT = ("none", "swap")  # where the mount point of swap stands
UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"([0-9]{0,15})(?:\.([0-9]{1,3}))?([BKMGT]?)(?:I?B)?\Z")


class GivenMount(NamedTuple):
    """One line of fstab.

    Attributes:
        device: path, UUID=, LABEL=, name below /dev, alias, or a network's.
        point: where it is mounted; "" removes the device's line.
        type: of the file system.
        options: with commas.
        dump: fstab's fifth field.
        check: fstab's sixth field.
    """

    device: str
    point: str
    type: str = "auto"
    options: str = "defaults,nofail"
    dump: str = "0"
    check: str = "2"


class GivenSwap(NamedTuple):
    """The swap file.

    Attributes:
        filename: absolute path.
        size_bytes: None is ``auto``: by the machine's memory.
        maximum_bytes: the most that ``auto`` may take, or None.
    """

    filename: str
    size_bytes: Optional[int] = None
    maximum_bytes: Optional[int] = None


class GivenMounts(NamedTuple):
    """What a cloud-config says of mounts: the lines, and the swap file or None."""

    mounts: Tuple[GivenMount, ...] = ()
    swap: Optional[GivenSwap] = None


def read_mounts(values: Mapping[str, Any]) -> Tuple[GivenMounts, List[Mistake]]:
    """Read mounts and the swap file. A line that is wrong is left out.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    defaults = _defaults(given)
    inner = Section({}, ("mounts",), given.mistakes)
    mounts = [_mount(inner, at, each, defaults) for at, each in given.items("mounts")]
    kept = tuple(each for each in mounts if each is not None)
    return GivenMounts(kept, _swap(given)), given.mistakes


def _defaults(given: Section) -> Sequence[Optional[str]]:
    values = given.values.get("mount_default_fields")
    if values is None:
        return DEFAULTS
    if not isinstance(values, list) or len(values) > len(DEFAULTS):
        given.expected("mount_default_fields", "a list of six fields", values)
        return DEFAULTS
    fields = list(DEFAULTS)
    # A device or a mount point is no default. YAML's word is null, and cloud-init's own example has
    # the text None there.
    for at, each in enumerate(values):
        if at >= 2 and each is not None:
            fields[at] = written(each)
    return fields


def _mount(
    inner: Section, at: int, value: Any, defaults: Sequence[Optional[str]]
) -> Optional[GivenMount]:
    if not isinstance(value, list) or not 1 <= len(value) <= len(defaults):
        what = "it is %s, and must be a list of one to six fields" % kind_of(value)
        inner.wrong(at, what, "such as `- [/dev/disk/azure/scsi1/lun0, /data]`")
        return None
    fields = [None if each is None else written(each) for each in value]
    fields += [None] * (len(defaults) - len(fields))
    filled = [defaults[at] if each is None else each for at, each in enumerate(fields)]
    device, point, *rest = [each or "" for each in filled]
    if not device or any(re.search(r"\s", each) or not each for each in rest):
        inner.wrong(at, "a field is empty, or has blanks", "write each field as one word")
        return None
    if not all(read_digits(each) is not None for each in rest[2:]):
        inner.wrong(at, "the last two fields are numbers", "such as `0, 2`")
        return None
    if point in NO_POINT and rest[0] == "swap":
        point = "none"
    elif point and not point.startswith("/"):
        inner.wrong(at, "the mount point is not an absolute path", "such as /data")
        return None
    return GivenMount(device, point, *rest)


def _swap(given: Section) -> Optional[GivenSwap]:
    section = given.section("swap")
    if section is None:
        return None
    section.know(("filename", "size", "maxsize"))
    name = section.line("filename", "/swap.img")
    if not name.startswith("/"):
        section.wrong("filename", "it is not an absolute path", "such as /swap.img")
        return None
    maximum = _size(section, "maxsize")
    if section.values.get("size") == "auto":
        return GivenSwap(name, None, maximum)
    size = _size(section, "size")
    return GivenSwap(name, size, maximum) if size else None


def _size(section: Section, key: str) -> Optional[int]:
    """A size in bytes: a number, or a number with B, K, M, G or T, which are powers of 1024."""
    text = section.line(key).strip().upper()
    if not text:
        return None
    match = _SIZE.match(text)
    if match is None or not match.group(0)[:2].strip(".BKMGTI"):
        section.wrong(key, "it is not a size", "such as 2G or 512M")
        return None
    whole, part, unit = match.groups()
    return int(float("%s.%s" % (whole or "0", part or "0")) * UNITS[unit])
