"""Small cloud platforms for tests, benchmarks and demonstrations: Azure with a WireServer and an
IMDS, the metadata services of EC2 and OpenStack, and seeds.

It imports nothing else of lightinit. If agent and emulator shared code, they would share its
mistakes about the protocol. Start at ``Platform``.
"""

from lightinit.emulator.documents.ovf import make_ovf
from lightinit.emulator.errors import EmulatorError, ScenarioError
from lightinit.emulator.host_side.kvp import read_pool
from lightinit.emulator.host_side.media import make_media
from lightinit.emulator.platform import Platform

__all__ = ["EmulatorError", "Platform", "ScenarioError", "make_media", "make_ovf", "read_pool"]
