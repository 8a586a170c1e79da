"""/proc/self/mountinfo as proc(5) describes it: which file system is at a mount point. Text in, model out."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class Mount:
    """One mounted file system.

    Attributes:
        device: ``major:minor`` of what stat calls its device; of btrfs that is no block device.
        point: where it is mounted.
        options: of this mount, such as ``ro``.
        kind: the file system's type, such as ``ext4``.
        super_options: of the file system itself; it may be read-only where the mount is not.
    """

    device: str
    point: str
    options: Tuple[str, ...]
    kind: str
    super_options: Tuple[str, ...]

    @property
    def read_only(self) -> bool:
        """Whether it cannot be written to."""
        return "ro" in self.options or "ro" in self.super_options


def find_mount(text: str, point: str) -> Optional[Mount]:
    """The file system that is seen at the mount point ``point``: the last one mounted there; None when there is none."""
    found = None
    for line in text.split("\n"):
        fields, _, rest = line.partition(" - ")
        words, more = fields.split(" "), rest.split(" ")
        if len(words) >= 6 and len(more) >= 3 and _plain(words[4]) == point:
            found = Mount(words[2], point, tuple(words[5].split(",")), more[0], tuple(more[2].split(",")))
    return found


def _plain(text: str) -> str:
    """``text`` without the octal escapes that stand for blanks and backslashes."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
