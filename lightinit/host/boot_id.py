"""The kernel's id of this boot: a random UUID that stays the same until the machine restarts."""

from __future__ import annotations

from lightinit.host.system import System

PATH = "/proc/sys/kernel/random/boot_id"
UNKNOWN = "unknown"


def read_boot_id(system: System) -> str:
    """The id of this boot, or :data:`UNKNOWN` if it cannot be read.

    A scratch root may have its own id, so that tests can simulate a restart. Without one, the id is
    that of the running machine.
    """
    text = system.read_text(PATH).strip()
    if not text and not system.live:
        text = System("/").read_text(PATH).strip()
    return text or UNKNOWN
