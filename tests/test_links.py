"""Each link in the documentation that stays in the tree leads to a file, and to a heading in it."""

from __future__ import annotations

import os
import re
from typing import Dict, Iterator, List, Set, Tuple

from tests.lib.scratch import HERE

ELSEWHERE = ("http://", "https://", "mailto:")


def pages() -> List[str]:
    """The pages of the tree, relative to it."""
    found = [name for name in os.listdir(HERE) if name.endswith(".md")]
    for top in ("docs", "packaging"):
        for folder, _, names in os.walk(os.path.join(HERE, top)):
            found += [
                os.path.relpath(os.path.join(folder, name), HERE)
                for name in names
                if name.endswith(".md")
            ]
    return sorted(found)


def read(page: str) -> str:
    """A page without its examples, which may show other pages' marks."""
    with open(os.path.join(HERE, page), encoding="utf-8") as file:
        lines, is_example = [], False
        for line in file:
            if line.startswith("```"):
                is_example = not is_example
            elif not is_example:
                lines.append(line)
    return "".join(lines)


def anchors(page: str) -> Set[str]:
    """What GitHub makes of the page's headings."""
    found: Set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", read(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w -]", "", text).replace(" ", "-")
        number = sum(1 for each in found if re.match(re.escape(anchor) + r"(-\d+)?\Z", each))
        found.add("%s-%d" % (anchor, number) if number else anchor)
    return found


def links(page: str) -> Iterator[Tuple[str, str]]:
    """The links that stay in the tree: the page that each leads to, and the heading or ""."""
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if not target.startswith(ELSEWHERE):
            path, _, anchor = target.partition("#")
            yield (
                os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page,
                anchor,
            )


def test_each_link_leads_somewhere() -> None:
    found = pages()
    known: Dict[str, Set[str]] = {}
    assert "README.md" in found and "docs/datasources.md" in found
    dead: List[Tuple[str, str]] = []
    seen = 0
    for page in found:
        for target, anchor in links(page):
            seen += 1
            if not os.path.exists(os.path.join(HERE, target)):
                dead.append((page, target))
            elif anchor and target.endswith(".md"):
                if target not in known:
                    known[target] = anchors(target)
                if anchor not in known[target]:
                    dead.append((page, target + "#" + anchor))
    assert dead == [] and seen > 100
