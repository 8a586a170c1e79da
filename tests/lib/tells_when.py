"""A module of a test: it writes down in which state the instance was when it ran."""

from __future__ import annotations

import json

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings, Setting

NAME = "tells_when"
FREQUENCY = Frequency.INSTANCE
REQUIRED = True
SETTINGS = (Setting("fail", "boolean", False, "Whether it fails."),)
HOME = "/var/lib/lightinit/instance"


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Add a line to /ran: whether Ready was accepted, what is in result.json and in status.json."""
    ready = system.exists(HOME + "/sem/stage.final")
    saved = system.read_text(HOME + "/result.json")
    live = json.loads(system.read_text("/run/lightinit/status.json"))
    line = "ready=%s saved=%s status=%s stage=%s\n" % (
        ready,
        bool(saved) and json.loads(saved)["reported"],
        live["status"],
        live["stage"],
    )
    system.write("/ran", (system.read_text("/ran") + line).encode())
    if settings["fail"]:
        raise ProvisioningError("told to fail")
    return Outcome("ran")
