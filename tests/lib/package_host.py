"""A live machine in a directory, whose package manager is a shell script of the test's."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional

from lightinit.host.clock import Clock
from tests.lib.stand_in import LiveRoot

HEAD = """#!/bin/sh
said=%s
name=${0##*/}
echo "$name $*" >>"$said"
"""


class PackageHost(LiveRoot):
    """A machine that has the programs that a test puts there, and no other.

    Args:
        root: an empty directory.
        clock: None for the true one.
    """

    def __init__(self, root: Path, clock: Optional[Clock] = None) -> None:
        super().__init__(root, clock)
        self._folder = root / "programs"
        self._folder.mkdir(parents=True)
        self._said = root / "called"

    def put(self, name: str, script: str = "", sign: str = "") -> None:
        """Put a program there.

        Args:
            name: its name.
            script: what it does, in shell, after it has noted how it was called.
            sign: a file that shows whose this host's packages are.
        """
        path = self._folder / name
        path.write_text(HEAD % self._said + script)
        path.chmod(0o755)
        if sign:
            self.write(sign, b"x")

    def tool(self, name: str) -> Optional[str]:
        path = self._folder / name
        return str(path) if path.exists() else None

    @property
    def called(self) -> List[str]:
        """How the programs were called, one line each."""
        if not self._said.exists():
            return []
        return self._said.read_text().splitlines()
