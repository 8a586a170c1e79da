"""What the firmware's tables say about Azure: the chassis asset tag and the two spellings of the instance's UUID.

Pure: text in, answers out. Where the firmware's tables are read is ``host/dmi.py``.
"""
from __future__ import annotations

import re
from typing import Optional

AZURE_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"  # the same on every Azure VM

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")


def is_azure(asset_tag: Optional[str]) -> bool:
    """Whether the chassis asset tag is Azure's. None, for a machine that has none, is not."""
    return asset_tag is not None and asset_tag.strip() == AZURE_ASSET_TAG


def normalise_uuid(text: Optional[str]) -> Optional[str]:
    """A UUID in lower case, without blanks around it.

    Returns:
        None when ``text`` is no UUID, or one that firmware gives when it has none: all zeros or all ones.
    """
    uuid = (text or "").strip().lower()
    if not _UUID.match(uuid) or not set(uuid) - {"0", "-"} or not set(uuid) - {"f", "-"}:
        return None
    return uuid


def swap_byte_order(uuid: str) -> str:
    """The UUID with its first three fields in the other byte order.

    SMBIOS 2.6 made these fields little-endian; older firmware and kernels show them the other way round. Doing it
    twice gives the UUID back.

    Args:
        uuid: as :func:`normalise_uuid` returns it.
    """
    fields = uuid.split("-")
    swapped = [bytes.fromhex(field)[::-1].hex() for field in fields[:3]]
    return "-".join(swapped + fields[3:])


def same_instance(a: Optional[str], b: Optional[str]) -> bool:
    """Whether two UUIDs mean the same VM: equal in any case and in either byte order.

    Two that are no UUIDs are never the same: nothing is known about either.
    """
    first, second = normalise_uuid(a), normalise_uuid(b)
    if first is None or second is None:
        return False
    return first in (second, swap_byte_order(second))
