"""Mixes the hypervisor's random bytes into the kernel's random number generator, before the SSH
host keys are made.

All VMs of one image start with the same seed file, so their first boots have little entropy of
their own. Hyper-V puts fresh random bytes into the ACPI table OEM0 at each start of a VM. Linux 6.9
and later use them and empty the table. For older kernels this module uses them, once per instance.

The bytes are written to /dev/urandom, which mixes them in without counting them as entropy
(random(4)). So they do no harm, even if somebody knows them. RNDADDENTROPY would count them; it is
not used, because a kernel setting decides whether the hypervisor is trusted. The bytes are never
logged or stored.
"""

from __future__ import annotations

import binascii
import fcntl
import logging
import os
import stat
from typing import Tuple

from lightinit.errors import MalformedError
from lightinit.host.atomic import write_all
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.entropy")


TABLE = "/sys/firmware/acpi/tables/OEM0"
# Hyper-V's table has some hundred bytes; the kernel accepts 4096 at most.
TABLE_LIMIT_BYTES = 64 * 1024
HEADER_BYTES = 36  # of every ACPI table: signature, length, checksum and names
POOL = "/dev/urandom"
RNDRESEEDCRNG = 0x5207  # _IO('R', 7) of linux/random.h


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Mix the table into the kernel's pool.

    Args:
        instance: its random seed, which OpenStack gives, is mixed in, too.
        system: the machine.
        settings: there are none.

    Returns:
        The number of bytes. If there are none, that is not an error: the kernel may have used them.
    """
    table, why_not = _read_table(system)
    seed = _seed_of(instance)
    if not table and not seed:
        return Outcome(why_not, skipped=True)
    if not system.live:
        system.skip("random bytes for the kernel")
        return Outcome(
            "random bytes not used: a scratch root has no kernel of its own", skipped=True
        )
    try:
        reseeded = _mix_in(system.path(POOL), table + seed)
    except OSError as error:
        return Outcome(
            "the hypervisor's random bytes were not used",
            ("%s cannot be written to: %s" % (POOL, error.strerror or error),),
        )
    message = "%d bytes from the hypervisor" % (len(table) + len(seed))
    message += " mixed into the kernel's random numbers"
    if not reseeded:
        message += ", and will be used at the next reseeding"
    return Outcome(message)


def _read_table(system: System) -> Tuple[bytes, str]:
    """(the table, why there is none)."""
    try:
        table = system.read(TABLE, TABLE_LIMIT_BYTES)
    except (OSError, MalformedError) as error:
        LOG.debug("%s: %s", TABLE, getattr(error, "strerror", None) or error)
        return b"", "no random bytes from the hypervisor"
    if not table[HEADER_BYTES:].strip(b"\0"):
        return b"", "the kernel has already used the hypervisor's random bytes"
    return table, ""


def _seed_of(instance: Instance) -> bytes:
    """The random bytes that the platform gave with the metadata."""
    seed = instance.raw.get("random_seed")
    if not isinstance(seed, str):
        return b""
    try:
        return binascii.a2b_base64(seed.encode("ascii", "replace"))
    except binascii.Error:
        return b""


def begin(system: System, settings: ModuleSettings) -> None:
    """Mix the table in before host keys are begun. :func:`apply` does it again, and says so.

    Args:
        system: the machine.
        settings: there are none.
    """
    if system.live:
        apply(Instance(""), system, settings)


def _mix_in(path: str, data: bytes) -> bool:
    """Write ``data`` to the random device at ``path``. Return whether the generator already uses
    them.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
            raise OSError("it is not a device")  # a plain file would keep the secret bytes
        write_all(descriptor, data)
        try:
            # The bytes stay in the pool until the generator is reseeded, up to a minute later. That
            # is too late for host keys, so reseed now. Before its first seeding the kernel refuses
            # this; the first seeding then uses the bytes.
            fcntl.ioctl(descriptor, RNDRESEEDCRNG)
        except OSError as error:
            LOG.debug("%s: not reseeded: %s", path, error.strerror)
            return False
        return True
    finally:
        os.close(descriptor)
