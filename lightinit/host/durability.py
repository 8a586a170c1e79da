"""Makes changes of files survive a power cut: each at once, or many together at a *barrier*.

A first boot makes some forty changes, and on a network disk each sync takes 5 ms. So it lets them
wait for the next barrier: one syncfs(2) for each file system. Until then

- a file of the host is synced before it gets its name, as ever: it is the old one or the new one.
  Only the new name may be lost;
- a record of lightinit's own may be empty after a power cut, which counts as no record;
- a mark, which says that work is done, is *held*: it gets its name only after the barrier. So a
  step whose files may be lost runs again.

It decides what is to be synced when; host/syncs.py does it.
"""

from __future__ import annotations

import os
import stat
import threading
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from lightinit.host.syncs import (
    LIMIT_S,
    SLOW_S,
    Job,
    SlowDiskError,
    Syncs,
    Unsynced,
    sync_file_system,
)
from lightinit.model import NamedTuple

FULL = 128  # files that are kept open until the barrier


class Held(NamedTuple):
    """A file that gets its name after the barrier.

    Attributes:
        scratch: its name until then; a real path.
        data: its content.
    """

    scratch: str
    data: bytes


class Durability:
    """Makes changes durable, each at once until :meth:`defer` is called.

    Args:
        sync_file_system: syncs a whole file system, given an open file in it.
        sync_file: syncs one open file or folder.
        slow_s: seconds after which files are synced one by one, beside a slow ``sync_file_system``.
        limit_s: seconds after which a barrier gives up.

    Attributes:
        deferred: whether changes wait for the next barrier.
        held: the files that get their names after the next barrier, by real path.
    """

    def __init__(
        self,
        sync_file_system: Callable[[int], None] = sync_file_system,
        sync_file: Callable[[int], None] = os.fsync,
        slow_s: float = SLOW_S,
        limit_s: float = LIMIT_S,
    ) -> None:
        self.deferred = False
        self.held: Dict[str, Held] = {}
        self._syncs = Syncs(sync_file_system, sync_file, slow_s, limit_s)
        self._unsynced: Dict[Tuple[int, int], Unsynced] = {}
        self._lock = threading.Lock()
        self._one_barrier = threading.RLock()
        self._job: Optional[Job] = None

    @property
    def foreign(self) -> List[OSError]:
        """The errors of syncs of whole file systems whose files of lightinit's own are on the disk.
        A file that another program has written may be lost.
        """
        return self._syncs.foreign

    def defer(self, folders: Sequence[str]) -> None:
        """From now on changes wait for the next barrier.

        Args:
            folders: real paths. The next barrier takes their file systems, too: tools such as
                useradd write there.
        """
        self.deferred = True
        for folder in folders:
            try:
                self.folder(folder)
            except OSError:
                pass  # it need not exist

    # -- changes
    # ----------------------------------------------------------------------------------------------

    def file(self, descriptor: int, shown: str, waits: bool = False) -> None:
        """An open file has its data.

        Args:
            descriptor: the file.
            shown: its path, for messages.
            waits: whether it may be incomplete after a power cut before the next barrier.

        Raises:
            OSError: it could not be synced.
        """
        if self.deferred and waits and self._note(descriptor, shown):
            return
        self._syncs.sync_one(descriptor)

    def folder(self, path: str) -> None:
        """The names in the directory ``path`` have changed.

        Raises:
            OSError: it could not be opened or synced.
        """
        descriptor = os.open(path or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.open_folder(descriptor, path)
        finally:
            os.close(descriptor)

    def open_folder(self, descriptor: int, shown: str) -> None:
        """As :meth:`folder`, for an open directory."""
        if not self.deferred or not self._note(descriptor, shown):
            self._syncs.sync_folder(descriptor)

    def _note(self, descriptor: int, shown: str) -> bool:
        status = os.fstat(descriptor)
        key = (status.st_dev, status.st_ino)
        with self._lock:
            if key in self._unsynced:
                return True
            if len(self._unsynced) >= FULL:
                return False
            try:
                device = _find_device(status, shown)
                self._unsynced[key] = Unsynced(os.dup(descriptor), device, shown)
            except OSError:
                return False
        return True

    # -- barriers
    # ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin :meth:`settle` beside other work; :meth:`end` waits for it."""
        self._job = Job(self.settle)

    def end(self) -> None:
        """Wait for what :meth:`begin` began.

        Raises:
            OSError: as :meth:`barrier`.
        """
        job, self._job = self._job, None
        if job is not None:
            job.ended_in(None)
            if job.error is not None:
                raise job.error

    def settle(self) -> None:
        """Make all durable, then the names of what was held.

        Raises:
            OSError: as :meth:`barrier`.
        """
        self.barrier()
        self.barrier()

    def barrier(self, only: str = "") -> None:
        """Make durable what has changed. After that, files that were held get their names. One that
        another thread has begun ends first: what it makes durable is not yet.

        Args:
            only: a real path: leave out other file systems than this one, and what is held.

        Raises:
            SlowDiskError: the disk took too long. Nothing is lost: the next barrier tries again.
            OSError: a file did not reach the disk; ``filename`` is its path. All files that are
                held are removed: what they stand for is not certain.
        """
        with self._one_barrier:
            self._make_durable(os.stat(only).st_dev if only else None)

    def _make_durable(self, device: Optional[int]) -> None:
        with self._lock:
            everything, held = self._unsynced, dict(self.held)
            unsynced = {
                key: each for key, each in everything.items() if device in (None, each.device)
            }
            self._unsynced = {key: everything[key] for key in everything if key not in unsynced}
        if device is not None:
            held = {}
        try:
            for number in sorted({each.device for each in unsynced.values()}):
                self._syncs.sync_all([each for each in unsynced.values() if each.device == number])
        except SlowDiskError:
            with self._lock:
                unsynced.update(self._unsynced)
                self._unsynced, unsynced = unsynced, {}
            raise
        except OSError:
            for path in list(self.held):
                self.drop(path)
            raise
        finally:
            for each in unsynced.values():
                os.close(each.descriptor)
        self._release({path: each.scratch for path, each in held.items()})

    def _release(self, scratches: Dict[str, str]) -> None:
        for path, scratch in scratches.items():
            try:
                os.replace(scratch, path)
            except FileNotFoundError:
                pass  # somebody has removed it meanwhile
            self.held.pop(path, None)
        for folder in {os.path.dirname(path) for path in scratches}:
            self.folder(folder)

    def take_over(self) -> None:
        """Begin anew in another process, after a fork: what was noted is the first process' own.
        From now on each change is made durable at once.
        """
        self.deferred = False
        self.held, self._unsynced = {}, {}
        self.go_on()

    def go_on(self) -> None:
        """Go on in another process, after a fork, with what was noted. A thread that held a lock is
        not there.
        """
        self._lock, self._one_barrier, self._job = threading.Lock(), threading.RLock(), None

    def adopt(self, scratches: Dict[str, str]) -> None:
        """Give files their names that another process held when it was killed. All that it has
        written is synced first.

        Args:
            scratches: real path -> its scratch file.

        Raises:
            SlowDiskError: the disk took too long; they are still held.
            OSError: they cannot be renamed.
        """
        self._syncs.sync_everything("".join(list(scratches)[:1]))
        self._release(scratches)

    def find_held(self, path: str, resolve: Callable[[str], str]) -> Optional[bytes]:
        """The content of a file that is held; None if this one is not.

        Args:
            path: as the VM sees it; folders in it may be links.
            resolve: takes that path; returns the real one.
        """
        end = path[path.rfind("/") :]
        if not any(each.endswith(end) for each in tuple(self.held)):
            return None
        held = self.held.get(resolve(path))
        return held and held.data

    def drop(self, path: str) -> bool:
        """Remove what is held for the real path ``path``. Returns whether there was anything."""
        held = self.held.pop(path, None)
        if held is None:
            return False
        try:
            os.unlink(held.scratch)
        except OSError:
            pass
        return True


def _find_device(status: os.stat_result, shown: str) -> int:
    """The number of the file system of an open file. On an overlay a file has another number than
    its folder, which a sync of that file system makes durable all the same.
    """
    if stat.S_ISREG(status.st_mode) and os.path.isabs(shown) and not os.major(status.st_dev):
        try:
            return os.stat(os.path.dirname(shown)).st_dev
        except OSError:
            pass
    return status.st_dev
