"""A run on a machine, as the command begins it."""

from __future__ import annotations

from lightinit import boot
from lightinit.host.system import System
from lightinit.pipeline import Context
from lightinit.registry import load_settings
from lightinit.state import Timeline


def make_context(system: System) -> Context:
    """The context of a new run, with the machine's settings."""
    return boot.make_context(system, load_settings(system), Timeline(system.clock))
