"""The Azure platform in miniature: a WireServer and an IMDS for tests, benches and demonstrations.

It imports nothing else of lightinit, on purpose: the agent and its judge must not share a
misreading of the protocol. Start at ``Platform``.
"""

from lightinit.emulator.documents.ovf import make_ovf
from lightinit.emulator.errors import EmulatorError, ScenarioError
from lightinit.emulator.host_side.kvp import read_pool
from lightinit.emulator.host_side.media import make_media
from lightinit.emulator.platform import Platform

__all__ = ["EmulatorError", "Platform", "ScenarioError", "make_media", "make_ovf", "read_pool"]
