"""Walks the tree of values below meta-data/, what a login needs first.

It is bounded in requests, depth and bytes, since whatever answers at the address could go on for
ever. A value that only helps is not waited for long.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Deque, Dict, List, Tuple
from urllib.parse import quote

from lightinit.datasources.metadata import NotFoundError
from lightinit.errors import LibraryError, MalformedError, ProvisioningError
from lightinit.formats.ec2.tree import KEYS, ListedName, Tree, parse_listing, parse_value

MAX_REQUESTS = 400
MAX_DEPTH = 8
MAX_BYTES = 1024 * 1024
# What comes first, in this order. Without the keys nobody may be able to log in.
FIRST = ("instance-id", KEYS, "local-hostname", "hostname", "placement", "instance-type", "tags")
Get = Callable[[str, bool], bytes]


class _Visit:
    """One entry that is due."""

    def __init__(self, into: Tree, entry: ListedName, path: str, depth: int, needed: bool) -> None:
        self.into = into
        self.entry = entry
        self.path = path
        self.depth = depth
        self.needed = needed


def crawl(get: Get) -> Tuple[Tree, Tuple[str, ...]]:
    """All values.

    Args:
        get: gets the value at a path below meta-data/; its second argument is whether the boot
            needs it.

    Returns:
        The tree; and warnings, one sentence each.

    Raises:
        ProvisioningError: the list of values or a key could not be got.
        MalformedError: the list is no list.
    """
    tree: Tree = {}
    due: Deque[_Visit] = deque()
    _add_all(due, tree, parse_listing(get("", True), ""), "", 1)
    asked = size = 0
    while due:
        visit = due.popleft()
        if asked >= MAX_REQUESTS or size > MAX_BYTES or visit.depth > MAX_DEPTH:
            return tree, ("metadata are cut at %s: there are too many" % visit.path,)
        asked += 1
        try:
            body = get(visit.path, visit.needed)
            size += len(body)
            _take(due, visit, body)
        except NotFoundError:
            continue
        except LibraryError:
            raise
        except (ProvisioningError, MalformedError) as error:
            if visit.needed:
                raise
            # Each further one could take as long.
            return tree, ("metadata are cut at %s: %s" % (visit.path, error),)
    return tree, ()


def _take(due: Deque[_Visit], visit: _Visit, body: bytes) -> None:
    """Put an answer into the tree: a value, or a folder whose entries are due next."""
    name = visit.entry.name
    if not visit.entry.is_folder:
        visit.into[name] = parse_value(body, visit.path)
        return
    inner: Dict[str, Any] = {}
    visit.into[name] = inner
    folder = visit.path.rstrip("/")
    _add_all(due, inner, parse_listing(body, folder), visit.path, visit.depth + 1)


def _add_all(
    due: Deque[_Visit], into: Tree, entries: List[ListedName], base: str, depth: int
) -> None:
    """Make entries due, before all others."""
    if not base:
        places = {name: place for place, name in enumerate(FIRST)}
        entries = sorted(entries, key=lambda entry: places.get(entry.name, len(FIRST)))
    for entry in reversed(entries):
        path = base + quote(entry.path, safe="/:@=,+~") + ("/" if entry.is_folder else "")
        needed = path.startswith(KEYS + "/") or path == "instance-id"
        due.appendleft(_Visit(into, entry, path, depth, needed))
