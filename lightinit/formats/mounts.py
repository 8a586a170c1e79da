"""What the kernel says of mounts and swap: /proc/PID/mountinfo and /proc/swaps (proc(5))."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Tuple


@dataclass(frozen=True)
class Mount:
    """A mount: the device's number as ``major:minor``, where it is, of what kind, and what it says it comes from."""

    device: str
    place: str
    kind: str
    source: str


def parse_mounts(text: str) -> List[Mount]:
    """The mounts in the text of a mountinfo; lines that are not understood are passed over."""
    found = []
    for line in text.split("\n"):
        before, dash, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if dash and len(left) >= 6 and len(right) >= 2:
            found.append(Mount(left[2], _unescape(left[4]), right[0], _unescape(right[1])))
    return found


def parse_swaps(text: str) -> List[Tuple[str, int]]:
    """Each swap in use: its path, and its size in KiB."""
    found = []
    for line in text.split("\n")[1:]:
        fields = line.split()
        if len(fields) >= 3 and fields[2].isdigit():
            path = _unescape(fields[0])
            found.append((path[:-len(" (deleted)")] if path.endswith(" (deleted)") else path, int(fields[2])))
    return found


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), text)
