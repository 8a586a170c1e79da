"""The lock that allows one lightinit at a time. The kernel releases it when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from typing import Optional

from lightinit.errors import EXIT_LOCKED, EXIT_NO_PERMISSION, LightinitError, RefusedError
from lightinit.host.system import System

TRIES = 10
TRY_AGAIN_S = 0.03
# `lightinit status` shares the lock for a moment to see whether it is free. On a busy machine that
# moment may be long, and a boot must not be refused because of it.
TRIES_BESIDE_READERS = 300

LOG = logging.getLogger("lightinit.lock")
NO_SPACE = (errno.EROFS, errno.ENOSPC, errno.EDQUOT)


class Lock:
    """A lock. It is held from :meth:`take` until :meth:`release` or the end of the process.

    Args:
        system: the machine.
        name: the lock file as the VM sees it.
    """

    def __init__(self, system: System, name: str) -> None:
        self._system = system
        self._name = name
        self._descriptor: Optional[int] = None

    def take(self, command: str) -> None:
        """Take the lock, and write our process number and ``command`` into its file.

        A read-only or full file system is not an error here. The boot will fail later, when it has
        to store something, and then reports that to the platform.

        Raises:
            RefusedError: another process holds the lock, or its file cannot be opened.
        """
        try:
            path = self._system.path(self._name, follow_last=False)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            # Only root may open the file: a user who can hold the lock could stop the boot.
            descriptor = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600
            )
            os.fchmod(descriptor, 0o600)
        except (OSError, LightinitError) as error:
            said = getattr(error, "strerror", None) or str(error)
            if os.geteuid() == 0 or getattr(error, "errno", None) in NO_SPACE:
                LOG.warning("continuing without a lock: %s: %s", self._name, said)
                return
            raise RefusedError(
                "lock cannot be taken",
                EXIT_NO_PERMISSION,
                path=self._name,
                error=said,
                hint="run as root, or give --root a directory that you may write to",
            ) from error
        if not self._try(descriptor):
            holder = os.read(descriptor, 200).decode("utf-8", "replace").strip() or "unknown"
            os.close(descriptor)
            raise RefusedError(
                "another lightinit is running",
                EXIT_LOCKED,
                lock=self._name,
                holder=holder,
                hint="wait for it with: lightinit status --wait",
            )
        self._descriptor = descriptor
        self.note(command)

    def note(self, command: str) -> None:
        """Write our process number and ``command`` into the file of the lock, if it is held."""
        if self._descriptor is None:
            return
        try:
            os.ftruncate(self._descriptor, 0)
            text = "pid %d: %s\n" % (os.getpid(), command)
            os.pwrite(self._descriptor, text.encode("utf-8"), 0)
        except OSError:
            pass  # the disk is full, but the lock is held

    def _try(self, descriptor: int) -> bool:
        why: Optional[str] = "processes that only read it do not let it go"
        for tries in range(1, TRIES_BESIDE_READERS + 1):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if tries >= TRIES and not _is_only_read(descriptor):
                    return False
                self._system.clock.sleep(TRY_AGAIN_S)
            except OSError as error:
                why = error.strerror
                break
        LOG.warning("continuing without a lock: %s: %s", self._name, why)
        return True

    def release(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _is_only_read(descriptor: int) -> bool:
    """Whether nobody holds a lock that others only share, as ``lightinit status`` does."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True


def is_held(system: System, name: str, pid: int = 0) -> bool:
    """Whether a process holds the lock now.

    Args:
        system: the machine.
        name: the lock file as the VM sees it.
        pid: the process that should hold the lock. If the lock file cannot be opened, the result is
            whether this process exists.
    """
    try:
        descriptor = os.open(system.path(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except PermissionError:
        return pid > 0 and os.path.exists("/proc/%d" % pid)
    except (OSError, LightinitError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return pid > 0 and os.path.exists("/proc/%d" % pid)
    finally:
        os.close(descriptor)
