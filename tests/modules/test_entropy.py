"""The module entropy on scratch roots; what it writes to a real device is in tests/real_tools."""

from __future__ import annotations

import os
import stat
from typing import Any

import pytest

from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import entropy

HEADER = b"OEM0" + bytes([100]) + b"VRTUALMICROSFT".ljust(31, b" ")
SECRET = b"ThisIsTheSecret!"


class Live(System):
    """Says that it is live; its devices are plain files."""

    def __init__(self, root: Any) -> None:
        super().__init__(root)
        self.live = True

    def path(self, name: str, follow_last: bool = True) -> str:
        return self.root + name


def apply(system: System) -> Outcome:
    return entropy.apply(Instance("id"), system, {})


@pytest.mark.parametrize(
    "table",
    [None, b"", HEADER, HEADER + bytes(64), HEADER[:10], bytes(64 * 1024 + 1), b"x" * 70000],
)
def test_no_table_with_content_is_no_fault(tmp_path: Any, table: bytes) -> None:
    system = System(tmp_path)
    if table is not None:
        system.write(entropy.TABLE, table)
    outcome = apply(system)
    assert outcome.skipped and not outcome.warnings


def test_a_table_that_cannot_be_read_is_no_fault(tmp_path: Any) -> None:
    os.makedirs(str(tmp_path) + entropy.TABLE)
    assert apply(System(tmp_path)) == Outcome("no random bytes from the hypervisor", skipped=True)
    os.rmdir(str(tmp_path) + entropy.TABLE)
    os.mkfifo(str(tmp_path) + entropy.TABLE)
    assert apply(System(tmp_path)).skipped


def test_a_scratch_root_has_no_pool(tmp_path: Any) -> None:
    system = System(tmp_path)
    system.write(entropy.TABLE, HEADER + SECRET)
    system.write(entropy.POOL, b"")
    assert apply(system).skipped and "random bytes for the kernel" in system.skipped
    assert system.read(entropy.POOL) == b""


@pytest.mark.parametrize("there", ["nothing", "file", "fifo"])
def test_the_bytes_go_to_a_device_and_nowhere_else(tmp_path: Any, caplog: Any, there: str) -> None:
    caplog.set_level("DEBUG")
    system = Live(tmp_path)
    system.write(entropy.TABLE, HEADER + SECRET)
    system.make_dir("/dev")
    if there == "file":
        system.write(entropy.POOL, b"before")
    elif there == "fifo":
        os.mkfifo(str(tmp_path) + entropy.POOL)
    outcome = apply(system)
    assert len(outcome.warnings) == 1 and outcome.warnings[0].startswith(
        "/dev/urandom cannot be written to: "
    )
    assert SECRET.decode() not in caplog.text + str(outcome)
    for name in os.listdir(str(tmp_path) + "/dev"):
        if stat.S_ISREG(os.stat(str(tmp_path) + "/dev/" + name).st_mode):
            assert system.read("/dev/" + name) == b"before"


def test_the_platforms_seed_is_used_without_a_table(tmp_path: Any) -> None:
    system = System(tmp_path)
    instance = Instance("id", raw={"random_seed": "c2VlZA=="})
    assert entropy.apply(instance, system, {}).skipped
    assert system.skipped == ["random bytes for the kernel"]
    for odd in ("?", 3, "c2"):
        found = entropy.apply(Instance("id", raw={"random_seed": odd}), System(tmp_path), {})
        assert found == Outcome("no random bytes from the hypervisor", skipped=True)
