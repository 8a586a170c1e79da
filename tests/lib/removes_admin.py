"""A module of somebody else that removes the admin's account again."""

from __future__ import annotations

from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings

NAME = "removes_admin"
FREQUENCY = Frequency.INSTANCE
REQUIRED = True


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Take the admin's line out of passwd."""
    assert instance.admin is not None
    before = system.read_text("/etc/passwd")
    kept = [line for line in before.split("\n") if not line.startswith(instance.admin.name + ":")]
    assert len(kept) == before.count("\n"), "the admin was there"
    system.write("/etc/passwd", "\n".join(kept).encode())
    return Outcome("removed")
