"""The id of this boot, read below a root."""

from __future__ import annotations

from typing import Any

from lightinit.host.identity import BOOT_ID, UNKNOWN, read_boot_id
from lightinit.host.system import System


def test_the_boot_id_is_the_roots_own(tmp_path: Any) -> None:
    system = System(str(tmp_path))
    host = read_boot_id(system)
    assert host == read_boot_id(System("/")) != UNKNOWN
    system.write(BOOT_ID, b"abc\n")
    assert read_boot_id(system) == "abc"


class WithoutProc(System):
    """This machine with nothing mounted at /proc."""

    def read_text(self, name: str, default: str = "") -> str:
        return default


def test_a_machine_without_proc() -> None:
    assert read_boot_id(WithoutProc()) == UNKNOWN
