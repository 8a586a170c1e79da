"""The account files themselves, passwd, group and shadow: their lock, reading and replacing them.

It knows no format: their lines are made by the caller, and pass through :func:`edit_account_file`.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
from contextlib import contextmanager
from typing import Callable, Iterator, List, Optional

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.accounts")
LOCK = "/etc/.pwd.lock"
LOCK_LIMIT_S = 15.0  # as lckpwdf(3)
LOCK_PAUSE_S = 0.1
READ_LIMIT_BYTES = 16 * 1024 * 1024  # a host with a hundred thousand accounts still counts
# What the tools put beside the account files while they change them, under the lock of lckpwdf:
# shadow's tools X.lock, which holds their process id, busybox X+.
LOCKED_FILES = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
# Names as in /proc/PID/comm: at most 15 characters.
LOCKERS = (
    "useradd",
    "usermod",
    "userdel",
    "groupadd",
    "groupmod",
    "groupdel",
    "groupmems",
    "passwd",
    "chpasswd",
    "chgpasswd",
    "gpasswd",
    "chage",
    "chfn",
    "chsh",
    "newusers",
    "vipw",
    "vigr",
    "pwck",
    "grpck",
    "pwconv",
    "pwunconv",
    "grpconv",
    "grpunconv",
    "adduser",
    "addgroup",
    "deluser",
    "delgroup",
    "busybox",
    "systemd-sysuser",
)


@contextmanager
def lock_accounts(system: System) -> Iterator[None]:
    """Hold the lock that lckpwdf(3) takes: useradd, passwd and systemd-sysusers keep off meanwhile.

    Raises:
        ProvisioningError: somebody else held it for too long, or it could not be made.
    """
    path = system.path(LOCK)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ProvisioningError(
            "account files cannot be locked", path=LOCK, error=error.strerror
        ) from error
    try:
        give_up_s = system.clock.monotonic() + LOCK_LIMIT_S
        while True:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if (
                    error.errno not in (errno.EACCES, errno.EAGAIN)
                    or system.clock.monotonic() > give_up_s
                ):
                    raise ProvisioningError(
                        "account files are locked",
                        path=LOCK,
                        error=error.strerror,
                        hint="see which program changes accounts: fuser %s" % LOCK,
                    ) from error
                system.clock.sleep(LOCK_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def clear_stale_locks(system: System) -> List[str]:
    """Remove what a power cut inside useradd or adduser left: with that, no such tool would do
    anything any more.

    A process id in a lock says little on a first boot, where low ones are given out again: what
    counts is whether that process is one of the tools. It is looked at under the lock of lckpwdf,
    which a tool at work holds, and which is given back before a tool is run.

    Returns:
        The files that were removed.

    Raises:
        ProvisioningError: as :func:`lock_accounts`; or a stale one could not be removed.
    """
    names = ["/etc/%s%s" % (name, end) for name in LOCKED_FILES for end in (".lock", "+")]
    if not any(os.path.lexists(system.path(name, follow_last=False)) for name in names):
        return []
    with lock_accounts(system):
        stale = [name for name in names if _is_stale(system, name)]
        for name in stale:
            LOG.info("a lock that a crash left is removed: %s", name)
            system.remove(name)
    return stale


def _is_stale(system: System, name: str) -> bool:
    """Whether a lock is older than this boot, or held by no program that changes accounts."""
    try:
        status = os.lstat(system.path(name, follow_last=False))
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode):
        return False
    uptime = system.read_text("/proc/uptime").split()
    try:
        if uptime and system.clock.time() - status.st_mtime > float(uptime[0]):
            return True
    except ValueError:
        pass
    pid = system.read_text(name).strip("\0 \n") if name.endswith(".lock") else ""
    holders = (
        [pid] if pid.isdigit() else [each for each in system.list_dir("/proc") if each.isdigit()]
    )
    return not any(system.read_text("/proc/%s/comm" % each).strip() in LOCKERS for each in holders)


def read_account_file(system: System, name: str) -> str:
    """The text of passwd, shadow or group; "" when there is no such file, and only then.

    Raises:
        ProvisioningError: it is there and cannot be read: taken for empty, it would lead to a user
            id given twice.
    """
    return _read_account_file(system, name).decode("utf-8", "replace")


def _read_account_file(system: System, name: str) -> bytes:
    try:
        return system.read(name, limit_bytes=READ_LIMIT_BYTES)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ProvisioningError(
            "account file cannot be read", path=name, error=error.strerror or str(error)
        ) from error
    except MalformedError as error:
        raise ProvisioningError(
            "account file cannot be read", path=name, error=error.reason
        ) from error


def edit_account_file(
    system: System, name: str, edit: Callable[[str], str], new_mode: Optional[int] = None
) -> bool:
    """Replace one of the account files by what ``edit`` makes of it. The caller holds
    :func:`lock_accounts`.

    Args:
        system: the machine.
        name: such as ``/etc/passwd``.
        edit: gets the text and gives the new one; bytes that are no UTF-8 come through unchanged.
        new_mode: the mode when the file has to be made; None: a missing file stays missing.

    Returns:
        Whether it was written. Its owner and mode stay as they are.

    Raises:
        ProvisioningError: it could not be read or written.
    """
    before = _read_account_file(system, name)
    try:
        status: Optional[os.stat_result] = os.stat(system.path(name))
    except FileNotFoundError:
        if new_mode is None:
            return False
        status = None
    after = edit(before.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if after == before:
        return False
    mode = stat.S_IMODE(status.st_mode) if status else int(new_mode or 0)
    system.write(name, after, mode, status.st_uid if status else 0, status.st_gid if status else 0)
    return True
