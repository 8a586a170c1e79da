"""What the firmware's tables say about Azure: the chassis asset tag and the two spellings of the
instance's UUID.

Pure: text in, answers out. Where the firmware's tables are read is ``host/dmi.py``.
"""

from __future__ import annotations

import re
from typing import Optional

AZURE_VENDOR = "Microsoft Corporation"
AZURE_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"  # the same on every Azure VM

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")


def is_azure(asset_tag: Optional[str], sys_vendor: Optional[str] = None) -> Optional[bool]:
    """Whether this is a VM on Azure: by the chassis asset tag, or, where that cannot be read, by
    the vendor's name.

    Args:
        asset_tag: "" when the firmware leaves it empty; None when there is none or it cannot be
            read.
        sys_vendor: likewise.

    Returns:
        None when that cannot be told: all of Microsoft's virtual machines have the same vendor.
    """
    if asset_tag is not None:
        return asset_tag.strip() == AZURE_ASSET_TAG
    if sys_vendor and sys_vendor.strip() != AZURE_VENDOR:
        return False
    return None


def normalise_uuid(text: Optional[str]) -> Optional[str]:
    """A UUID in lower case, without blanks around it.

    Returns:
        The UUID; None if ``text`` is not a UUID, or if it is all zeros or all ones, which firmware
        gives if it has none.
    """
    uuid = (text or "").strip().lower()
    if not _UUID.match(uuid) or not set(uuid) - {"0", "-"} or not set(uuid) - {"f", "-"}:
        return None
    return uuid


def swap_byte_order(uuid: str) -> str:
    """The UUID with its first three fields in the other byte order.

    SMBIOS 2.6 made these fields little-endian; older firmware and kernels show them big-endian.
    Swapping twice gives the UUID back.

    Args:
        uuid: as :func:`normalise_uuid` returns it.
    """
    fields = uuid.split("-")
    swapped = [bytes.fromhex(field)[::-1].hex() for field in fields[:3]]
    return "-".join(swapped + fields[3:])


def same_instance(a: Optional[str], b: Optional[str]) -> bool:
    """Whether two UUIDs mean the same VM: equal in any case and in either byte order.

    False if one of them is not a UUID.
    """
    first, second = normalise_uuid(a), normalise_uuid(b)
    if first is None or second is None:
        return False
    return first in (second, swap_byte_order(second))
