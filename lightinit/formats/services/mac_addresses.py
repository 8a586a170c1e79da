"""Finds MAC addresses in configuration files, and removes them.

Text in, text out. It knows no path. It edits a file only if the file has the form that its program
writes; otherwise it returns the same text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Callable, Collection, List, Set

_PAIRS = re.compile(r"(?<![0-9A-Fa-f:.-])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?![0-9A-Fa-f:-])")
_DIGITS = re.compile(r"[^0-9a-f]")
_COMMENT = re.compile(r"^[ \t]*[#;].*$", re.MULTILINE)
_NOBODY = ("000000000000", "ffffffffffff")


def normalize(address: str) -> str:
    """A MAC address as ``00:0d:3a:01:02:03``; "" if it is not one, or not of a network card."""
    digits = _DIGITS.sub("", address.lower())
    if len(digits) != 12 or digits in _NOBODY:
        return ""
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def read_addresses(text: str) -> List[str]:
    """The MAC addresses in a text, each once. Comment lines are ignored."""
    found = (normalize(each) for each in _PAIRS.findall(_COMMENT.sub("", text)))
    return list(dict.fromkeys(each for each in found if each))


def find_addresses(text: str, known: Collection[str]) -> List[str]:
    """The ``known`` addresses that are in a text, in any of the usual forms.

    Args:
        text: a file. Comment lines are ignored.
        known: MAC addresses as :func:`normalize` returns them.
    """
    plain = _COMMENT.sub("", text).lower()
    found = []
    for address in known:
        pairs = address.split(":")
        quads = ".".join("".join(pairs[at : at + 2]) for at in (0, 2, 4))
        if any(form in plain for form in (address, "-".join(pairs), "".join(pairs), quads)):
            found.append(address)
    return found


def drop_assignments(
    text: str, key: str, known: Collection[str], is_enough: Callable[[str], bool]
) -> str:
    """A file without its lines ``key = address`` whose address is ``known``.

    Args:
        text: an ifcfg file, a keyfile of NetworkManager, or a .network file.
        key: such as ``HWADDR``; case does not matter.
        known: MAC addresses as :func:`normalize` returns them.
        is_enough: takes the new text; returns whether it still names a network card. If not, the
            file stays unchanged.
    """
    line = re.compile(r"^[ \t]*%s[ \t]*=[ \t]*(.*)$" % re.escape(key), re.IGNORECASE)

    def goes(each: str) -> bool:
        found = line.match(each)
        return found is not None and normalize(found.group(1).strip("\"' \t\r")) in known

    lines = text.split("\n")
    left = "\n".join(each for each in lines if not goes(each))
    if not is_enough(left):
        return text
    return left


def drop_from_netplan(text: str, known: Collection[str]) -> str:
    """A netplan file of cloud-init without the lines ``macaddress`` of ``known`` addresses in its
    ``match`` blocks.

    If a block becomes empty, it is removed, and so is the ``set-name`` beside it: netplan does not
    allow it without a match. netplan then uses the device's id as its name.

    Args:
        text: YAML in block style, one key per line.
        known: MAC addresses as :func:`normalize` returns them.
    """
    lines = text.split("\n")
    gone: Set[int] = set()
    devices: List[_Device] = []
    at = 0
    while at < len(lines):
        indent, key = _indent(lines[at]), lines[at].strip().partition(":")[0]
        while devices and devices[-1].indent > indent:
            devices.pop()
        if not devices or devices[-1].indent < indent:
            devices.append(_Device(indent))
        end = at + 1
        if key == "set-name":
            devices[-1].names.append(at)
        elif lines[at].strip() == "match:":
            end = _end_of_block(lines, at)
            goes = [each for each in range(at + 1, end) if _is_match(lines[each], known)]
            gone.update(goes)
            if goes and len(goes) == end - at - 1:
                gone.add(at)
                devices[-1].is_unmatched = True
        if devices[-1].is_unmatched:
            gone.update(devices[-1].names)
            devices[-1].names.clear()
        at = end
    return "\n".join(line for at, line in enumerate(lines) if at not in gone)


# -- inner
# --------------------------------------------------------------------------------------------------


@dataclass
class _Device:
    """The keys of one device: their indent, and the lines with ``set-name``."""

    indent: int
    names: List[int] = field(default_factory=list)
    is_unmatched: bool = False


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _end_of_block(lines: List[str], start: int) -> int:
    """The index of the line after the block that begins at ``start``."""
    end = start + 1
    while end < len(lines) and lines[end].strip() and _indent(lines[end]) > _indent(lines[start]):
        end += 1
    return end


def _is_match(line: str, known: Collection[str]) -> bool:
    key, _, value = line.strip().partition(":")
    return key == "macaddress" and normalize(value.split("#")[0].strip("\"' ")) in known
