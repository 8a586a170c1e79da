"""Makes changes of files survive a power cut: each at once, or many together at a *barrier*.

A first boot makes some forty changes, and on a network disk each sync takes 5 ms. So it lets them
wait for the next barrier: one syncfs(2) for each file system. Until then

- a file of the host is synced before it gets its name, as ever: it is the old one or the new one.
  Only the new name may be lost;
- a record of lightinit's own may be empty after a power cut, which counts as no record;
- a mark, which says that work is done, is *held*: it gets its name only after the barrier. So a
  step whose files may be lost runs again.

If syncfs is missing, fails or takes long (it also writes what other programs have left), the files
themselves are synced, some at a time.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from lightinit.model import NamedTuple

SLOW_S = 2.0  # then syncfs has much to write that is not ours
LIMIT_S = 30.0
PAUSE_S = 0.02
FULL = 128  # files that are kept open until the barrier
WORKERS = 8
SYNCFS_TELLS = (5, 8)  # Linux before 5.8 hides errors from syncfs


class SlowDiskError(OSError):
    """The disk has not confirmed in time that it has the files."""


class Unsynced(NamedTuple):
    """What a barrier makes durable.

    Attributes:
        descriptor: an open file or folder, which is kept open so that its errors are seen.
        device: the number of its file system.
        shown: its path, for messages.
    """

    descriptor: int
    device: int
    shown: str


class Held(NamedTuple):
    """A file that gets its name after the barrier.

    Attributes:
        scratch: its name until then; a real path.
        data: its content.
    """

    scratch: str
    data: bytes


def sync_file_system(descriptor: int) -> None:
    """Make all of the file system durable that has this open file: syncfs(2).

    Raises:
        OSError: it failed. ENOSYS: the kernel or the C library has no such call, or the kernel
            would not tell of errors.
    """
    release = os.uname().release.split("-")[0].split(".")
    try:
        is_new = (int(release[0]), int(release[1])) >= SYNCFS_TELLS
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).syncfs
    except (ImportError, AttributeError, ValueError, IndexError, OSError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if not is_new:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


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
        foreign: the errors of syncs of whole file systems whose files of lightinit's own are on the
            disk. A file that another program has written may be lost.
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
        self.foreign: List[OSError] = []
        self._sync_file_system = sync_file_system
        self._sync_file = sync_file
        self._slow_s = slow_s
        self._limit_s = limit_s
        self._unsynced: Dict[Tuple[int, int], Unsynced] = {}
        self._lock = threading.Lock()
        self._job: Optional[_Job] = None

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
        self._sync_file(descriptor)

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
            _sync_folder(self._sync_file, descriptor)

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
        self._job = _Job(self.settle)

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
        """Make durable what has changed. After that, files that were held get their names.

        Args:
            only: a real path: leave out other file systems than this one, and what is held.

        Raises:
            SlowDiskError: the disk took too long. Nothing is lost: the next barrier tries again.
            OSError: a file did not reach the disk; ``filename`` is its path. All files that are
                held are removed: what they stand for is not certain.
        """
        device = os.stat(only).st_dev if only else None
        with self._lock:
            everything, held = self._unsynced, dict(self.held)
            unsynced = {
                key: each for key, each in everything.items() if device in (None, each.device)
            }
            self._unsynced = {key: everything[key] for key in everything if key not in unsynced}
        if only:
            held = {}
        try:
            for number in sorted({each.device for each in unsynced.values()}):
                self._sync_all([each for each in unsynced.values() if each.device == number])
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
        self._lock, self._job = threading.Lock(), None

    def adopt(self, scratches: Dict[str, str]) -> None:
        """Give files their names that another process held when it was killed. All that it has
        written is synced first.

        Args:
            scratches: real path -> its scratch file.

        Raises:
            SlowDiskError: the disk took too long; they are still held.
            OSError: they cannot be renamed.
        """
        job = _Job(os.sync)
        if not job.ended_in(self._limit_s):
            why = "the disk has not confirmed it in %g s" % self._limit_s
            raise SlowDiskError(errno.ETIMEDOUT, why, "".join(list(scratches)[:1]))
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

    def _sync_all(self, group: Sequence[Unsynced]) -> None:
        """Make files of one file system durable: all of it at once; or one by one, if that fails or
        takes too long.
        """
        whole = _Job(lambda: self._sync_file_system(group[0].descriptor))
        if whole.ended_in(self._slow_s) and whole.error is None:
            return
        queue = list(group)[::-1]
        workers = [_Job(lambda: self._sync_next(queue)) for _ in range(min(WORKERS, len(queue)))]
        give_up_s = time.monotonic() + self._limit_s
        while not all(each.ended_in(PAUSE_S) for each in workers):
            if whole.ended_in(0.0) and whole.error is None:
                return
            if time.monotonic() > give_up_s:
                queue.clear()
                why = "the disk has not confirmed it in %g s" % (self._slow_s + self._limit_s)
                raise SlowDiskError(errno.ETIMEDOUT, why, group[0].shown)
        for each in workers:
            if each.error is not None:
                raise each.error
        if whole.error is not None and whole.error.errno != errno.ENOSYS:
            self.foreign.append(OSError(whole.error.errno, whole.error.strerror, group[0].shown))

    def _sync_next(self, queue: List[Unsynced]) -> None:
        while queue:
            try:
                each = queue.pop()
            except IndexError:
                return
            try:
                _sync_folder(self._sync_file, each.descriptor)
            except OSError as error:
                raise OSError(error.errno, error.strerror, each.shown) from error


class _Job(threading.Thread):
    """Runs a function in a thread. It does not keep the process from ending."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.error: Optional[OSError] = None
        self._work = work
        try:
            self.start()
            self._has_begun = True
        except RuntimeError:  # no further thread can be started
            self._has_begun = False
            self.run()

    def run(self) -> None:
        try:
            self._work()
        except OSError as error:
            self.error = error

    def ended_in(self, limit_s: Optional[float]) -> bool:
        """Whether it has ended, or ends within ``limit_s`` seconds (None: any time)."""
        if self._has_begun:
            self.join(limit_s)
        return not self.is_alive()


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


def _sync_folder(sync_file: Callable[[int], None], descriptor: int) -> None:
    try:
        sync_file(descriptor)
    except OSError as error:
        # Some network and overlay file systems do not support this for directories.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
