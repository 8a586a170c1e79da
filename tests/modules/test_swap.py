"""The swap file of a cloud-config, with stand-ins for the tools. Real ones are in
tests/real_tools.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightinit.errors import ProvisioningError
from lightinit.formats.disks.swap_size import GIB, read_memory_bytes, suggest_size
from lightinit.host.system import Completed, System
from lightinit.model import Instance, Outcome
from lightinit.modules import swap
from tests.lib.stand_in import StandIn

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root is needed: files change owners")
MIB = 2**20
LINE = "/swap.img none swap sw,nofail 0 0 # lightinit swap\n"
MOUNT = "20 1 8:1 / / rw - %s /dev/sda1 rw\n"


def apply(system: System, **values: Any) -> Outcome:
    return swap.apply(Instance("id"), system, swap.from_cloud_config({"swap": values}))


def machine(root: Any, kind: str = "ext4", tools: Any = ("mkswap", "swapon")) -> StandIn:
    system = StandIn(root, tools)
    system.write("/proc/self/mountinfo", (MOUNT % kind).encode())
    system.write("/proc/meminfo", b"MemTotal:        8192 kB\n")
    system.write("/etc/fstab", b"a / b c")
    return system


def test_it_is_made_and_written_into_fstab(tmp_path: Any) -> None:
    system = machine(tmp_path)
    assert apply(system, size="2M").message == "2 MiB of swap in /swap.img"
    assert system.runs == ["/sbin/mkswap /.swap.img.lightinit-new", "/sbin/swapon /swap.img"]
    status = (tmp_path / "swap.img").stat()
    assert status.st_size == 2 * MIB and status.st_mode & 0o7777 == 0o600
    assert system.read_text("/etc/fstab") == "a / b c\n" + LINE


def test_auto_takes_the_memorys_size(tmp_path: Any) -> None:
    system = machine(tmp_path)
    assert apply(system, filename="/a/b/swap", size="auto").message.startswith("8 MiB of swap")
    assert apply(system, filename="/c", size="auto", maxsize="3M").message.startswith("3 MiB")


def test_what_is_in_use_stays(tmp_path: Any) -> None:
    system = machine(tmp_path)
    system.write("/proc/swaps", b"Filename\tType\tSize\n/swap.img file 4 0 -2\n")
    assert apply(system, size="2M") == Outcome("the swap file /swap.img is in use")
    assert system.runs == [] and not system.exists("/swap.img")


def test_a_swap_file_that_is_there_is_used(tmp_path: Any) -> None:
    """A power cut came before the line in fstab."""
    system = machine(tmp_path)
    system.write("/swap.img", bytes(4086) + b"SWAPSPACE2" + bytes(2 * MIB - 4096), 0o600)
    apply(system, size="2M")
    assert system.runs == ["/sbin/swapon /swap.img"]
    assert LINE in system.read_text("/etc/fstab")


@pytest.mark.parametrize("content", [b"", b"key", bytes(8192)])
def test_a_file_that_is_something_else_stays(tmp_path: Any, content: bytes) -> None:
    system = machine(tmp_path)
    system.write("/root/id", content, 0o600)
    with pytest.raises(ProvisioningError, match="something else is there"):
        apply(system, filename="/root/id", size="1M")
    assert system.read("/root/id") == content and system.read("/etc/fstab") == b"a / b c"


@pytest.mark.parametrize(
    "values, why",
    [
        ({"filename": "/proc/x", "size": "2M"}, "it is below /proc"),
        ({"filename": "/", "size": "2M"}, "not a plain absolute path"),
        ({"size": "900T"}, "MiB are free, which is not enough"),
        ({"size": 512}, "less than 1 MiB is wanted"),
        ({"filename": "/open/swap", "size": "2M"}, "users other than root may change /open"),
    ],
)
def test_what_is_refused(tmp_path: Any, values: Any, why: str) -> None:
    system = machine(tmp_path)
    system.make_dir("/open", 0o777)
    with pytest.raises(ProvisioningError, match=why):
        apply(system, **values)
    assert system.runs == [] and system.read("/etc/fstab") == b"a / b c"


@pytest.mark.parametrize("kind", ["zfs", "tmpfs", "overlay", "nfs4", "fuse.sshfs"])
def test_a_file_system_that_cannot_have_one(tmp_path: Any, kind: str) -> None:
    with pytest.raises(ProvisioningError, match="of type " + kind):
        apply(machine(tmp_path, kind), size="2M")


def test_a_tool_that_fails_leaves_nothing_behind(tmp_path: Any) -> None:
    system = machine(tmp_path, "f2fs")
    system.ended = Completed(1, "", "swapon: no\n")
    with pytest.raises(ProvisioningError, match="mkswap: swapon: no"):
        apply(system, size="1M")
    assert os.listdir(str(tmp_path)).count("swap.img") == 0 and "swap" not in str(
        system.read("/etc/fstab")
    )


def test_none_and_a_scratch_root(tmp_path: Any) -> None:
    system = System(tmp_path)
    assert apply(system, size=0).skipped and apply(system, size="1M").skipped
    assert system.skipped == ["swap"]


@pytest.mark.parametrize(
    "memory, free, maximum, expected",
    [
        (2 * GIB, 100 * GIB, None, 2 * GIB),
        (2 * GIB, 4 * GIB, None, GIB),
        (8 * GIB, 100 * GIB, None, 4 * GIB),
        (64 * GIB, 900 * GIB, None, 8 * GIB),
        (8 * GIB, 100 * GIB, 10 * MIB, 10 * MIB),
        (8 * GIB, GIB, 2 * GIB, GIB * 9 // 10),
        (8 * GIB, 0, None, 0),
    ],
)
def test_size_auto(memory: int, free: int, maximum: Any, expected: int) -> None:
    assert suggest_size(memory, free, maximum) == expected


def test_meminfo() -> None:
    assert read_memory_bytes("A: 1 kB\nMemTotal:  16 kB\n") == 16384
    assert read_memory_bytes("") is None
