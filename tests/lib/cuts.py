"""The disks that power cuts may leave of a recorded boot."""

from __future__ import annotations

import os
from random import Random
from typing import Callable, Dict, Iterator, NamedTuple, Sequence, Set, Tuple

from tests.lib.cut_disk import CutDisk, Tree, drawn, halved, read_tree, unsynced, whole
from tests.lib.system_calls import Call

# LIGHTINIT_CRASH=all: each cut (make crash). Otherwise a sample.
EVERYTHING = os.environ.get("LIGHTINIT_CRASH") == "all"
SEED = 12
READY = b"<State>Ready</State>"


class Cut(NamedTuple):
    """A disk after a power cut.

    Attributes:
        number: of the last call before it.
        after: that call, for messages.
        tree: what is on the disk.
        ready: whether the platform may have accepted Ready by then.
    """

    number: int
    after: str
    tree: Tree
    ready: bool


class Recorded:
    """A recorded boot, and all disks that a cut in it may leave.

    Args:
        make_disk: returns the disk before the boot. It is called before the boot and again for each
            pass over the calls, so it must not read the machine again.
        calls: the calls of the boot.

    Attributes:
        barriers: the calls that made something durable.
        history: for each path, all contents that it had.
    """

    def __init__(self, make_disk: Callable[[], CutDisk], calls: Sequence[Call]) -> None:
        self._make_disk = make_disk
        self._calls = calls
        self.history: Dict[str, Set[bytes]] = {}
        disk = make_disk()
        self._note(disk)
        self._settled_at_ready = -1
        for call in calls:
            if call.name == "sendto" and READY in call.data(1):
                self._settled_at_ready = disk.settled
            if disk.apply(call):
                self._note(disk)
        assert self._settled_at_ready >= 0, "no Ready was sent"
        self.barriers = disk.barriers
        self.end = disk.after_cut(whole)

    def _note(self, disk: CutDisk) -> None:
        for path, node in disk.walk():
            if node.kind == "file" and node.changed in (0, disk.number):
                self.history.setdefault(path, set()).add(node.data)

    def check_whole(
        self, folders: Sequence[str], but: Callable[[str], bool], root: str = ""
    ) -> None:
        """Check that the recording is complete: it must lead to what is really on the disk.

        Args:
            folders: those of the disk.
            but: takes a path; returns whether it does not count.
            root: as :class:`CutDisk` gets it.
        """
        real = read_tree(folders, root)
        paths = {path for path in set(real) | set(self.end) if not but(path)}
        differing = sorted(path for path in paths if real.get(path) != self.end.get(path))
        assert not differing, [(path, real.get(path), self.end.get(path)) for path in differing[:3]]

    def cuts(self) -> Iterator[Cut]:
        """The different disks that cuts may leave, in order: after each change, with all, none,
        half and random parts of the data that nothing has synced.
        """
        return self._each(lambda at: True)

    def sample(self, count: int) -> Iterator[Cut]:
        """``count`` of the cuts, or all with LIGHTINIT_CRASH=all."""
        if EVERYTHING:
            return self.cuts()
        total = self._count()
        chosen = set(Random(SEED).sample(range(total), min(count, total)))
        return self._each(lambda at: at in chosen)

    def _count(self) -> int:
        seen = 0

        def note(at: int) -> bool:
            nonlocal seen
            seen = at + 1
            return False

        for _ in self._each(note):
            pass
        return seen

    def _each(self, is_wanted: Callable[[int], bool]) -> Iterator[Cut]:
        random, disk, at = Random(SEED), self._make_disk(), 0
        for call in self._calls:
            barriers = len(disk.barriers)
            if not disk.apply(call) or len(disk.barriers) > barriers:
                continue  # what a barrier leaves is one of the disks before it
            ready = disk.number >= self._settled_at_ready
            seen: Set[Tuple[bytes, ...]] = set()
            dirty = [node for _, node in disk.walk() if node.is_dirty]
            for choice in (whole, unsynced, halved, drawn(random), drawn(random)):
                left = {id(node): choice(node) for node in dirty}
                if tuple(left.values()) in seen:
                    continue
                seen.add(tuple(left.values()))
                if is_wanted(at):
                    tree = disk.after_cut(lambda node, left=left: left[id(node)])  # type: ignore
                    yield Cut(disk.number, _describe(call), tree, ready)
                at += 1


def _describe(call: Call) -> str:
    if call.name == "openat":
        return "openat " + call.path(1)
    places = [call.folder(at) for at, each in enumerate(call.arguments) if "<" in each]
    if not places and call.name not in ("sync", "umask"):
        places = [call.path(0)]
    return "%s %s" % (call.name, " ".join(places))
