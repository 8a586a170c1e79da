"""Puts DMI's values into a seed's URL: ``__dmi.chassis-serial-number__`` and so on.

Source: cloud-init's documentation, "NoCloud", has the names; the kernel's Documentation/ABI,
sysfs-class-dmi, those of the files.
"""

from __future__ import annotations

import re
from typing import Dict, List, Tuple
from urllib.parse import quote

from lightinit.datasources.nocloud.settings import is_url
from lightinit.errors import LightinitError
from lightinit.host.system import System

FOLDER = "/sys/class/dmi/id"
LIMIT_BYTES = 4096
FIELDS: Dict[str, str] = {
    "baseboard-asset-tag": "board_asset_tag",
    "baseboard-manufacturer": "board_vendor",
    "baseboard-product-name": "board_name",
    "baseboard-serial-number": "board_serial",
    "baseboard-version": "board_version",
    "bios-release-date": "bios_date",
    "bios-vendor": "bios_vendor",
    "bios-version": "bios_version",
    "chassis-asset-tag": "chassis_asset_tag",
    "chassis-manufacturer": "chassis_vendor",
    "chassis-serial-number": "chassis_serial",
    "chassis-version": "chassis_version",
    "system-manufacturer": "sys_vendor",
    "system-product-name": "product_name",
    "system-serial-number": "product_serial",
    "system-uuid": "product_uuid",
    "system-version": "product_version",
}
_PLACEHOLDER = re.compile(r"__dmi\.([a-z-]{1,40})__")


def fill_in(system: System, url: str) -> Tuple[str, Tuple[str, ...]]:
    """Replace each placeholder with DMI's value, as a part of a URL, or of a path.

    Returns:
        The URL; and warnings about what could not be replaced, one sentence each.
    """
    warnings: List[str] = []

    def value_of(match: "re.Match[str]") -> str:
        name = match.group(1)
        if name not in FIELDS:
            warnings.append("seedfrom: there is no dmi.%s; it is left as it is" % name)
            return match.group(0)
        value = _read(system, FIELDS[name])
        if not value:
            warnings.append("seedfrom: DMI has no %s; nothing is put in its place" % name)
        return quote(value, safe="") if is_url(url) else value.replace("/", "_")

    return _PLACEHOLDER.sub(value_of, url), tuple(dict.fromkeys(warnings))


def _read(system: System, name: str) -> str:
    try:
        data = system.read("%s/%s" % (FOLDER, name), LIMIT_BYTES)
    except (OSError, LightinitError):
        return ""
    return data.decode("utf-8", "replace").strip()
