"""Checks instance ids, and compares UUIDs in the two byte orders that firmware uses.

Pure: text in, answers out. ``host/identity.py`` reads the firmware's tables.
"""

from __future__ import annotations

import re
from typing import Optional

from lightinit.libraries import sha256

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
# What some firmware has on every board of its kind.
_OF_MANY = ("03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009")
_USABLE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}\Z")


def is_usable_id(text: str) -> bool:
    """Whether ``text`` can be an instance id: it becomes a folder's name, and a shell reads it."""
    return bool(_USABLE.match(text))


def make_usable(named: str) -> str:
    """An instance id for what a platform says: the same if it is usable. Two that differ never
    become the same one.
    """
    if is_usable_id(named):
        return named
    mark = sha256(named.encode("utf-8", "replace")).hexdigest()[:8]
    kept = re.sub("[^0-9A-Za-z._-]", "_", named[:80]).lstrip("._-") or "id"
    return "%s-%s" % (kept, mark)


def describe_usable(named: str) -> str:
    """A warning if another id has to be used than the one that the platform says, else ""."""
    if is_usable_id(named):
        return ""
    return (
        "instance-id %s cannot name a folder: %s is used; an id may have letters, digits and . _ -,"
        " at most 128 in all" % (ascii(named[:80]), make_usable(named))
    )


def normalise_uuid(text: Optional[str]) -> Optional[str]:
    """A UUID in lower case, without blanks around it.

    Returns:
        The UUID; None if ``text`` is not a UUID, or if it is one that firmware gives if it has no
        UUID: all zeros, all ones, or the same on many machines.
    """
    uuid = (text or "").strip().lower()
    if not _UUID.match(uuid) or len(set(uuid) - {"-"}) == 1 or uuid in _OF_MANY:
        return None
    return uuid


def swap_byte_order(uuid: str) -> str:
    """The UUID with its first three fields in the other byte order.

    SMBIOS 2.6 made these fields little-endian; older firmware and kernels show them big-endian.
    Swapping twice gives the original UUID.

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
