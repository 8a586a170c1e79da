"""What the kernel says of mounts and swap: /proc/PID/mountinfo and /proc/swaps (proc(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Optional, Tuple


@dataclass(frozen=True)
class Mount:
    """A mount.

    Attributes:
        device: ``major:minor`` of what stat calls its device; of btrfs that is no block device.
        place: where it is mounted.
        kind: the file system's type, such as ``ext4``.
        source: what it says it comes from.
        options: of this mount, such as ``ro``.
        super_options: of the file system itself; it may be read-only where the mount is not.
    """

    device: str
    place: str
    kind: str
    source: str
    options: Tuple[str, ...] = ()
    super_options: Tuple[str, ...] = ()

    @property
    def read_only(self) -> bool:
        """Whether it cannot be written to."""
        return "ro" in self.options or "ro" in self.super_options


def parse_mounts(text: str) -> List[Mount]:
    """The mounts in the text of a mountinfo, in order; lines that are not understood are passed
    over.
    """
    found = []
    for line in text.split("\n"):
        before, dash, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if dash and len(left) >= 6 and len(right) >= 3:
            found.append(
                Mount(
                    left[2],
                    _unescape(left[4]),
                    right[0],
                    _unescape(right[1]),
                    tuple(left[5].split(",")),
                    tuple(right[2].split(",")),
                )
            )
    return found


def find_mount(text: str, place: str) -> Optional[Mount]:
    """The file system that is seen at ``place``: the last one mounted there; None when there is
    none.
    """
    return next((mount for mount in reversed(parse_mounts(text)) if mount.place == place), None)


def parse_swaps(text: str) -> List[Tuple[str, int]]:
    """Each swap in use: its path, and its size in KiB."""
    found = []
    for line in text.split("\n")[1:]:
        fields = line.split()
        if len(fields) >= 3 and fields[2].isdigit():
            path = _unescape(fields[0])
            found.append(
                (
                    path[: -len(" (deleted)")] if path.endswith(" (deleted)") else path,
                    int(fields[2]),
                )
            )
    return found


def _unescape(text: str) -> str:
    """``text`` without the octal escapes that stand for blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), text)
