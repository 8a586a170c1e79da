"""Checks whether Azure's Guest Proxy Agent is ready, if the platform wants it.

The agent signs the requests to IMDS and the WireServer. It is a separate program, which lightinit
neither installs nor starts.
"""

from __future__ import annotations

from typing import Optional

from lightinit.errors import LightinitError
from lightinit.host.clock import Errand
from lightinit.host.command import TOOL_FOLDERS
from lightinit.host.system import System

PROGRAM = "azure-proxy-agent"
# The agent ends by itself after WAIT_S; LIMIT_S is for an agent that hangs.
WAIT_S, LIMIT_S = 120, 130.0


class ProxyAgentCheck(Errand):
    """Asks the agent in a thread, since it may need two minutes.

    Args:
        system: the machine.

    Source: cloud-init, which fails the deployment if the agent is missing or not ready.
    """

    def __init__(self, system: System) -> None:
        super().__init__("lightinit-proxy-agent")
        self._system = system
        self._problem = ""

    def run(self) -> None:
        """Ask."""
        path = self._find()
        if path is None:
            self._problem = "%s is not installed" % PROGRAM
        elif not self._system.live:
            self._system.skip("asking %s whether it is ready" % PROGRAM)
        else:
            try:
                self._system.run_checked([path, "--status", "--wait", str(WAIT_S)], b"", LIMIT_S)
            except LightinitError as error:
                self._problem = "it is not ready: %s" % error

    def problem(self) -> str:
        """Wait for the answer. Returns the problem; "" if there is none."""
        self.await_end()
        return self._problem

    def _find(self) -> Optional[str]:
        if self._system.live:
            return self._system.tool(PROGRAM)
        paths = ["%s/%s" % (folder, PROGRAM) for folder in TOOL_FOLDERS]
        return next((path for path in paths if self._system.exists(path)), None)
