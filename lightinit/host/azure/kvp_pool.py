"""Writes whole records to the file of Hyper-V's key-value pool that the host reads (`.kvp_pool_1`).

Other programs use the pool, too: hv_kvp_daemon reads it for the host and locks it with fcntl;
agents lock it with flock. A lock of one kind does not exclude the other kind, so lightinit takes
both. This file knows the sizes of a record and of its key, but not the content.

Nothing here is synced to the disk: the host reads the pool while this boot lasts, and the next boot
removes its records.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import stat
from typing import Iterator, Sequence

from lightinit.digits import read_digits
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host.atomic import make_parents
from lightinit.host.files.trusted_place import find_weak_folder, root_uids
from lightinit.host.identity import UNKNOWN, read_boot_id
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.kvp")

FOLDER = "/var/lib/hyperv"
POOL = FOLDER + "/.kvp_pool_1"
MARK = "/run/lightinit/kvp"
LOCK_TIMEOUT_S = 5.0
LOCK_PAUSE_S = 0.1
# HV_KVP_EXCHANGE_MAX_RECORDS. The daemon reads all records for each request of the host.
MAX_RECORDS = 1024
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_BUSY = (errno.EACCES, errno.EAGAIN)


def append(system: System, records: bytes, record_bytes: int) -> None:
    """Append ``records``, all or none. If another program holds a lock, give up after some seconds.

    First remove the records of an earlier boot, and an incomplete record that a crash has left at
    the end.

    Args:
        system: the machine.
        records: one or more whole records.
        record_bytes: the size of one record in bytes.

    Raises:
        ProvisioningError: the records could not be written; the file has no part of them.
    """
    with _opened(system) as descriptor:
        _append(descriptor, _prepare(system, descriptor, record_bytes), records, record_bytes)


def put(system: System, record: bytes, key_bytes: int) -> None:
    """Write ``record`` over the record with the same key, and remove further records with that key.
    If there is none, append it. Otherwise this is like :func:`append`.

    hv_kvp_daemon gives the host only the first record of a key.

    Args:
        system: the machine.
        record: one whole record.
        key_bytes: the size of its key's field in bytes; the key ends at its first NUL.

    Raises:
        ProvisioningError: the record could not be written; the file is unchanged.
    """
    size = len(record)
    with _opened(system) as descriptor:
        end = _prepare(system, descriptor, size)
        key = _key(record, key_bytes)
        own = [
            at
            for at in range(0, end, size)
            if _key(os.pread(descriptor, key_bytes, at), key_bytes) == key
        ]
        if not own:
            _append(descriptor, end, record, size)
            return
        _replace(descriptor, own[0], record)
        if own[1:]:
            _remove(descriptor, own[1:], end, size)


@contextlib.contextmanager
def _opened(system: System) -> Iterator[int]:
    """Open and lock the pool. An OSError in the block becomes a ProvisioningError."""
    folder = system.path(FOLDER)
    try:
        make_parents(folder)
        _check_folders(system, folder)
        with _locked(system, folder + "/" + os.path.basename(POOL)) as descriptor:
            yield descriptor
    except OSError as error:
        raise _cannot_write(error) from error
    _leave_mark(system)


def _prepare(system: System, descriptor: int, record_bytes: int) -> int:
    """Remove old and incomplete records. Returns the size of the remaining file, in bytes."""
    status = os.fstat(descriptor)
    size = status.st_size
    if size and _is_stale(system, status.st_mtime):
        LOG.debug("%s: removing the records of an earlier boot", POOL)
        size = 0
    if size % record_bytes:
        LOG.info("%s: removing an incomplete record at its end", POOL)
        size -= size % record_bytes
    if size != status.st_size:
        os.ftruncate(descriptor, size)
    return size


def _append(descriptor: int, size: int, records: bytes, record_bytes: int) -> None:
    if size + len(records) > MAX_RECORDS * record_bytes:
        raise ProvisioningError(
            "telemetry pool is full",
            path=POOL,
            records=size // record_bytes,
            limit_records=MAX_RECORDS,
            hint="find out which program fills it; a reboot empties it",
        )
    try:
        _write(descriptor, size, records)
    except BaseException:
        # Do this after a signal, too: an incomplete record would shift all later records.
        os.ftruncate(descriptor, size)
        raise


def _replace(descriptor: int, at: int, record: bytes) -> None:
    """Write ``record`` over the one at ``at``. The file itself is not replaced, since the daemon
    would keep its lock on the old file.
    """
    before = os.pread(descriptor, len(record), at)
    try:
        _write(descriptor, at, record)
    except BaseException:
        os.pwrite(descriptor, before, at)
        raise


def _remove(descriptor: int, places: Sequence[int], end: int, record_bytes: int) -> None:
    """Remove the records at ``places``. Later records are copied down one by one, each before its
    old place is overwritten. So a crash may leave one record twice, but loses none.
    """
    kept = places[0]
    for at in range(places[0], end, record_bytes):
        if at not in places:
            os.pwrite(descriptor, os.pread(descriptor, record_bytes, at), kept)
            kept += record_bytes
    os.ftruncate(descriptor, kept)


def _write(descriptor: int, at: int, records: bytes) -> None:
    written = 0
    while written < len(records):
        written += os.pwrite(descriptor, records[written:], at + written)


def _key(record: bytes, key_bytes: int) -> bytes:
    return record[:key_bytes].partition(b"\0")[0]


# -- which boot it is from
# ---------------------------------------------------------------------------------------------


def _is_stale(system: System, changed_s: float) -> bool:
    """Whether the file was last changed before this boot.

    Times are not enough, since some machines start in 1970 and set the clock later. So a mark in
    /run says that lightinit has written in this boot. A file with a time in the future counts as
    written in this boot.
    """
    boot_id = read_boot_id(system)
    if boot_id != UNKNOWN and system.read_text(MARK).strip() == boot_id:
        return False
    began_s = _boot_time(system)
    return began_s > 0 and changed_s < began_s - 1  # /proc/stat has whole seconds


def _boot_time(system: System) -> float:
    """Return the start of this boot in Unix time, according to the current clock; 0 if unknown."""
    for line in system.read_text("/proc/stat").splitlines():
        name, _, value = line.partition(" ")
        began_s = read_digits(value.strip())
        if name == "btime" and began_s is not None:
            return float(began_s)
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
        LOG.debug("the mark of this boot cannot be written: %s", error)  # then times decide


# -- who may change it
# -------------------------------------------------------------------------------------------------


def _check_folders(system: System, folder: str) -> None:
    """Refuse the path if others can change a directory on it: they could replace the file."""
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
        raise _refuse("it is not a regular file")
    if status.st_nlink > 1:
        raise _refuse("it has a second name (a hard link)")
    if status.st_uid not in root_uids(system):
        raise _refuse("it belongs to another user", uid=status.st_uid)


# -- locks
# --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(system: System, path: str) -> Iterator[int]:
    """Open the file and take both locks. A missing file is made."""
    deadline_s = system.clock.monotonic() + LOCK_TIMEOUT_S
    while True:
        descriptor = _open(system, path)
        try:
            # The previous owner of the lock may have removed or replaced the file. Then the locked
            # file is not the one that the daemon reads.
            if _try_locks(descriptor) and _is_still(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)  # this releases both locks
        if system.clock.monotonic() >= deadline_s:
            raise ProvisioningError(
                "telemetry pool is locked",
                path=POOL,
                limit_s=LOCK_TIMEOUT_S,
                hint="find out which program holds the lock: fuser -v %s" % POOL,
            )
        system.clock.sleep(LOCK_PAUSE_S)


def _open(system: System, path: str) -> int:
    try:
        # Check before opening, because opening a device may have side effects.
        _check_file(system, os.lstat(path))
        made = False
    except FileNotFoundError:
        made = True
    descriptor = os.open(path, _FLAGS, 0o644)
    try:
        _check_file(system, os.fstat(descriptor))
        if made:
            os.fchmod(descriptor, 0o644)  # the daemon uses this mode; our umask may be another
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try_locks(descriptor: int) -> bool:
    """Take both locks or neither. So there is no deadlock with a program that takes them in the
    other order.
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
        hint="find out who put it there; hv_kvp_daemon makes a new file when it starts",
    )


def _cannot_write(error: OSError) -> ProvisioningError:
    hint = "check whether %s can be written" % FOLDER
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free some space"
    return ProvisioningError(
        "telemetry pool cannot be written", path=POOL, error=error.strerror or str(error), hint=hint
    )
