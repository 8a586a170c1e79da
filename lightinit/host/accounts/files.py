"""Locks, reads and replaces the account files (passwd, group, shadow, gshadow).

It knows no format: the caller passes a function to :func:`edit_account_file`.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
from contextlib import contextmanager
from typing import Callable, Iterator, List, Optional, Sequence

from lightinit.digits import read_digits
from lightinit.errors import ProvisioningError
from lightinit.host.files.access import Access
from lightinit.host.files.text import decode_text, read_file, write_text_file
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.accounts")
LOCK = "/etc/.pwd.lock"
LOCK_LIMIT_S = 15.0  # as in lckpwdf(3)
LOCK_PAUSE_S = 0.1
READ_LIMIT_BYTES = 16 * 1024 * 1024  # enough for a hundred thousand accounts
DAY_S = 86400
# While a tool changes an account file X, it holds the lock of lckpwdf and has another file beside
# X: shadow's tools make X.lock, which has their process id; busybox makes X+.
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
    """Hold the lock of lckpwdf(3), for which useradd, passwd and systemd-sysusers wait.

    Raises:
        ProvisioningError: another program held it for too long, or the lock file cannot be made.
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
        _wait_for_lock(system, descriptor)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(system: System, descriptor: int) -> None:
    give_up_s = system.clock.monotonic() + LOCK_LIMIT_S
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            is_held = error.errno in (errno.EACCES, errno.EAGAIN)
            if not is_held or system.clock.monotonic() > give_up_s:
                raise ProvisioningError(
                    "account files are locked",
                    path=LOCK,
                    error=error.strerror,
                    hint="see which program changes accounts: fuser %s" % LOCK,
                ) from error
            system.clock.sleep(LOCK_PAUSE_S)


def check_changeable(system: System, names: Sequence[str]) -> None:
    """Check that account files can be replaced, before a tool changes some of them and then fails
    without saying why.

    Args:
        system: the machine.
        names: the files, such as ``/etc/passwd``.

    Raises:
        ProvisioningError: their folder is read-only; or one is a mount of its own, which no tool
            can replace by a new file.
    """
    table = system.read_text("/proc/self/mountinfo")
    # proc(5): the fifth field is the mount point.
    places = {line.split(" ")[4] for line in table.split("\n") if line.count(" ") > 4}
    for name in names:
        path = system.path(name)
        folders = [os.path.dirname(path)]
        if system.tool("useradd") is not None:
            # It makes its lock files beside the link, if there is one. busybox makes none.
            folders.append(system.path(os.path.dirname(name)))
        why = ""
        if any(map(_is_read_only, folders)):
            why = "its folder is on a read-only file system"
        elif path in places:
            why = "it is a mount of its own, so no tool can replace it"
        if why:
            raise ProvisioningError(
                "account files cannot be changed",
                path=name,
                why=why,
                hint="make all of /etc writable, such as by an overlay or a bind mount of the"
                " folder; or have the account in the image",
            )


def _is_read_only(folder: str) -> bool:
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def clear_stale_locks(system: System) -> List[str]:
    """Remove the lock files that useradd or adduser left at a power cut.

    While such a file exists, these tools refuse to work. The file has a process id, but after a
    reboot another process may have the same id. So the lock is valid only if that process is one of
    these tools. The check holds the lock of lckpwdf, so no tool is changing accounts meanwhile.

    Returns:
        The removed files.

    Raises:
        ProvisioningError: as :func:`lock_accounts`; or a stale file cannot be removed.
    """
    names = ["/etc/%s%s" % (name, end) for name in LOCKED_FILES for end in (".lock", "+")]
    if not any(os.path.lexists(system.path(name, follow_last=False)) for name in names):
        return []
    with lock_accounts(system):
        stale = [name for name in names if _is_stale(system, name)]
        for name in stale:
            LOG.info("removing a lock file that a crash has left: %s", name)
            system.remove(name)
    return stale


def _is_stale(system: System, name: str) -> bool:
    """Whether a lock file is older than this boot, or no program that changes accounts holds it."""
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
    return not any(
        system.read_text("/proc/%s/comm" % holder).strip() in LOCKERS
        for holder in _possible_holders(system, name)
    )


def _possible_holders(system: System, name: str) -> List[str]:
    """The process id in the lock file; all process ids if the file has none."""
    if name.endswith(".lock"):
        pid = system.read_text(name).strip("\0 \n")
        if read_digits(pid) is not None:
            return [pid]
    return [each for each in system.list_dir("/proc") if read_digits(each) is not None]


def today(system: System) -> int:
    """Today in days since 1970, as shadow counts them. At boot the clock may be wrong."""
    return int(system.clock.time() // DAY_S)


def read_account_file(system: System, name: str) -> str:
    """The text of passwd, shadow, group or gshadow; "" if there is no such file.

    Raises:
        ProvisioningError: the file exists and cannot be read. It must not count as empty, since a
            user id could then be used twice.
    """
    try:
        return _read(system, name).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _read(system: System, name: str) -> bytes:
    return read_file(system, name, READ_LIMIT_BYTES, reason="account file cannot be read")


def edit_account_file(
    system: System, name: str, edit: Callable[[str], str], new_mode: Optional[int] = None
) -> bool:
    """Replace the text of an account file. The caller holds :func:`lock_accounts`.

    Args:
        system: the machine.
        name: such as ``/etc/passwd``.
        edit: takes the old text and returns the new one. Bytes that are not UTF-8 stay unchanged.
        new_mode: the mode of a new file. None: a missing file is not made.

    Returns:
        Whether the file was written. Its owner and mode stay.

    Raises:
        ProvisioningError: the file cannot be read or written.
    """
    try:
        before = decode_text(_read(system, name))
    except FileNotFoundError:
        if new_mode is None:
            return False
        before = ""
    after = edit(before)
    if after == before:
        return False
    write_text_file(system, name, after, Access(new_mode or 0))
    return True
