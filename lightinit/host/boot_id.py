"""The kernel's id of this boot: a random UUID that stays the same until the machine restarts."""

from __future__ import annotations

from lightinit.host.system import System

PATH = "/proc/sys/kernel/random/boot_id"
UNKNOWN = "unknown"


def read_boot_id(system: System) -> str:
    """The id of this boot, or :data:`UNKNOWN` if it cannot be read.

    A scratch root may have an id of its own, so that tests can restart it. Without one, it has the
    id of the machine that it is on.
    """
    text = system.read_text(PATH).strip()
    if not text and not system.live:
        text = System("/").read_text(PATH).strip()
    return text or UNKNOWN
