"""Reads the firmware's tables (DMI) below /sys. It does not know what their values mean."""

from __future__ import annotations

from typing import Optional

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.system import System
from lightinit.model import NamedTuple

FOLDER = "/sys/class/dmi/id"
LIMIT_BYTES = 4096


class Dmi(NamedTuple):
    """The firmware's information about the machine.

    Attributes:
        chassis_asset_tag: "" if the firmware leaves it empty; None if it is missing or cannot be
            read.
        product_uuid: in the kernel's form; None if it is missing or cannot be read. Only root can
            read it.
        sys_vendor: None if it is missing or cannot be read.
        efi: whether UEFI started the machine (a Gen2 VM).
    """

    chassis_asset_tag: Optional[str] = None
    product_uuid: Optional[str] = None
    sys_vendor: Optional[str] = None
    efi: bool = False


def read_dmi(system: System) -> Dmi:
    """Read the firmware's tables below the system's root. Values that cannot be read are None."""
    return Dmi(
        _field(system, "chassis_asset_tag"),
        _field(system, "product_uuid") or None,
        _field(system, "sys_vendor"),
        system.is_dir("/sys/firmware/efi"),
    )


def _field(system: System, name: str) -> Optional[str]:
    try:
        return system.read("%s/%s" % (FOLDER, name), LIMIT_BYTES).decode("utf-8", "replace").strip()
    except (OSError, MalformedError, ProvisioningError):
        return None
