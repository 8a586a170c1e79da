"""Syncs open files and whole file systems, in threads with deadlines.

syncfs(2) makes a whole file system durable at once. If it is missing, fails or takes long (it also
writes what other programs have left), the files themselves are synced, some at a time.
"""

from __future__ import annotations

import errno
import os
import time
from typing import Callable, List, Optional, Sequence

from lightinit.host.clock import Errand
from lightinit.model import NamedTuple

SLOW_S = 2.0  # then syncfs has much to write that is not ours
LIMIT_S = 30.0
PAUSE_S = 0.02
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


class Syncs:
    """Syncs one file, all files of a list, or everything.

    Args:
        sync_file_system: syncs a whole file system, given an open file in it.
        sync_file: syncs one open file or folder.
        slow_s: seconds after which files are synced one by one, beside a slow ``sync_file_system``.
        limit_s: seconds after which it gives up.

    Attributes:
        foreign: the errors of whole file systems that no file of a list has had.
    """

    def __init__(
        self,
        sync_file_system: Callable[[int], None],
        sync_file: Callable[[int], None],
        slow_s: float,
        limit_s: float,
    ) -> None:
        self.foreign: List[OSError] = []
        self.sync_one = sync_file
        self._sync_file_system = sync_file_system
        self._slow_s = slow_s
        self._limit_s = limit_s

    def sync_folder(self, descriptor: int) -> None:
        """Sync an open directory, or a file. Some network and overlay file systems do not support
        this for directories.

        Raises:
            OSError: it did not reach the disk.
        """
        try:
            self.sync_one(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise

    def sync_everything(self, shown: str) -> None:
        """Sync all file systems.

        Args:
            shown: a path, for the message.

        Raises:
            SlowDiskError: it took too long.
        """
        if not Job(os.sync).ended_in(self._limit_s):
            why = "the disk has not confirmed it in %g s" % self._limit_s
            raise SlowDiskError(errno.ETIMEDOUT, why, shown)

    def sync_all(self, group: Sequence[Unsynced]) -> None:
        """Make files of one file system durable: all of it at once; or one by one, if that fails or
        takes too long.

        Raises:
            SlowDiskError: it took too long.
            OSError: a file did not reach the disk; ``filename`` is its path.
        """
        whole = Job(lambda: self._sync_file_system(group[0].descriptor))
        if whole.ended_in(self._slow_s) and whole.error is None:
            return
        queue = list(group)[::-1]
        workers = [Job(lambda: self._sync_next(queue)) for _ in range(min(WORKERS, len(queue)))]
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
                self.sync_folder(each.descriptor)
            except OSError as error:
                raise OSError(error.errno, error.strerror, each.shown) from error


class Job(Errand):
    """Runs a function in a thread, which does not keep the process from ending; or at once, if no
    further thread can be had.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__("lightinit-sync")
        self.error: Optional[OSError] = None
        self._work = work
        self.begin()
        self.do_here()

    def run(self) -> None:
        """Do the work, and keep its error."""
        try:
            self._work()
        except OSError as error:
            self.error = error

    def ended_in(self, limit_s: Optional[float]) -> bool:
        """Whether it has ended, or ends within ``limit_s`` seconds (None: any time)."""
        self.await_end(limit_s)
        return not self.is_alive()
