"""Names of keyboards as XKB has them, the console's keymaps that go with them, and the files that
name the one in use. Text in, text out. It knows no path.
"""

from __future__ import annotations

import re
from typing import Dict, List, Set, Tuple

from lightinit.model import NamedTuple


class Keyboard(NamedTuple):
    """A keyboard, as XKB names it; each may have several, with commas.

    Attributes:
        layout: such as ``de``.
        model: such as ``pc105``.
        variant: such as ``nodeadkeys``, or "".
        options: such as ``compose:rwin``, or "".
    """

    layout: str
    model: str = "pc105"
    variant: str = ""
    options: str = ""


def read_rules(text: str) -> Dict[str, Set[str]]:
    """What XKB knows, from the text of its ``base.lst``: ``layout``, ``model``, ``option`` and
    ``variant``, each with its names. A variant is ``LAYOUT(VARIANT)``.
    """
    found: Dict[str, Set[str]] = {"layout": set(), "model": set(), "variant": set()}
    section = ""
    for line in text.split("\n"):
        words = line.split(None, 2)
        if line.startswith("!"):
            section = "".join(words[1:2])
        elif words and section == "variant" and len(words) > 1:
            found["variant"].add("%s(%s)" % (words[1].rstrip(":"), words[0]))
        elif words and section in found:
            found[section].add(words[0])
    return found


def find_unknown(keyboard: Keyboard, rules: Dict[str, Set[str]]) -> List[Tuple[str, str]]:
    """What XKB does not know of a keyboard: (``layout``, ``model`` or ``variant``, the name)."""
    found = []
    layouts = [each.strip() for each in keyboard.layout.split(",")]
    for layout in layouts:
        if not _has(rules["layout"], layout.partition("(")[0]):
            found.append(("layout", layout))
    if not _has(rules["model"], keyboard.model):
        found.append(("model", keyboard.model))
    for layout, variant in zip(layouts, keyboard.variant.split(",")):
        if variant and not found and not _has(rules["variant"], "%s(%s)" % (layout, variant)):
            found.append(("variant", "%s(%s)" % (layout, variant)))
    return found


def _has(names: Set[str], name: str) -> bool:
    return not names or name in names


def list_keymaps(keyboard: Keyboard, table: str) -> List[str]:
    """The console's keymaps that may go with a keyboard, the best first.

    Args:
        keyboard: its first layout counts.
        table: the text of systemd's ``kbd-model-map``: keymap, layout, model, variant, options;
            ``-`` is none.
    """
    layout = keyboard.layout.split(",")[0].strip().partition("(")[0]
    variant = keyboard.variant.split(",")[0].strip()
    rows = []
    for line in table.split("\n"):
        words = line.split()
        if len(words) >= 4 and not line.startswith("#"):
            rows.append((words[0], words[1].split(",")[0], words[3].split(",")[0].strip("-")))
    found = []
    if variant:
        found.append("%s-%s" % (layout, variant))
        found += [
            keymap for keymap, row, row_variant in rows if (row, row_variant) == (layout, variant)
        ]
    found.append(layout)
    found += [keymap for keymap, row, row_variant in rows if row == layout and not row_variant]
    found += [keymap for keymap, row, _ in rows if row == layout]
    return list(dict.fromkeys(found))


def set_quoted(text: str, key: str, value: str) -> str:
    """The file of shell assignments with ``key`` set to ``value``, in double quotes. The last
    assignment is replaced, else one that is a comment; otherwise a line is added.

    Args:
        text: the file.
        key: such as ``XKBLAYOUT``.
        value: it must have no quotes, ``$``, backslash, backtick or line break.
    """
    line = '%s="%s"' % (key, value)
    for comment in ("", "#[ \\t]*"):
        found = list(re.finditer(r"^[ \t]*%s%s=.*$" % (comment, key), text, re.MULTILINE))
        if found:
            return text[: found[-1].start()] + line + text[found[-1].end() :]
    if text and not text.endswith("\n"):
        text += "\n"
    return text + line + "\n"
