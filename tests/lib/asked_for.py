"""A module of somebody else that runs only where a cloud-config asks for it."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings

NAME = "asked_for"
FREQUENCY = Frequency.INSTANCE
REQUIRED = True
CLOUD_CONFIG = ("snap",)
ASKED = True


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The text to write."""
    return {"text": str(values["snap"])}


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Append to a file what the cloud-config says."""
    before = system.read_text("/asked") or ""
    system.write("/asked", (before + settings["text"] + "\n").encode("utf-8"))
    return Outcome("asked for")
