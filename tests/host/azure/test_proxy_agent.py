"""The Guest Proxy Agent: what is asked, and what is wrong with it."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.azure.proxy_agent import ProxyAgentCheck
from lightinit.host.system import System


class LiveSystem(System):
    """A live machine with one tool, or none.

    Args:
        path: the tool's.
        error: what running it raises.
    """

    def __init__(self, path: Optional[str], error: Optional[ProvisioningError] = None) -> None:
        super().__init__("/")
        self._path = path
        self._error = error
        self.ran: List[Sequence[str]] = []

    def tool(self, name: str) -> Optional[str]:
        return self._path

    def run_checked(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Any:
        self.ran.append(argv)
        assert timeout_s > float(argv[-1]), "it ends by itself"
        if self._error is not None:
            raise self._error


def problem(system: System) -> str:
    check = ProxyAgentCheck(system)
    check.begin()
    return check.problem()


@pytest.mark.parametrize(
    "error, said",
    [
        (None, ""),
        (
            ProvisioningError("command failed", status=1, said="not latched"),
            "it is not ready: command failed (status=1, said=not latched)",
        ),
    ],
)
def test_one_that_is_there_is_asked(error: Any, said: str) -> None:
    """P3: canonical/cloud-init#5138."""
    system = LiveSystem("/usr/sbin/azure-proxy-agent", error)
    assert problem(system) == said
    assert system.ran == [["/usr/sbin/azure-proxy-agent", "--status", "--wait", "120"]]


def test_one_that_is_not_there() -> None:
    """P3: a warning, and not a VM that is lost."""
    assert problem(LiveSystem(None)) == "azure-proxy-agent is not installed"
