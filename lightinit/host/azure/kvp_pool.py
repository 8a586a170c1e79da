"""The file of Hyper-V's key-value pool that the host reads (`.kvp_pool_1`), appended to whole
records at a time.

Others have it open too: hv_kvp_daemon, which reads it for the host and locks it by fcntl, and
agents, which lock it by flock; these two kinds of locks do not see each other, so both are taken.
It knows the size of a record, and not what is in one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import stat
from typing import Iterator

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host.atomic import make_parents, sync_dir
from lightinit.host.boot_id import UNKNOWN, read_boot_id
from lightinit.host.files.trusted_place import find_weak_folder, root_uids
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.kvp")

FOLDER = "/var/lib/hyperv"
POOL = FOLDER + "/.kvp_pool_1"
MARK = "/run/lightinit/kvp"
LOCK_TIMEOUT_S = 5.0
LOCK_PAUSE_S = 0.1
# HV_KVP_EXCHANGE_MAX_RECORDS; the daemon reads all of them anew for each request of the host
MAX_RECORDS = 1024
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_BUSY = (errno.EACCES, errno.EAGAIN)


def append(system: System, records: bytes, record_bytes: int) -> None:
    """Append ``records``, all of them or none, and have them on the disk. Ends within some seconds
    whatever others do.

    What an earlier boot has left is taken away first, and so is half a record at the end, which a
    crash has left.

    Args:
        system: the machine.
        records: one or more whole records.
        record_bytes: the size of each.

    Raises:
        ProvisioningError: they could not be written; nothing of them is in the file.
    """
    folder = system.path(FOLDER)
    try:
        make_parents(folder)
        _check_folders(system, folder)
        path = folder + "/" + os.path.basename(POOL)
        with _locked(system, path) as descriptor:
            _append(system, descriptor, records, record_bytes)
    except OSError as error:
        raise _cannot_write(error) from error
    _leave_mark(system)


def _append(system: System, descriptor: int, records: bytes, record_bytes: int) -> None:
    status = os.fstat(descriptor)
    size = status.st_size
    if size and _is_stale(system, status.st_mtime):
        LOG.debug("%s: what an earlier boot has left is taken away", POOL)
        size = 0
    if size % record_bytes:
        LOG.info("%s ends in half a record: it is cut off", POOL)
        size -= size % record_bytes
    if size + len(records) > MAX_RECORDS * record_bytes:
        raise ProvisioningError(
            "telemetry pool is full",
            path=POOL,
            records=size // record_bytes,
            limit_records=MAX_RECORDS,
            hint="see which program fills it; a reboot empties it",
        )
    if size != status.st_size:
        os.ftruncate(descriptor, size)
    try:
        written = 0
        while written < len(records):
            written += os.pwrite(descriptor, records[written:], size + written)
        os.fsync(descriptor)  # a file system that allocates late says only here that it is full
    except BaseException:
        # Also on a signal: half a record at the end would shift all that others append.
        os.ftruncate(descriptor, size)
        raise


# -- which boot it is from
# ---------------------------------------------------------------------------------------------


def _is_stale(system: System, changed_s: float) -> bool:
    """Whether the file was last changed before this boot.

    Times alone would mislead where the clock was set since then: it starts in 1970 on some
    machines. What we have written in this boot is known by a mark in /run. A time that lies ahead
    says nothing, so nothing is taken away.
    """
    boot_id = read_boot_id(system)
    if boot_id != UNKNOWN and system.read_text(MARK).strip() == boot_id:
        return False
    began_s = _boot_time(system)
    return began_s > 0 and changed_s < began_s - 1  # /proc/stat has whole seconds


def _boot_time(system: System) -> float:
    """When this boot began, in Unix time by the clock as it is set now; 0 when that cannot be
    told.
    """
    for line in system.read_text("/proc/stat").splitlines():
        name, _, value = line.partition(" ")
        if name == "btime" and value.strip().isdigit():
            return float(value)
    try:
        return system.clock.time() - float(system.read_text("/proc/uptime").split()[0])
    except (ValueError, IndexError):
        return 0.0


def _leave_mark(system: System) -> None:
    boot_id = read_boot_id(system)
    if boot_id == UNKNOWN or system.read_text(MARK).strip() == boot_id:
        return
    try:
        system.write(MARK, (boot_id + "\n").encode("ascii", "replace"), durable=False)
    except LightinitError as error:
        LOG.debug("no mark of this boot is left: %s", error)  # then times have to do


# -- who may change it
# -------------------------------------------------------------------------------------------------


def _check_folders(system: System, folder: str) -> None:
    """If others could change a directory on the way, the file could be anything by now."""
    weak = find_weak_folder(system, folder, sticky_is_safe=True)
    if weak is None:
        return
    if weak.foreign:
        raise _refuse("the directory belongs to another user", directory=weak.path, uid=weak.uid)
    raise _refuse("others may write to the directory", directory=weak.path, mode="%04o" % weak.mode)


def _check_file(system: System, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _refuse("it is a symbolic link")
    if not stat.S_ISREG(status.st_mode):
        raise _refuse("it is no regular file")
    if status.st_nlink > 1:
        raise _refuse("it has another name elsewhere (a hard link)")
    if status.st_uid not in root_uids(system):
        raise _refuse("it belongs to another user", uid=status.st_uid)


# -- locks
# --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(system: System, path: str) -> Iterator[int]:
    """The open file, made if it is missing, under both locks."""
    deadline_s = system.clock.monotonic() + LOCK_TIMEOUT_S
    while True:
        descriptor = _open(system, path)
        try:
            # Whoever had it before may have removed or replaced it: then what is locked is not what
            # the daemon reads.
            if _try_locks(descriptor) and _is_still(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)  # which gives both locks back
        if system.clock.monotonic() >= deadline_s:
            raise ProvisioningError(
                "telemetry pool is locked",
                path=POOL,
                limit_s=LOCK_TIMEOUT_S,
                hint="see which program holds the lock: fuser -v %s" % POOL,
            )
        system.clock.sleep(LOCK_PAUSE_S)


def _open(system: System, path: str) -> int:
    try:
        # Before it is opened: to open a device can already do something to it.
        _check_file(system, os.lstat(path))
        made = False
    except FileNotFoundError:
        made = True
    descriptor = os.open(path, _FLAGS, 0o644)
    try:
        _check_file(system, os.fstat(descriptor))
        if made:
            os.fchmod(descriptor, 0o644)  # as the daemon makes it, whatever our umask is
            sync_dir(os.path.dirname(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try_locks(descriptor: int) -> bool:
    """Take both locks, or neither: whoever takes them in the other order must not wait for us for
    ever.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _BUSY:
            raise
        return False
    return True


def _is_still(path: str, descriptor: int) -> bool:
    try:
        there, ours = os.lstat(path), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _refuse(why: str, **details: object) -> ProvisioningError:
    return ProvisioningError(
        "telemetry pool is not safe to write",
        path=POOL,
        why=why,
        **details,
        hint="see who put it there; hv_kvp_daemon makes a new file when it starts",
    )


def _cannot_write(error: OSError) -> ProvisioningError:
    hint = (
        "free some space"
        if error.errno in (errno.ENOSPC, errno.EDQUOT)
        else "see whether %s can be written" % FOLDER
    )
    return ProvisioningError(
        "telemetry pool cannot be written", path=POOL, error=error.strerror or str(error), hint=hint
    )
