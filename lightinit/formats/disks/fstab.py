"""Lines of /etc/fstab: those of others stay byte for byte; ours end in ``# lightinit``.

Also what systemd makes of such lines: the names of units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Sequence

FILE = "/etc/fstab"
MARK = "# lightinit"
ESCAPES = {" ": "\\040", "\t": "\\011", "\n": "\\012", "\\": "\\134", "#": "\\043"}


@dataclass(frozen=True)
class Entry:
    """One line: what is mounted, where, and how. Swap has the place ``none`` and the kind
    ``swap``.
    """

    source: str
    place: str
    kind: str
    options: str
    check: int = 0

    def render(self) -> str:
        """The line, with our mark and without a line end."""
        return "%s %s %s %s 0 %d %s" % (
            _escape(self.source),
            _escape(self.place),
            self.kind,
            self.options,
            self.check,
            MARK,
        )


def set_entries(text: str, entries: Sequence[Entry]) -> str:
    """fstab with ``entries`` as our only lines. They stay where ours were, else they come last."""
    wanted = [entry.render() for entry in entries]
    lines = text.split("\n")
    ours = [number for number, line in enumerate(lines) if is_ours(line)]
    if [lines[number] for number in ours] == wanted:
        return text
    at = ours[0] if ours else len(lines) - (1 if lines[-1] == "" else 0)
    rest_before = [line for line in lines[:at] if not is_ours(line)]
    rest_after = [line for line in lines[at:] if not is_ours(line)]
    return "\n".join(rest_before + wanted + (rest_after or [""]))


def is_ours(line: str) -> bool:
    """Whether a line is one of lightinit's, and not commented out."""
    return line.rstrip().endswith(MARK) and not line.lstrip().startswith("#")


def other_sources(text: str, place: str) -> List[str]:
    """What others' lines have mounted at ``place``."""
    found = []
    for line in text.split("\n"):
        fields = line.split()
        if (
            len(fields) >= 2
            and not fields[0].startswith("#")
            and not is_ours(line)
            and _unescape(fields[1]).rstrip("/") == place.rstrip("/")
        ):
            found.append(_unescape(fields[0]))
    return found


def unit_name(path: str, suffix: str) -> str:
    """The systemd unit of a path, as ``systemd-escape --path --suffix`` gives it; see
    systemd.unit(5).

    Args:
        path: absolute, without ``.`` and ``..``.
        suffix: ``mount`` or ``swap``.
    """
    inner = "/".join(part for part in path.split("/") if part)
    return "%s.%s" % (
        "".join(_escape_for_unit(char, not number) for number, char in enumerate(inner)) or "-",
        suffix,
    )


def _escape_for_unit(char: str, first: bool) -> str:
    if char == "/":
        return "-"
    if re.match(r"[A-Za-z0-9:_]\Z", char) or (char == "." and not first):
        return char
    return "".join("\\x%02x" % byte for byte in char.encode("utf-8", "surrogateescape"))


def _escape(text: str) -> str:
    return "".join(ESCAPES.get(char, char) for char in text)


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), text)
