"""Reads what tells this machine and this boot from others: the firmware's tables (DMI) below /sys,
and the kernel's id of this boot. It does not know what the values of DMI mean.
"""

from __future__ import annotations

from typing import Optional

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.system import System
from lightinit.model import NamedTuple

FOLDER = "/sys/class/dmi/id"
LIMIT_BYTES = 4096
# A random UUID that stays the same until the machine restarts.
BOOT_ID = "/proc/sys/kernel/random/boot_id"
UNKNOWN = "unknown"


class Dmi(NamedTuple):
    """The firmware's information about the machine.

    Attributes:
        chassis_asset_tag: "" if the firmware leaves it empty; None if it is missing or cannot be
            read.
        product_uuid: in the kernel's form; None if it is missing or cannot be read. Only root can
            read it.
        sys_vendor: None if it is missing or cannot be read.
        efi: whether UEFI started the machine (a Gen2 VM).
        product_name, product_serial, board_asset_tag: None if missing or unreadable. Only root can
            read the serial number.
    """

    chassis_asset_tag: Optional[str] = None
    product_uuid: Optional[str] = None
    sys_vendor: Optional[str] = None
    efi: bool = False
    product_name: Optional[str] = None
    product_serial: Optional[str] = None
    board_asset_tag: Optional[str] = None


def read_dmi(system: System, whole: bool = False) -> Dmi:
    """Read the firmware's tables below the system's root. Values that cannot be read are None.

    Args:
        system: the machine.
        whole: whether to read the fields after ``efi``, too.
    """
    found = Dmi(
        _field(system, "chassis_asset_tag"),
        _field(system, "product_uuid") or None,
        _field(system, "sys_vendor"),
        system.is_dir("/sys/firmware/efi"),
    )
    if not whole:
        return found
    return found._replace(
        product_name=_field(system, "product_name"),
        product_serial=_field(system, "product_serial"),
        board_asset_tag=_field(system, "board_asset_tag"),
    )


def _field(system: System, name: str) -> Optional[str]:
    try:
        return system.read("%s/%s" % (FOLDER, name), LIMIT_BYTES).decode("utf-8", "replace").strip()
    except (OSError, MalformedError, ProvisioningError):
        return None


def read_boot_id(system: System) -> str:
    """The id of this boot, or :data:`UNKNOWN` if it cannot be read.

    A scratch root may have its own id, so that tests can simulate a restart. Without one, the id is
    that of the running machine.
    """
    text = system.read_text(BOOT_ID).strip()
    if not text and not system.live:
        text = System("/").read_text(BOOT_ID).strip()
    return text or UNKNOWN
