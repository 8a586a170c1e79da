"""Texts with ``$name`` and ``${name}`` in them, as cloud-init fills them in where it knows no
template. Pure.
"""

from __future__ import annotations

import re
from typing import Dict, Mapping, Tuple

PLACEHOLDER = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")


def fill_in(text: str, values: Mapping[str, str]) -> Tuple[str, Tuple[str, ...]]:
    """Put values into a text.

    Args:
        text: the text.
        values: name -> value.

    Returns:
        The text, and the names in it that have no value, which stay as they are.
    """
    unknown: Dict[str, None] = {}  # in their order

    def replace(match: "re.Match[str]") -> str:
        name = match.group(1) or match.group(2)
        if name in values:
            return values[name]
        unknown[name] = None
        return match.group(0)

    return PLACEHOLDER.sub(replace, text), tuple(unknown)
