"""The lines that lightinit has put between two marks into a file of somebody else's."""

from __future__ import annotations

from typing import List, Optional


def remove_blocks(text: str, begin: str, end: str) -> str:
    """The text without the blocks. A mark without the other one takes nothing else away.

    Args:
        text: the file.
        begin: the line that begins a block, without its line end. The last one before an end
            counts.
        end: the line that ends it.
    """
    kept: List[str] = []
    began: Optional[int] = None
    for line in _lines(text):
        if line == begin + "\n":
            began = len(kept)
        kept.append(line)
        if line == end + "\n" and began is not None:
            del kept[began:]
            began = None
    return "".join(kept)


def _lines(text: str) -> List[str]:
    """Lines with their ends; only a line feed ends one."""
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + parts[-1:]
