"""A module of a test: it ends when the file /go is there."""

from __future__ import annotations

import time

from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings

NAME = "waits_for_go"
FREQUENCY = Frequency.INSTANCE
REQUIRED = False


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Make the file /waits, and wait."""
    system.write("/waits", b"")
    while not system.exists("/go"):
        time.sleep(0.02)
    return Outcome("went")
