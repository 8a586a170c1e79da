"""Fixtures of several folders below this one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Iterator

import pytest


@pytest.fixture
def short_root() -> Iterator[Path]:
    """An empty directory with a short name, since the path of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="li", dir="/tmp") as folder:
        yield Path(folder)
