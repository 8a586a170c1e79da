"""Reads the kernel's tables of mounts and swap: /proc/PID/mountinfo and /proc/swaps (proc(5))."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from lightinit.digits import read_digits
from lightinit.formats.blanks import SPACES, words_of
from lightinit.formats.disks.octal import unescape
from lightinit.model import NamedTuple

DELETED = " (deleted)"
IN_MEMORY = ("tmpfs", "ramfs", "rootfs")
UPPER = "upperdir="
MEMORY_DISKS = ("/dev/ram", "/dev/zram")


class Mount(NamedTuple):
    """A mount.

    Attributes:
        device: ``major:minor``, as from stat. For btrfs this is not a block device.
        place: the mount point.
        kind: the type of the file system, such as ``ext4``.
        source: what was mounted, such as ``/dev/sda1``.
        options: the options of this mount, such as ``ro``.
        super_options: the options of the file system. It may be read-only although the mount is
            not.
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
    """The mounts in the text of a mountinfo, in order. Lines of another form are skipped."""
    found = []
    for line in text.split("\n"):
        before, dash, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if dash and len(left) >= 6 and len(right) >= 3:
            found.append(
                Mount(
                    left[2],
                    unescape(left[4]),
                    right[0],
                    unescape(right[1]),
                    tuple(left[5].split(",")),
                    tuple(right[2].split(",")),
                )
            )
    return found


def find_mount(text: str, place: str) -> Optional[Mount]:
    """The last mount at ``place``, which hides earlier ones; None if there is none."""
    return next((mount for mount in reversed(parse_mounts(text)) if mount.place == place), None)


def find_covering(mounts: Sequence[Mount], path: str) -> Optional[Mount]:
    """The mount on which a real path is; None if the table does not say."""
    found = None
    for mount in mounts:
        covers = (path + "/").startswith(mount.place.rstrip("/") + "/")
        # A later mount at the same place hides the earlier one.
        if covers and (found is None or len(mount.place) >= len(found.place)):
            found = mount
    return found


def is_in_memory(mounts: Sequence[Mount], path: str) -> bool:
    """Whether what is written below a real path is gone after a restart. For an overlay, its upper
    layer counts; if that lies where only the initial RAM disk saw it, the answer is no.
    """
    mount = find_covering(mounts, path)
    if mount is None:
        return False
    if mount.kind != "overlay":
        return mount.kind in IN_MEMORY or mount.source.startswith(MEMORY_DISKS)
    uppers = [each[len(UPPER) :] for each in mount.super_options if each.startswith(UPPER)]
    upper = find_covering(mounts, unescape(uppers[0])) if uppers else None
    return upper is not None and upper.kind in IN_MEMORY


def parse_swaps(text: str) -> List[Tuple[str, int]]:
    """Each swap in use: its path, and its size in KiB."""
    found = []
    for line in text.split("\n")[1:]:
        fields = words_of(line, SPACES)
        size_kib = read_digits("".join(fields[2:3]))
        if size_kib is not None:
            path = unescape(fields[0])
            if path.endswith(DELETED):
                path = path[: -len(DELETED)]
            found.append((path, size_kib))
    return found
