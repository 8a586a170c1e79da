"""What names the instance on this machine, as it is now, for later boots: while all of it is as it
was, this is the same instance, and nobody has to be asked.

An anchor is written as a line, which ``quick.py`` and ``init/check`` read, too:

- ``anchor=CRC SIZE PATH``: the output of cksum(1) for a file; ``anchor=- PATH`` if there is none.
- ``volume=LABEL UUID``: the volume with this label is the one with this id, by udev's links.
"""

from __future__ import annotations

from typing import List, Optional

from lightinit.datasources.base import Anchor, Datasource
from lightinit.errors import LightinitError
from lightinit.host.system import System
from lightinit.quick import BY_LABEL, BY_UUID, cksum

LIMIT_BYTES = 64 * 1024
# The disk of a VM may be moved to Azure, with its seed.
TAG = Anchor("file", "/sys/class/dmi/id/chassis_asset_tag")
# udev's id of an ISO 9660 is the time at which it was made, to a second with most tools. Others may
# be changed and keep their id.
DATE_CHARACTERS = len("2026-11-26-12-00-00-00")


def describe(system: System, source: Datasource) -> List[str]:
    """The lines for a datasource's anchors; none if it has none, or if one cannot be compared."""
    anchors = source.anchors()
    if not anchors:
        return []
    lines = [_line_of(system, each) for each in dict.fromkeys((*anchors, TAG))]
    return [line for line in lines if line] if all(lines) else []


def _line_of(system: System, anchor: Anchor) -> str:
    if "\n" in anchor.name or not anchor.name.isascii():
        return ""
    if anchor.kind == "volume":
        uuid = _find_uuid(system, anchor.name)
        return "volume=%s %s" % (anchor.name, uuid) if uuid else ""
    try:
        return "anchor=%s %s" % (cksum(system.read(anchor.name, LIMIT_BYTES)), anchor.name)
    except FileNotFoundError:
        return "anchor=- " + anchor.name
    except (OSError, LightinitError):
        return ""


def _find_uuid(system: System, label: str) -> str:
    """udev's id of the volume with this label, if no other content can have the same; or ""."""
    if " " in label or "/" in label:
        return ""
    device = _device_of(system, "%s/%s" % (BY_LABEL, label))
    for name in system.list_dir(BY_UUID):
        is_date = len(name) == DATE_CHARACTERS and not name.strip("0123456789-")
        if is_date and device and _device_of(system, "%s/%s" % (BY_UUID, name)) == device:
            return name
    return ""


def _device_of(system: System, path: str) -> Optional[str]:
    try:
        return system.path(path)
    except (OSError, LightinitError):
        return None
