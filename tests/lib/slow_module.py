"""A module that takes as long as the slowest custom data, by the clock of the machine."""

from __future__ import annotations

from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings

NAME, FREQUENCY, REQUIRED, SETTINGS = "slow", Frequency.INSTANCE, True, ()
DURATION_S = 600.0


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Wait."""
    system.clock.sleep(DURATION_S)
    return Outcome("slow")
