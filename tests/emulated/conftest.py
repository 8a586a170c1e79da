"""Fixtures of several files in this folder."""

from __future__ import annotations

import subprocess
from typing import Any, Iterator, List

import pytest


@pytest.fixture
def mounted(tmp_path: Any) -> Iterator[Any]:
    """Mounts a tmpfs at a directory; unmounted in the end."""
    places: List[str] = []

    def mount(place: str, options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
        places.append(place)

    yield mount
    for place in places[::-1]:
        subprocess.run(["umount", "-l", place], check=True)
