"""The disks that power cuts may leave of a recorded boot."""

from __future__ import annotations

import os
from random import Random
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence, Set

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
            if node.kind == "file":
                self.history.setdefault(path, set()).add(node.data)

    def check_whole(self, folders: Sequence[str], but: Callable[[str], bool]) -> None:
        """Check that the recording is complete: it must lead to what is really on the disk.

        Args:
            folders: those of the disk.
            but: takes a path; returns whether it does not count.
        """
        real = read_tree(folders)
        paths = {path for path in set(real) | set(self.end) if not but(path)}
        differing = sorted(path for path in paths if real.get(path) != self.end.get(path))
        assert not differing, [(path, real.get(path), self.end.get(path)) for path in differing[:3]]

    def cuts(self) -> List[Cut]:
        """The different disks that cuts may leave; all of them, in order."""
        return list(self._each())

    def _each(self) -> Iterator[Cut]:
        random = Random(SEED)
        disk, seen = self._make_disk(), set()
        for call in self._calls:
            if not disk.apply(call):
                continue
            ready = disk.number >= self._settled_at_ready
            choices = [whole, unsynced, halved, drawn(random), drawn(random)]
            for choice in choices:
                tree = disk.after_cut(choice)
                key = hash((ready, tuple(sorted(tree.items()))))
                if key not in seen:
                    seen.add(key)
                    yield Cut(disk.number, _describe(call), tree, ready)

    def sample(self, count: int) -> List[Cut]:
        """``count`` of the cuts, or all with LIGHTINIT_CRASH=all."""
        cuts = self.cuts()
        if EVERYTHING or len(cuts) <= count:
            return cuts
        return sorted(Random(SEED).sample(cuts, count), key=lambda cut: cut.number)


def _describe(call: Call) -> str:
    places = [call.folder(at) for at, each in enumerate(call.arguments) if "<" in each]
    if not places and call.name not in ("sync", "umask"):
        places = [call.path(0)]
    return "%s %s" % (call.name, " ".join(places))
