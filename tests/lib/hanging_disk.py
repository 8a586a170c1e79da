"""A disk that really hangs, made by hanging_disk_server.py in a mount namespace."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from tests.lib import loops
from tests.lib.scratch import HERE

PROGRAM = os.path.join(HERE, "tests", "lib", "hanging_disk_server.py")


class HangingDisk:
    """A disk whose reads are not answered from a byte on."""

    def __init__(self, image: str, hangs_from: int) -> None:
        self._argv = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            sys.executable,
            "-B",
            PROGRAM,
            image,
            str(hangs_from),
        ]

    def __enter__(self) -> str:
        self._process = subprocess.Popen(
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join([HERE, *sys.path])),
        )
        assert self._process.stdout is not None
        self.device = self._process.stdout.readline().strip()
        assert self.device.startswith("/dev/loop")
        return self.device

    def __exit__(self, *_exception: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        loops.detach(self.device)
