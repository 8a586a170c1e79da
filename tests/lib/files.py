"""Files in a scratch root, for tests that look at content and mode."""

from __future__ import annotations

import os
import stat
from typing import Any


def put(root: Any, name: str, data: bytes = b"x", mode: int = 0o644) -> str:
    """Write a file below a scratch root; returns where it is."""
    path = str(root) + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as handle:
        handle.write(data)
    os.chmod(path, mode)
    return path


def get(path: str) -> bytes:
    """The content of a file."""
    with open(path, "rb") as handle:
        return handle.read()


def mode_of(path: str) -> int:
    """The permission bits of a file or link."""
    return stat.S_IMODE(os.lstat(path).st_mode)
