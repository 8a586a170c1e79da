"""The disks that power cuts may leave of a recorded boot, and what each of them must keep."""

from __future__ import annotations

import os
from random import Random
from typing import (
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from tests.lib.cut_disk import CutDisk, Entry, Node, Tree, drawn, halved, read_tree, unsynced, whole
from tests.lib.system_calls import Call

# LIGHTINIT_CRASH=all: boots from each disk (make crash); 2/4: from each in the second of four
# pieces. Otherwise from a sample.
WANTED = os.environ.get("LIGHTINIT_CRASH", "")
SEED = 12
SCRATCH_END = ".lightinit-new"
Event = Callable[[Call], bool]
READY = "Ready"


def is_ready_report(call: Call) -> bool:
    """Whether a call sends Ready to the platform."""
    return call.name == "sendto" and b"<State>Ready</State>" in call.data(1)


def is_marked_ready(tree: Tree) -> bool:
    """Whether a disk has the mark of Ready, whole."""
    found = [entry[-1] for path, entry in tree.items() if path.endswith("/sem/stage.final")]
    return bool(found) and found[0].endswith(b"}\n")


class Cut:
    """A disk after a power cut. It counts only until the next one is asked for.

    Args:
        disk: the disk as it is without a cut.
        after: the last call before it, for messages.
        left: for each file that was not synced, what is left of it.
        events: what may have happened by then, see :class:`Recorded`.
        is_sampled: whether a machine is to boot from it.
    """

    def __init__(
        self,
        disk: CutDisk,
        after: str,
        left: Dict[Node, bytes],
        events: Set[str],
        is_sampled: bool,
    ) -> None:
        self.after = "%d: %s" % (disk.number, after)
        self.events = events
        self.is_sampled = is_sampled
        self._disk = disk
        self._left = left

    def find(self, path: str) -> Optional[Entry]:
        """What is at ``path``; None for nothing."""
        node = self._disk.find(path, False)
        if node is None:
            return None
        return node.entry(self._left.get(node, node.data))

    @property
    def tree(self) -> Tree:
        """All that is on the disk."""
        return self._disk.after_cut(lambda node: self._left.get(node, node.data))


class Version(NamedTuple):
    """A content of a file, and the number of the call that gave it to its path."""

    since: int
    content: bytes


class Kept(NamedTuple):
    """What power cuts must not take away.

    Attributes:
        by_ready: the paths that Ready stands for.
        by_marks: those that marks stand for.
        whole: the files that never have a part of their content.
    """

    by_ready: Sequence[str]
    by_marks: Sequence[str]
    whole: Sequence[str]


class Recorded:
    """A recorded boot, and all disks that a cut in it may leave.

    Args:
        make_disk: returns the disk before the boot. It is called before the boot and again for each
            pass over the calls, so it must not read the machine again.
        calls: the calls of the boot.
        events: by name, what happens outside of the disk; each takes a call and returns whether it
            happens then. Ready is always one of them.

    Attributes:
        barriers: the calls that made something durable.
        end: what is on the disk after the boot.
    """

    def __init__(
        self,
        make_disk: Callable[[], CutDisk],
        calls: Sequence[Call],
        events: Optional[Mapping[str, Event]] = None,
    ) -> None:
        self._make_disk = make_disk
        self._calls = calls
        self._versions: Dict[str, List[Version]] = {}
        self._changed: Set[str] = set()
        self._marks: Dict[str, int] = {}  # each with the number of the call that began to write it
        events = dict(events or {}, **{READY: is_ready_report})
        self._ready_at = 0
        self._settled: Dict[str, int] = {}  # by event, what was on the disk for sure by then
        disk = make_disk()
        for path, node in disk.walk():
            self._note(disk, path, node)
        for call in calls:
            for name in [name for name, happens in events.items() if happens(call)]:
                self._settled.setdefault(name, disk.settled)
                self._ready_at = self._ready_at or disk.number * (name == READY)
            if disk.apply(call):
                for node in disk.touched:
                    path = disk.path_of(node)
                    self._changed.add(path)
                    self._note(disk, path, node)
        assert set(self._settled) == set(events), "not all has happened"
        self.barriers = disk.barriers
        self.end = disk.after_cut(whole)

    def _note(self, disk: CutDisk, path: str, node: Node) -> None:
        if not path or node.kind == "folder":
            return
        self._versions.setdefault(path, []).append(Version(disk.number, node.data))
        folder, _, name = path.rpartition("/")
        # A mark with a plus sign says that work begins; those in /run are lost by a restart.
        is_of_work = folder.endswith("/sem") and "+" not in name and "/run/" not in folder
        if is_of_work and name.endswith(SCRATCH_END):
            mark = "%s/%s" % (folder, name[1 : -len(SCRATCH_END)])
            self._marks.setdefault(mark, disk.number)

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

    def list_changed(self, is_wanted: Callable[[str], bool]) -> List[str]:
        """The paths that the boot has made or changed, and that ``is_wanted`` accepts."""
        return sorted(path for path in self._changed & set(self.end) if is_wanted(path))

    # -- what each disk must keep
    # ----------------------------------------------------------------------------------------------

    def check(self, cut: Cut, kept: Kept) -> None:
        """Check what holds on each disk, before any machine boots from it.

        - Once the platform may have accepted Ready, all is there, and each step has its mark.
        - A mark is there only if the work is that was done before it.
        - A file has its old content or a new one, never a part.
        """
        if READY in cut.events:
            for path in kept.by_ready:
                assert cut.find(path) == self.end[path], (cut.after, path)
            for mark, begun in self._marks.items():
                assert begun > self._ready_at or cut.find(mark), (cut.after, mark)
        begun_marks = [begun for mark, begun in self._marks.items() if cut.find(mark)]
        if begun_marks:
            for path in kept.by_marks:
                self._check_done(cut, path, max(begun_marks))
        for path in kept.whole:
            self._check_old_or_new(cut, path)

    def _check_done(self, cut: Cut, path: str, by: int) -> None:
        """A file is as it was when a mark was begun, or newer."""
        found, versions = cut.find(path), self._versions.get(path, [])
        due = [at for at, version in enumerate(versions) if version.since <= by]
        if due:
            contents = {version.content for version in versions[due[-1] :]}
            assert found and found[-1] in contents, (cut.after, path, found)

    def _check_old_or_new(self, cut: Cut, path: str) -> None:
        found, versions = cut.find(path), self._versions.get(path, [])
        if found is None:
            assert not versions or versions[0].since > 0, (cut.after, path)
        elif versions:  # a folder has none
            assert found[-1] in {each.content for each in versions}, (cut.after, path, found)

    # -- the disks
    # ----------------------------------------------------------------------------------------------

    def cuts(self, sample: int) -> Iterator[Cut]:
        """The different disks that cuts may leave, in order: after each change, with all, none,
        half and random parts of the data that nothing has synced.

        Args:
            sample: from how many of them a machine is to boot, without LIGHTINIT_CRASH.
        """
        if WANTED == "all":
            return self._each(lambda at: True)
        if WANTED:
            piece, count = (int(each) for each in WANTED.split("/"))
            return self._each(lambda at: at % count == piece - 1)
        total = sum(1 for _ in self._each(lambda at: False))
        chosen = set(Random(SEED).sample(range(total), min(sample, total)))
        return self._each(lambda at: at in chosen)

    def _each(self, is_sampled: Callable[[int], bool]) -> Iterator[Cut]:
        random, disk, at = Random(SEED), self._make_disk(), 0
        for call in self._calls:
            barriers = len(disk.barriers)
            if not disk.apply(call) or len(disk.barriers) > barriers:
                continue  # what a barrier leaves is one of the disks before it
            events = {name for name, since in self._settled.items() if disk.number >= since}
            seen: Set[Tuple[bytes, ...]] = set()
            dirty = disk.list_dirty()
            for choice in (whole, unsynced, halved, drawn(random), drawn(random)):
                left = {node: choice(node) for node in dirty}
                if tuple(left.values()) in seen:
                    continue
                seen.add(tuple(left.values()))
                yield Cut(disk, _describe(call), left, events, is_sampled(at))
                at += 1


def _describe(call: Call) -> str:
    if call.name == "openat":
        return "openat " + call.path(1)
    places = [call.folder(at) for at, each in enumerate(call.arguments) if "<" in each]
    if not places and call.name not in ("sync", "umask"):
        places = [call.path(0)]
    return "%s %s" % (call.name, " ".join(places))
