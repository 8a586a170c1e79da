"""Instance ids: what may be one, and the two spellings of a UUID that the firmware gives.

Pure: text in, answers out. ``host/dmi.py`` reads the firmware's tables.
"""

from __future__ import annotations

import re
from typing import Optional

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_USABLE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}\Z")


def is_usable_id(text: str) -> bool:
    """Whether ``text`` can be an instance id: the name of a folder that a shell can read too."""
    return bool(_USABLE.match(text))


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
