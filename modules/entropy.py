"""Stir what the hypervisor gives for the purpose into the kernel's random numbers, before the SSH
host keys are made.

VMs made from one image start from the same seed file, so on a first boot they have little that
tells them apart. Hyper-V puts fresh random bytes into the ACPI table OEM0 at each start of a VM.
Linux 6.9 and later take them by themselves and leave the table without content; for older kernels
this module does it, once per instance.

The bytes are written to /dev/urandom, which mixes them in and counts none of them as entropy
(random(4)): were they known to somebody, the pool would be no worse than before. RNDADDENTROPY,
which would count them, is not used: whether a hypervisor is to be trusted so far is the kernel's
own setting. They are never logged, nor kept.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
from typing import Tuple

from lightinit.errors import MalformedError
from lightinit.host.atomic import write_all
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings, Setting

LOG = logging.getLogger("lightinit.entropy")

NAME = "entropy"
FREQUENCY = Frequency.INSTANCE
REQUIRED = False
NEEDS_INSTANCE = False
SETTINGS: Tuple[Setting, ...] = ()

TABLE = "/sys/firmware/acpi/tables/OEM0"
# Hyper-V's table has some hundred; the kernel itself takes no more than 4096.
TABLE_LIMIT_BYTES = 64 * 1024
HEADER_BYTES = 36  # of every ACPI table: signature, length, checksum, names: the same on every VM
POOL = "/dev/urandom"
RNDRESEEDCRNG = 0x5207  # _IO('R', 7) of linux/random.h


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Mix the table into the kernel's pool.

    Args:
        instance: not used.
        system: the machine.
        settings: there are none.

    Returns:
        How many bytes there were. That there are none is no fault: the kernel may have taken them.
    """
    try:
        table = system.read(TABLE, TABLE_LIMIT_BYTES)
    except (OSError, MalformedError) as error:
        LOG.debug("%s: %s", TABLE, getattr(error, "strerror", None) or error)
        return Outcome("no random bytes from the hypervisor", skipped=True)
    if not table[HEADER_BYTES:].strip(b"\0"):
        return Outcome("the kernel has taken the hypervisor's random bytes already", skipped=True)
    if not system.live:
        system.skip("random bytes for the kernel")
        return Outcome(
            "random bytes left alone: the kernel's pool is not this root's", skipped=True
        )
    try:
        reseeded = _mix_in(system.path(POOL), table)
    except OSError as error:
        return Outcome(
            "the hypervisor's random bytes were not used",
            ("%s cannot be written to: %s" % (POOL, error.strerror or error),),
        )
    return Outcome(
        "%d bytes from the hypervisor mixed into the kernel's random numbers%s"
        % (len(table), "" if reseeded else ", which will use them at their next reseeding")
    )


def _mix_in(path: str, data: bytes) -> bool:
    """Write ``data`` to the random device at ``path``; returns whether the generator has used it
    already.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
            raise OSError("it is no device")  # a plain file there would keep what nobody may know
        write_all(descriptor, data)
        try:
            # What is written waits in the pool until the generator is seeded anew, up to a minute
            # later: too late for host keys. Before the kernel has seeded it for the first time this
            # is refused, and that seeding will do.
            fcntl.ioctl(descriptor, RNDRESEEDCRNG)
        except OSError as error:
            LOG.debug("%s: not reseeded: %s", path, error.strerror)
            return False
        return True
    finally:
        os.close(descriptor)
