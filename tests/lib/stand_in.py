"""A scratch root that says that it is live, and whose tools do as a test tells them."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

from lightinit.host.clock import Clock
from lightinit.host.system import Completed, System


class LiveRoot(System):
    """A directory that says that it is a live machine: commands are run, and paths are looked up
    below it.

    Args:
        root: the directory.
        clock: None for the true one.
    """

    def __init__(self, root: Any, clock: Optional[Clock] = None) -> None:
        super().__init__(str(root), clock)
        self._scratch = System(str(root))
        self.live = True

    def path(self, name: str, follow_last: bool = True) -> str:
        return self._scratch.path(name, follow_last)


class StandIn(LiveRoot):
    """A live machine in a directory.

    Args:
        root: the directory.
        tools: the names of the tools that are installed.
        ended: how each of them ends.

    Attributes:
        runs: the commands that were run, without the standard input.
    """

    def __init__(
        self, root: Any, tools: Sequence[str] = (), ended: Optional[Completed] = None
    ) -> None:
        super().__init__(root)
        self.tools, self.ended = tools, ended or Completed(0, "", "")
        self.runs: List[str] = []

    def tool(self, name: str) -> Optional[str]:
        return "/sbin/" + name if name in self.tools else None

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        self.runs.append(" ".join(argv))
        return self.ended
