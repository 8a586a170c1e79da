"""A disk in memory: what is on it now, and what a power cut may leave of it.

It follows the rules of ext4 and xfs. Names, modes and owners reach the disk in the order of the
calls. The data of a file may come later than its name, unless the file was synced: then the file is
empty or cut short after a power cut, or has its old data if it was changed in place. ``fsync`` of a
file writes all names up to its last change, since both journals keep their order.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from random import Random
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from tests.lib.system_calls import Call

Entry = Tuple[str, int, int, int, bytes]  # kind, mode, owner, group, content
Tree = Dict[str, Entry]  # by path
Choice = Callable[["Node"], bytes]


class Node:
    """A file, a link or a directory.

    Attributes:
        kind: file, link or folder.
        data: the content now, or a link's target.
        durable: the content that a sync has written.
        children: a directory's entries.
        changed: the number of the last call that changed it.
        place: the directory that has it, and its name there; the newest ones, if it has several.
    """

    def __init__(self, kind: str, mode: int, data: bytes = b"", durable: bytes = b"") -> None:
        self.kind = kind
        self.mode = mode
        self.uid = os.geteuid()
        self.gid = os.getegid()
        self.data = data
        self.durable = durable
        self.children: Dict[str, Node] = {}
        self.changed = 0
        self.place: Optional[Tuple[Node, str]] = None
        self.offset = 0
        self.appends = False

    def put(self, name: str, child: Node) -> None:
        """Give a node a name in this directory."""
        self.children[name] = child
        child.place = (self, name)

    @property
    def is_dirty(self) -> bool:
        """Whether a power cut may change its content."""
        return self.kind == "file" and self.data != self.durable

    def entry(self, content: bytes) -> Entry:
        """What a tree has of it, with this content."""
        return self.kind, self.mode, self.uid, self.gid, content


def whole(node: Node) -> bytes:
    """All data are on the disk."""
    return node.data


def unsynced(node: Node) -> bytes:
    """Of the data only what was synced is on the disk."""
    return node.durable


def halved(node: Node) -> bytes:
    """The first half of the data is on the disk."""
    return node.data[: len(node.data) // 2]


def drawn(random: Random) -> Choice:
    """For each file one of the three, by chance."""

    def choose(node: Node) -> bytes:
        return random.choice((whole, unsynced, halved))(node)

    return choose


class CutDisk:
    """Some directories of a machine. Calls are applied one by one.

    Args:
        folders: the directories, as real paths; what is elsewhere is ignored.
        root: where another mount namespace's root is; "" for this one's.

    Attributes:
        barriers: the calls so far that made something durable.
        settled: the number of the last call whose names are on the disk for sure.
        touched: the nodes that the last call changed.
    """

    def __init__(self, folders: Sequence[str], root: str = "") -> None:
        self.folders = [each.rstrip("/") for each in folders]
        self.top = Node("folder", 0o755)
        self.barriers: List[Call] = []
        self.settled = 0
        self.number = 0
        self.touched: List[Node] = []
        self._maybe_dirty: Dict[Node, None] = {}
        self._umasks: Dict[int, int] = {}
        for folder in self.folders:
            at = self.top
            for part in folder.strip("/").split("/"):
                if part not in at.children:
                    at.put(part, Node("folder", 0o755))
                at = at.children[part]
            self._load(at, root + folder)

    def _load(self, node: Node, path: str) -> None:
        status = os.lstat(path)
        node.mode, node.uid, node.gid = (
            stat.S_IMODE(status.st_mode),
            status.st_uid,
            status.st_gid,
        )
        for entry in os.scandir(path):
            if entry.is_symlink():
                child = Node("link", 0o777, os.fsencode(os.readlink(entry.path)))
            elif entry.is_dir():
                child = Node("folder", 0o755)
                self._load(child, entry.path)
            elif entry.is_file():
                data = Path(entry.path).read_bytes()
                child = Node("file", 0o644, data, data)
            else:
                continue
            status = os.lstat(entry.path)
            child.mode, child.uid, child.gid = (
                stat.S_IMODE(status.st_mode),
                status.st_uid,
                status.st_gid,
            )
            node.put(entry.name, child)

    # -- paths
    # ----------------------------------------------------------------------------------------------

    def is_inside(self, path: str) -> bool:
        """Whether a real path is in one of the directories."""
        return any(path == each or path.startswith(each + "/") for each in self.folders)

    def find(self, path: str, follow: bool = True) -> Optional[Node]:
        """The node at ``path``, or None."""
        found = self._walk(path, follow)
        return found[0].children.get(found[1]) if found else None

    def _walk(self, path: str, follow: bool) -> Optional[Tuple[Node, str]]:
        """The directory with the last part of ``path``, and that part. Links are followed."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        at, done = self.top, ""
        for index, part in enumerate(parts):
            child = at.children.get(part)
            is_last = index == len(parts) - 1
            if child is not None and child.kind == "link" and (follow or not is_last):
                target = os.fsdecode(child.data)
                start = target if target.startswith("/") else done + "/" + target
                return self._walk("/".join([os.path.normpath(start), *parts[index + 1 :]]), follow)
            if is_last:
                return at, part
            if child is None or child.kind != "folder":
                return None
            at, done = child, done + "/" + part
        return None

    # -- calls
    # ----------------------------------------------------------------------------------------------

    def apply(self, call: Call) -> bool:
        """Apply one call. Returns whether it changed these directories or made them durable."""
        work = getattr(self, "_" + call.name, None)
        if work is None:
            return False
        self.number += 1
        self.touched = []
        return bool(work(call))

    def _touch(self, *nodes: Node) -> bool:
        for node in nodes:
            node.changed = self.number
            self._maybe_dirty[node] = None
        self.touched += nodes
        return bool(nodes)

    def _place(self, call: Call, folder: Optional[int], at: int) -> str:
        path = call.path(at)
        if not path.startswith("/") and folder is not None:
            path = call.folder(folder) + "/" + path
        return path if self.is_inside(path) else ""

    def _openat(self, call: Call, first: int = 0) -> bool:
        path = self._place(call, first, first + 1)
        flags = call.arguments[first + 2].split("|")
        if not path:
            return False
        node = self.find(path)
        done = False
        if node is None and "O_CREAT" in flags:
            mode = int(call.arguments[first + 3], 8) & ~self._umasks.get(call.thread, 0o022)
            node = self._add(path, Node("file", mode))
            done = True
        if node is None:
            return False
        if "O_RDONLY" not in flags and "O_PATH" not in flags:
            node.offset, node.appends = 0, "O_APPEND" in flags
        if "O_TRUNC" in flags and node.data:
            node.data = node.durable = b""  # the size is metadata
            done = self._touch(node)
        return done

    def _add(self, path: str, node: Node) -> Node:
        found = self._walk(path, False)
        assert found, path
        found[0].put(found[1], node)
        self._touch(found[0], node)
        return node

    def _open_file(self, call: Call) -> Optional[Node]:
        path = call.folder(0)
        return self.find(path, False) if self.is_inside(path) else None

    def _write(self, call: Call, at: Optional[int] = None) -> bool:
        node = self._open_file(call)
        if node is None or node.kind != "file":
            return False
        data = call.data(1)[: call.result]
        offset = at if at is not None else len(node.data) if node.appends else node.offset
        node.data = node.data[:offset].ljust(offset, b"\0") + data + node.data[offset + len(data) :]
        if at is None:
            node.offset = offset + len(data)
        return self._touch(node)

    _writev = _write

    def _pwrite64(self, call: Call) -> bool:
        return self._write(call, int(call.arguments[-1]))

    def _lseek(self, call: Call) -> bool:
        node = self._open_file(call)
        if node is not None:
            node.offset = call.result
        return False

    def _ftruncate(self, call: Call) -> bool:
        node = self._open_file(call)
        if node is None:
            return False
        size = int(call.arguments[1])
        node.data = node.data[:size].ljust(size, b"\0")
        node.durable = node.durable[:size]
        return self._touch(node)

    def _rename(self, call: Call, old: Sequence[int] = (0,), new: Sequence[int] = (1,)) -> bool:
        source = self._place(call, old[0] if len(old) > 1 else None, old[-1])
        target = self._place(call, new[0] if len(new) > 1 else None, new[-1])
        if not source and not target:
            return False
        assert source and target, (source, target)
        there, here = self._walk(source, False), self._walk(target, False)
        assert there and here, (source, target)
        moved = there[0].children.pop(there[1])
        here[0].put(here[1], moved)
        below = [node for _, node in self._below("", moved)]
        return self._touch(there[0], here[0], moved, *below)

    def _renameat(self, call: Call) -> bool:
        return self._rename(call, (0, 1), (2, 3))

    _renameat2 = _renameat

    def _unlink(self, call: Call, folder: Optional[int] = None, at: int = 0) -> bool:
        path = self._place(call, folder, at)
        found = self._walk(path, False) if path else None
        if found is None:
            return False
        del found[0].children[found[1]]
        return self._touch(found[0])

    _rmdir = _unlink

    def _unlinkat(self, call: Call) -> bool:
        return self._unlink(call, 0, 1)

    def _link(self, call: Call) -> bool:
        source, target = self._place(call, None, 0), self._place(call, None, 1)
        if not source:
            return False
        node = self.find(source, False)
        assert node and target, (source, target)
        return self._add(target, node) is not None

    def _symlink(self, call: Call, folder: Optional[int] = None, at: int = 1) -> bool:
        path = self._place(call, folder, at)
        return bool(path) and self._add(path, Node("link", 0o777, call.data(0))) is not None

    def _symlinkat(self, call: Call) -> bool:
        return self._symlink(call, 1, 2)

    def _mkdir(self, call: Call, folder: Optional[int] = None, at: int = 0) -> bool:
        path = self._place(call, folder, at)
        mode = int(call.arguments[at + 1], 8) & ~self._umasks.get(call.thread, 0o022)
        return bool(path) and self._add(path, Node("folder", mode)) is not None

    def _mkdirat(self, call: Call) -> bool:
        return self._mkdir(call, 0, 1)

    def _umask(self, call: Call) -> bool:
        self._umasks[call.thread] = int(call.arguments[0], 8)
        return False

    def _chmod(self, call: Call, folder: Optional[int] = None, at: int = 0) -> bool:
        path = self._place(call, folder, at)
        node = self.find(path) if path else None
        if node is None:
            return False
        node.mode = stat.S_IMODE(int(call.arguments[at + 1], 8))
        return self._touch(node)

    def _fchmodat(self, call: Call) -> bool:
        return self._chmod(call, 0, 1)

    def _fchmod(self, call: Call) -> bool:
        node = self._open_file(call)
        if node is None:
            return False
        node.mode = stat.S_IMODE(int(call.arguments[1], 8))
        return self._touch(node)

    def _set_owner(self, node: Optional[Node], call: Call, at: int) -> bool:
        if node is None:
            return False
        uid, gid = int(call.arguments[at]), int(call.arguments[at + 1])
        node.uid = node.uid if uid in (-1, 0xFFFFFFFF) else uid
        node.gid = node.gid if gid in (-1, 0xFFFFFFFF) else gid
        return self._touch(node)

    def _chown(self, call: Call, follow: bool = True) -> bool:
        path = self._place(call, None, 0)
        return self._set_owner(self.find(path, follow) if path else None, call, 1)

    def _lchown(self, call: Call) -> bool:
        return self._chown(call, False)

    def _fchown(self, call: Call) -> bool:
        return self._set_owner(self._open_file(call), call, 1)

    def _fchownat(self, call: Call) -> bool:
        path = self._place(call, 0, 1)
        follow = "AT_SYMLINK_NOFOLLOW" not in call.arguments[4]
        return self._set_owner(self.find(path, follow) if path else None, call, 2)

    def _fsync(self, call: Call) -> bool:
        node = self._open_file(call)
        if node is None:
            return False
        self.barriers.append(call)
        node.durable = node.data if node.kind == "file" else b""
        self.settled = max(self.settled, node.changed)
        return True

    _fdatasync = _fsync

    def _syncfs(self, call: Call) -> bool:
        if not self.is_inside(call.folder(0)):
            return False
        return self._sync(call)

    def _sync(self, call: Call) -> bool:
        """Of one file system or of all: the directories are taken to be on one."""
        self.barriers.append(call)
        for _, node in self.walk():
            if node.kind == "file":
                node.durable = node.data
        self.settled = self.number
        self._maybe_dirty.clear()
        return True

    # -- looking and building
    # ----------------------------------------------------------------------------------------------

    def walk(self) -> Iterator[Tuple[str, Node]]:
        """Each node inside, with its path."""
        for folder in self.folders:
            node = self.find(folder, False)
            assert node is not None
            yield from self._below(folder, node)

    def path_of(self, node: Node) -> str:
        """The path of a node; "" if it has none any more."""
        path = ""
        while node is not self.top:
            if node.place is None or node.place[0].children.get(node.place[1]) is not node:
                return ""
            node, name = node.place
            path = "/" + name + path
        return path

    def list_dirty(self) -> List[Node]:
        """The files whose content a power cut may change."""
        self._maybe_dirty = dict.fromkeys(node for node in self._maybe_dirty if node.is_dirty)
        return [node for node in self._maybe_dirty if self.path_of(node)]

    def _below(self, path: str, node: Node) -> Iterator[Tuple[str, Node]]:
        for name, child in node.children.items():
            yield path + "/" + name, child
            yield from self._below(path + "/" + name, child)

    def after_cut(self, choice: Choice) -> Tree:
        """What is on the disk after a power cut now.

        Args:
            choice: which data of a file that was not synced are there.
        """
        return {
            path: node.entry(choice(node) if node.is_dirty else node.data)
            for path, node in self.walk()
        }


def read_tree(folders: Sequence[str], root: str = "") -> Tree:
    """What is in real directories, in the form of :meth:`CutDisk.after_cut`."""
    return CutDisk(folders, root).after_cut(whole)


def build(tree: Tree, moved: Callable[[str], str]) -> None:
    """Make files, links and directories of ``tree``, each at the path that ``moved`` returns. What
    is there already and differs is replaced; nothing is removed.
    """
    for path, (kind, mode, uid, gid, data) in tree.items():
        real = moved(path)
        if kind == "link":
            if os.path.lexists(real):
                os.unlink(real)
            os.symlink(data, real)
        elif kind == "folder":
            os.makedirs(real, exist_ok=True)
        else:
            Path(real).write_bytes(data)
        if os.geteuid() == 0:
            os.chown(real, uid, gid, follow_symlinks=False)
        if kind != "link":
            os.chmod(real, mode)


def clear(folder: str) -> None:
    """Remove what is in a directory."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
