"""One lightinit at a time: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from typing import Optional

from lightinit.errors import EXIT_LOCKED, EXIT_NO_PERMISSION, LightinitError, RefusedError
from lightinit.host.system import System

# `lightinit status` looks whether the lock is held by holding it itself for a moment: that must not
# turn us away.
TRIES = 10
TRY_AGAIN_S = 0.03

LOG = logging.getLogger("lightinit.lock")


class Lock:
    """Held from :meth:`take` on until :meth:`release` or the end of the process.

    Args:
        system: the machine.
        name: the lock file as the VM sees it.
    """

    def __init__(self, system: System, name: str) -> None:
        self._system = system
        self._name = name
        self._descriptor: Optional[int] = None

    def take(self, command: str) -> None:
        """Take the lock and leave our process number and ``command`` in its file.

        A file system that cannot be written at all does not stop us: the boot then fails where it
        has something to keep, and that is reported to the platform.

        Raises:
            RefusedError: somebody else holds it, or we may not even try.
        """
        try:
            path = self._system.path(self._name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            # Only root may open it: a lock that anybody can hold is one by which anybody can stop
            # the boot.
            descriptor = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600
            )
            os.fchmod(descriptor, 0o600)
        except (OSError, LightinitError) as error:
            said = getattr(error, "strerror", None) or str(error)
            if os.geteuid() == 0 or getattr(error, "errno", None) in (
                errno.EROFS,
                errno.ENOSPC,
                errno.EDQUOT,
            ):
                LOG.warning("going on without a lock: %s: %s", self._name, said)
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
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, ("pid %d: %s\n" % (os.getpid(), command)).encode("utf-8"))
        except OSError:
            pass  # a full disk; the lock itself holds
        self._descriptor = descriptor

    def _try(self, descriptor: int) -> bool:
        for _ in range(TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                self._system.clock.sleep(TRY_AGAIN_S)
            except OSError as error:
                LOG.warning("going on without a lock: %s: %s", self._name, error.strerror)
                return True
        return False

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_held(system: System, name: str, pid: int = 0) -> bool:
    """Whether some process holds the lock now.

    Args:
        system: the machine.
        name: the lock file as the VM sees it.
        pid: the process that should hold it; its existence is what those go by who may not open the
            lock.
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
