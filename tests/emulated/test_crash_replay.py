"""What a power cut may leave on the disk, for each moment of a first boot: strace records the boot,
each disk is built, and the next boot from it completes.

Other than tests/emulated/test_crash.py, this knows what is durable when: data that nothing has
synced may be lost although the file has its name. Each disk is checked, and the next boot starts
from a sample of them.
"""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple

import pytest

from lightinit import boot
from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from lightinit.host.system import System
from tests.lib.context import make_context
from tests.lib.cut_disk import CutDisk, Tree, build
from tests.lib.cuts import Cut, Kept, Recorded, is_marked_ready
from tests.lib.lasting import is_lasting, lasting
from tests.lib.scratch import FILES, HERE, Machine
from tests.lib.system_calls import read_calls, strace
from tests.lib.unshared import IN_CI

pytestmark = pytest.mark.long

SAMPLE = 7  # of each recorded boot
BOOT_ID = "/proc/sys/kernel/random/boot_id"
NEXT_BOOT = "22222222-2222-4222-8222-222222222222\n"
MEDIA = make_ovf(
    "azureuser", "web-1", custom_data=b"#!/bin/sh\n", disable_password_authentication=True
)


def record(machine: Machine, out: Path) -> Recorded:
    """Boot a scratch machine for the first time, and record it."""
    if shutil.which("strace") is None:
        assert not IN_CI
        pytest.skip("not installed here: strace")
    before = CutDisk([machine.root])
    argv = [*strace(str(out)), *machine.argv("boot")]
    ended = subprocess.run(
        argv, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert ended.returncode == 0, ended.stdout.decode("utf-8", "replace")
    recorded = Recorded(lambda: copy.deepcopy(before), read_calls(str(out)))
    recorded.check_whole([machine.root], lambda path: False)
    return recorded


def boot_here(machine: Machine) -> None:
    """Boot in a fork of this process, which takes less time than a new interpreter."""
    pid = os.fork()
    if pid == 0:
        ended = ""
        try:
            system = System(machine.root)
            context = make_context(system)
            ended = boot.boot(context)
        finally:
            os._exit(0 if ended in ("done", "degraded done") else 1)
    assert os.waitpid(pid, 0)[1] == 0, machine.read("/var/lib/lightinit/instance/result.json")


class Variant(NamedTuple):
    """What a VM gets.

    Attributes:
        media: the document of its media; empty for none.
        user_data: what IMDS has, in base64.
        settings: in [azure].
    """

    media: bytes
    user_data: str
    settings: str


VARIANTS = {
    "key": Variant(b"", "", ""),
    "media and user data": Variant(MEDIA, "IyEvYmluL3NoCg==", "media = /media\n"),
}


def is_the_hosts(path: str) -> bool:
    """Whether a path is not one of lightinit's own, and is the same after each boot."""
    return is_lasting(path + "/") and "/lightinit/" not in path


def is_done(path: str) -> bool:
    """Whether marks stand for a path. The stamp is written after them."""
    return is_lasting(path) and not path.endswith("/provisioned")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where a sync costs nothing."""
    place = next(filter(os.path.isdir, ["/dev/shm"]), None)
    with tempfile.TemporaryDirectory(prefix="lightinit-", dir=place) as folder:
        yield Path(folder)


def count_readies(platform: Platform, since_s: float) -> int:
    """How many Ready reports came since then, in Unix time. The emulator keeps the last ones."""
    return sum(
        1
        for report in platform.final_reports
        if report["state"] == "Ready" and report["time_s"] >= since_s
    )


def on_disk(machine: Machine) -> Dict[str, str]:
    """What must be the same; without /run, where a boot with nothing to do leaves no mark."""
    found = lasting(machine)
    return {name: found[name] for name in found if not name.startswith("/run/")}


def replay(cut: Cut, first: Machine, root: Path, platform: Platform, expected: Any) -> None:
    """Boot from the disk that a cut has left, and once more."""
    tree = cut.tree
    build(_without_run(tree, first.root), lambda path: str(root) + path[len(first.root) :])
    machine = Machine(root, without=list(FILES))
    machine.put(BOOT_ID, NEXT_BOOT)
    began_s = time.time()
    boot_here(machine)
    assert count_readies(platform, began_s) == (0 if is_marked_ready(tree) else 1), cut.after
    machine.put(BOOT_ID, FILES[BOOT_ID])
    assert on_disk(machine) == expected, cut.after
    began_s = time.time()
    boot_here(machine)
    assert not count_readies(platform, began_s), cut.after


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))
def test_each_disk_that_a_power_cut_leaves_is_made_good(
    memory: Path, capsys: Any, variant: Variant
) -> None:
    instance = {"compute": {"userData": variant.user_data}}
    with Platform(instance=instance) as platform:
        first = Machine(memory / "first")
        first.lead_to(platform)
        first.put("/etc/lightinit/conf.d/20-variant.conf", "[azure]\n" + variant.settings)
        if variant.media:
            first.put("/media/ovf-env.xml", variant.media.decode())
        recorded = record(first, memory / "calls")
        expected = on_disk(first)
        assert platform.ready_count == 1
        began_s = time.monotonic()
        checked = done = 0
        hosts = recorded.list_changed(is_the_hosts)
        kept = Kept(hosts, recorded.list_changed(is_done), hosts + [first.root + n for n in FILES])
        for cut in recorded.cuts(SAMPLE):
            checked += 1
            recorded.check(cut, kept)
            if cut.is_sampled:
                done += 1
                replay(cut, first, memory / "next", platform, expected)
                shutil.rmtree(str(memory / "next"))
    with capsys.disabled():
        print("\n%d of %d disks in %.0f s" % (done, checked, time.monotonic() - began_s))


def _without_run(tree: Tree, root: str) -> Tree:
    """/run is empty after a reboot."""
    return {path: each for path, each in tree.items() if not path.startswith(root + "/run")}
