"""Walks the tree of values below meta-data/, what a login needs first.

It is bounded in requests, depth and bytes, since whatever answers at the address could go on for
ever. A value that only helps is not waited for long.
"""

from __future__ import annotations

from collections import deque
from typing import Callable, Deque, List, Tuple
from urllib.parse import quote

from lightinit.datasources.metadata import NotFoundError
from lightinit.errors import LibraryError, MalformedError, ProvisioningError
from lightinit.formats.ec2 import tree
from lightinit.formats.ec2.tree import KEYS, ListedName, Tree

MAX_REQUESTS = 400
MAX_DEPTH = 8
MAX_BYTES = 1024 * 1024
MAX_WARNINGS = 10
# What comes first, in this order. Without the keys nobody may be able to log in.
FIRST = ("instance-id", KEYS, "local-hostname", "hostname", "placement", "instance-type", "tags")
Get = Callable[[str, bool], bytes]


class _Visit:
    """One entry that is due."""

    def __init__(self, into: Tree, entry: ListedName, path: str, depth: int) -> None:
        self.into = into
        self.entry = entry
        self.path = path
        self.depth = depth
        self.is_key = path.partition("/")[0] == KEYS
        self.needed = self.is_key or path == "instance-id"


def crawl(get: Get, is_over: Callable[[], bool] = lambda: False) -> Tuple[Tree, Tuple[str, ...]]:
    """All values.

    Args:
        get: gets the value at a path below meta-data/; its second argument is whether the boot
            needs it.
        is_over: whether the time for what a boot does not need is over.

    Returns:
        The tree; and warnings, one sentence each.

    Raises:
        ProvisioningError: a key could not be got.
        MalformedError: the instance id is no text.
    """
    walk = _Walk(get, is_over)
    walk.start()
    walk.run()
    warnings = walk.warnings[:MAX_WARNINGS]
    if len(walk.warnings) > MAX_WARNINGS:
        warnings.append("%d more warnings like these" % (len(walk.warnings) - MAX_WARNINGS))
    return walk.tree, tuple(warnings)


class _Walk:
    """One walk: what was found, and what is due."""

    def __init__(self, get: Get, is_over: Callable[[], bool]) -> None:
        self._get = get
        self._is_over = is_over
        self._due: Deque[_Visit] = deque()
        self._knows_names = True
        self.tree: Tree = {}
        self.warnings: List[str] = []

    def start(self) -> None:
        """Get the list of values. If it is missing, or is no list, the usual names are asked: a
        login needs no more.
        """
        listed: List[ListedName] = []
        why = ""
        try:
            listed = tree.parse_listing(self._get("", False), "")
        except NotFoundError:
            pass
        except LibraryError:
            raise
        except (ProvisioningError, MalformedError) as error:
            why = " (%s)" % error
        if "instance-id" not in [entry.name for entry in listed]:
            self._knows_names = False
            self.warnings.append(
                "the metadata service lists no values at meta-data/%s: only what a boot needs is"
                " asked for" % why
            )
            listed += [tree.guess_entry(name) for name in FIRST[:-1]]
        self._add_all(self.tree, listed, "", 1)

    def run(self) -> None:
        """Get all that is due."""
        asked = size = 0
        while self._due:
            visit = self._due.popleft()
            if asked >= MAX_REQUESTS or size > MAX_BYTES or visit.depth > MAX_DEPTH:
                self.warnings.append("metadata are cut at %s: there are too many" % visit.path)
                return
            if not visit.needed and self._is_over():
                self.warnings.append("metadata are cut at %s: the time is over" % visit.path)
                return
            asked += 1
            try:
                body = self._get(visit.path, visit.needed)
            except NotFoundError:
                self._miss(visit)
                continue
            except LibraryError:
                raise
            except ProvisioningError as error:
                if visit.needed:
                    raise
                # Each further one could take as long.
                self.warnings.append("metadata are cut at %s: %s" % (visit.path, error))
                return
            size += len(body)
            try:
                self._take(visit, body)
            except MalformedError as error:
                if visit.needed:
                    raise
                self.warnings.append("%s is left out of the metadata: %s" % (visit.path, error))

    def _miss(self, visit: _Visit) -> None:
        """An entry is not there. A folder that was listed without a slash may be a value."""
        if visit.entry.may_be_value:
            as_value = visit.entry._replace(is_folder=False, may_be_value=False)
            self._due.appendleft(_Visit(visit.into, as_value, visit.entry.path, visit.depth))
        elif visit.is_key and self._knows_names:
            self.warnings.append(
                "the metadata service lists meta-data/%s, but has nothing there" % visit.path
            )

    def _take(self, visit: _Visit, body: bytes) -> None:
        """Put an answer into the tree: a value, or a folder whose entries are due next."""
        name, folder = visit.entry.name, visit.path.rstrip("/")
        if folder == KEYS:
            given = tree.find_keys(body)
            if given:
                visit.into[name] = {str(number): text for number, text in enumerate(given)}
                return
        elif not visit.entry.is_folder:
            visit.into[name] = tree.parse_value(body, visit.path, lenient=visit.is_key)
            if visit.is_key and not body.strip():
                self._miss(visit)
            return
        inner: Tree = {}
        visit.into[name] = inner
        if folder == KEYS:
            self._tell_odd_keys(body)
        self._add_all(inner, tree.parse_listing(body, folder), folder + "/", visit.depth + 1)

    def _tell_odd_keys(self, body: bytes) -> None:
        odd = tree.find_odd_keys(body)
        if odd:
            self.warnings.append(
                "the metadata service lists at meta-data/%s/ what names no key: %s"
                % (KEYS, ascii(odd[0][:80]))
            )

    def _add_all(self, into: Tree, entries: List[ListedName], base: str, depth: int) -> None:
        """Make entries due, before all others."""
        if not base:
            places = {name: place for place, name in enumerate(FIRST)}
            entries = sorted(entries, key=lambda entry: places.get(entry.name, len(FIRST)))
        for entry in reversed(entries):
            path = base + quote(entry.path, safe="/:@=,+~") + ("/" if entry.is_folder else "")
            self._due.appendleft(_Visit(into, entry, path, depth))
