"""Edits /etc/fstab: our lines end in ``# lightinit`` or in a mark that begins so, all others stay
byte for byte.

It also computes the names of the systemd units for such lines.
"""

from __future__ import annotations

import os
import re
from typing import List, Sequence, Tuple

from lightinit.formats.blanks import BLANKS, SPACES, words_of
from lightinit.formats.disks.octal import escape, unescape
from lightinit.model import NamedTuple

FILE = "/etc/fstab"
MARK = "# lightinit"  # the resource disk
MOUNTS_MARK = "# lightinit mounts"
SWAP_MARK = "# lightinit swap"
CLOUD_INITS_MARK = "comment=cloudconfig"  # an option in the lines that cloud-init writes
PLACE_LIMIT_BYTES = 200  # the name of a unit of systemd has at most 255
KERNELS_OWN = ("/proc", "/sys", "/dev", "/run")


class FstabLine(NamedTuple):
    """One line of fstab.

    Attributes:
        source: what is mounted: a device, or ``LABEL=…``.
        place: the mount point; ``none`` for swap.
        kind: the type of the file system, or ``swap``.
        options: joined by commas.
        check: the order in which fsck checks it; 0: never.
        dump: the fifth field.
    """

    source: str
    place: str
    kind: str
    options: str
    check: int = 0
    dump: int = 0

    def render(self, mark: str = MARK) -> str:
        """The line, with our mark and without a line end."""
        return "%s %s %s %s %d %d %s" % (
            escape(self.source),
            escape(self.place),
            self.kind,
            self.options,
            self.dump,
            self.check,
            mark,
        )


def set_entries(text: str, entries: Sequence[FstabLine], mark: str = MARK) -> str:
    """The text of fstab with ``entries`` as the only lines that have our ``mark``. They replace
    the old ones; if there are none, they are added at the end.
    """
    wanted = [entry.render(mark) for entry in entries]
    lines = text.split("\n")
    if [line for line in lines if is_ours(line, mark)] == wanted:
        return text
    end = len(lines)
    if lines[-1] == "":
        end -= 1
    at = next((number for number, line in enumerate(lines) if is_ours(line, mark)), end)
    rest_before = [line for line in lines[:at] if not is_ours(line, mark)]
    rest_after = [line for line in lines[at:] if not is_ours(line, mark)]
    return "\n".join(rest_before + wanted + (rest_after or [""]))


def why_not_mount_point(place: str) -> str:
    """Why ``place`` cannot be a mount point; "" if it can. Only the name is checked."""
    if not place.startswith("/") or os.path.normpath(place) != place or place in ("/", "//"):
        return "it is not a plain absolute path"
    if len(place.encode("utf-8", "surrogateescape")) > PLACE_LIMIT_BYTES:
        return "it has more than %d bytes" % PLACE_LIMIT_BYTES
    if not place.isprintable():
        return "it has characters that are not printable"
    for folder in KERNELS_OWN:
        if place == folder or place.startswith(folder + "/"):
            return "it is below %s" % folder
    return ""


def are_options(options: str) -> bool:
    """Whether ``options`` fit into a line of fstab: printable ASCII without blanks and ``#``."""
    return re.match(r"[!-\"$-~]+\Z", options) is not None


def add_option(options: str, option: str) -> str:
    """``options`` with ``option``, which is added if it is missing."""
    if option in options.split(","):
        return options
    return "%s,%s" % (options, option)


def drop_cloud_inits(text: str) -> str:
    """The text of fstab without the lines that cloud-init wrote, which it replaces, too."""
    return "\n".join(
        line
        for line in text.split("\n")
        if line.lstrip(SPACES).startswith("#")
        or CLOUD_INITS_MARK not in "".join(words_of(line, SPACES)[3:4])
    )


def is_ours(line: str, mark: str = MARK) -> bool:
    """Whether lightinit wrote the line, with this mark, and it is not commented out."""
    return line.rstrip(BLANKS).endswith(mark) and not line.lstrip(SPACES).startswith("#")


def has_ours(text: str) -> bool:
    """Whether fstab has a line that lightinit wrote."""
    return any(is_ours(line) for line in text.split("\n"))


def other_lines(text: str, mark: str = MARK) -> List[Tuple[str, str]]:
    """The source and the place of each line that has not our mark."""
    found = []
    for line in text.split("\n"):
        fields = words_of(line, SPACES)
        if len(fields) >= 2 and not fields[0].startswith("#") and not is_ours(line, mark):
            found.append((unescape(fields[0]), unescape(fields[1])))
    return found


def other_sources(text: str, place: str) -> List[str]:
    """The sources that other lines than the resource disk's mount at ``place``."""
    return [source for source, there in other_lines(text) if there.rstrip("/") == place.rstrip("/")]


def unit_name(path: str, suffix: str) -> str:
    """The name of the systemd unit of a path, as ``systemd-escape --path --suffix`` prints it.

    The rules are in systemd.unit(5).

    Args:
        path: absolute, without ``.`` and ``..``.
        suffix: ``mount`` or ``swap``.
    """
    inner = "/".join(part for part in path.split("/") if part)
    name = "".join(_escape_for_unit(char, not number) for number, char in enumerate(inner))
    return "%s.%s" % (name or "-", suffix)


def _escape_for_unit(char: str, first: bool) -> str:
    if char == "/":
        return "-"
    if re.match(r"[A-Za-z0-9:_]\Z", char) or (char == "." and not first):
        return char
    return "".join("\\x%02x" % byte for byte in char.encode("utf-8", "surrogateescape"))
