"""How large a swap file is to be, by cloud-init's rules for ``size: auto``."""

from __future__ import annotations

import math
import re
from typing import Optional

from lightinit.digits import read_digits

GIB = 2**30


def read_memory_bytes(meminfo: str) -> Optional[int]:
    """The size of the memory in the text of /proc/meminfo, whose kB are KiB (proc(5)); None if it
    is not told.
    """
    found = re.search(r"^MemTotal: *([0-9]{1,15}) kB", meminfo, re.MULTILINE)
    if found is None:
        return None
    return (read_digits(found.group(1)) or 0) * 1024


def suggest_size(memory_bytes: int, free_bytes: int, maximum_bytes: Optional[int]) -> int:
    """The size of a swap file in bytes.

    Args:
        memory_bytes: the machine's memory.
        free_bytes: the room on the file system.
        maximum_bytes: the most that the user allows, or None.
    """
    if maximum_bytes is None:
        most = min(free_bytes // 4, memory_bytes * 2)
    else:
        most = min(maximum_bytes, free_bytes * 9 // 10)
    if memory_bytes < 4 * GIB:
        wish = memory_bytes
    elif memory_bytes < 16 * GIB:
        wish = 4 * GIB
    else:
        wish = round(math.sqrt(memory_bytes / GIB)) * GIB
    return min(wish, most)
