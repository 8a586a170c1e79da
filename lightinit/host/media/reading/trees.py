"""Finds files by their names in a tree: a directory, a mounted volume, or the list of a tool.

Links are followed only inside the tree. The last component of a path that is opened is never a
link.
"""

from __future__ import annotations

import os
import stat

from lightinit.host.media.reading.names import find_entry

# Like typing.TYPE_CHECKING. Importing typing would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional, Sequence, Tuple

FILE, FOLDER, LINK, OTHER, ABSENT = "file", "folder", "link", "other", ""
MOST_LINKS = 40
LARGE, LEAVES, IRREGULAR = "large", "leaves", "irregular"


class Refused(Exception):
    """A file that is there, and is not read.

    Args:
        kind: LARGE, LEAVES or IRREGULAR.
        why: why not, such as the target of a link.
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Dangling(Exception):
    """A link whose target is missing."""


class Directory:
    """The tree below a real directory.

    Args:
        path: the directory.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def kind(self, path: str) -> str:
        """What is at a path below the top, without following a link."""
        try:
            mode = os.lstat(self._at(path)).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT
        if stat.S_ISREG(mode):
            return FILE
        if stat.S_ISDIR(mode):
            return FOLDER
        return LINK if stat.S_ISLNK(mode) else OTHER

    def names(self, path: str) -> List[str]:
        """The names in a folder."""
        try:
            return os.listdir(self._at(path))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def target(self, path: str) -> str:
        """The target of a link. One that is absolute and lies in the tree begins at its top."""
        target = os.readlink(self._at(path))
        top = self._path.rstrip("/") + "/"
        if target.startswith(top):
            return "/".join([".."] * path.count("/") + [target[len(top) :]])
        return target

    def read(self, path: str, most: int) -> bytes:
        """At most ``most`` bytes of a file."""
        # What has just become a FIFO would block.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self._at(path), flags)
        with open(descriptor, "rb") as handle:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused(IRREGULAR, "it is not a regular file")
            return handle.read(most)

    def _at(self, path: str) -> str:
        return os.path.join(self._path, path)


class Listing:
    """The tree that a tool has listed.

    Args:
        entries: (path, kind, target of a link) of all that is on the volume.
        extract: the tool's way to read a file: (path, most) -> bytes.
    """

    def __init__(
        self, entries: Sequence[Tuple[str, str, str]], extract: Callable[[str, int], bytes]
    ) -> None:
        self._kinds: Dict[str, Tuple[str, str]] = {}
        self._names: Dict[str, List[str]] = {}
        self.read = extract
        for path, kind, target in entries:
            plain = "/".join(part for part in path.split("/") if part not in ("", "."))
            if plain and plain not in self._kinds:
                self._kinds[plain] = (kind, target)
                folder, _, name = plain.rpartition("/")
                self._names.setdefault(folder, []).append(name)

    def kind(self, path: str) -> str:
        """What is at a path below the top."""
        return self._kinds.get(path, (ABSENT, ""))[0]

    def names(self, path: str) -> List[str]:
        """The names in a folder."""
        return self._names.get(path, [])

    def target(self, path: str) -> str:
        """The target of a link."""
        return self._kinds[path][1]


if TYPE_CHECKING:
    from typing import Union

    Tree = Union[Directory, Listing]


def read_named(tree: Tree, path: str, limit_bytes: int) -> bytes:
    """The file at a path that :func:`find` gave.

    Raises:
        Refused: it is too large, or is not a regular file.
        OSError: it cannot be read.
    """
    if tree.kind(path) != FILE:
        raise Refused(IRREGULAR, "it is not a regular file")
    data = tree.read(path, limit_bytes + 1)
    if len(data) > limit_bytes:
        raise Refused(LARGE, "it is larger than %d bytes" % limit_bytes)
    return data


def find(tree: Tree, name: str, may_be_short: bool = False) -> Optional[str]:
    """The path in a tree of what has a name, such as ``openstack/latest/meta_data.json``.

    Args:
        tree: where to look.
        name: the name, with slashes between its components. Case does not matter.
        may_be_short: as in :func:`find_entry`.

    Returns:
        The path, on which nothing is a link; None if there is none.

    Raises:
        Refused: a link on the way leads out of the tree, or there are too many.
        Dangling: a link on the way has no target.
        OSError: the tree cannot be read.
    """
    ahead = name.split("/")[::-1]
    here: List[str] = []
    links, said = 0, name
    while ahead:
        part = ahead.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not here:
                raise Refused(LEAVES, "it leads to %s" % said)
            here.pop()
            continue
        path = "/".join(here + [part])
        kind = tree.kind(path)
        if not kind:
            entry = find_entry(tree.names("/".join(here)), part, may_be_short)
            if entry is None:
                if links:
                    raise Dangling("a link's target does not exist: %s" % path)
                return None
            part, path = entry, "/".join(here + [entry])
            kind = tree.kind(path)
        if kind != LINK:
            here.append(part)
            continue
        links, said = links + 1, tree.target(path)
        if links > MOST_LINKS:
            raise Refused(LEAVES, "its links form a loop")
        if said.startswith("/"):
            raise Refused(LEAVES, "it leads to %s" % said)
        ahead += said.split("/")[::-1]
    return "/".join(here)
