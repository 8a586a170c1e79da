"""The key-value pool's file: locks of real processes, what is not safe to write, what an earlier
boot or a crash left.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import pytest

from lightinit.datasources.azure.reports import report_provisioning
from lightinit.errors import ProvisioningError
from lightinit.formats.azure.kvp import (
    KEY_FIELD_BYTES,
    RECORD_BYTES,
    encode_record,
    encode_records,
    encode_report,
)
from lightinit.host.azure import kvp_pool
from lightinit.host.system import System
from tests.lib.kvp_records import records
from tests.lib.planned_clock import PlannedClock, put
from tests.lib.scratch import HERE, ScriptedClock

POOL = "var/lib/hyperv/.kvp_pool_1"
OLD = encode_record("OLD", "report")
NEW = encode_record("NEW", "report")
BOOT = "/proc/sys/kernel/random/boot_id"
PROCESS = os.path.join(HERE, "tests", "host", "kvp_process.py")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root is needed: files change owners")


def machine(tmp_path: Path, clock: Optional[ScriptedClock] = None) -> System:
    return System(str(tmp_path), clock or ScriptedClock())


def keys(tmp_path: Path) -> List[str]:
    return [key for key, _ in records((tmp_path / POOL).read_bytes())]


def append(system: System, data: bytes = NEW) -> None:
    kvp_pool.append(system, data, RECORD_BYTES)


def other(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, PROCESS] + list(arguments),
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=HERE),
    )


@contextlib.contextmanager
def held(kind: str, path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process holds a lock on the file until the end of the block, or until its input is
    closed.
    """
    process = other("hold", kind, str(path))
    assert process.stdin is not None and process.stdout is not None
    try:
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def test_the_file_is_made_as_the_daemon_makes_it(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        report_provisioning(machine(tmp_path), "result=success|agent=lightinit")
    finally:
        os.umask(umask)
    assert records((tmp_path / POOL).read_bytes()) == [
        ("PROVISIONING_REPORT", "result=success|agent=lightinit")
    ]
    assert stat.S_IMODE((tmp_path / POOL).stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "var/lib/hyperv").stat().st_mode) == 0o755


def test_what_is_there_stays_in_front(tmp_path: Path) -> None:
    put(tmp_path, POOL, OLD)
    append(machine(tmp_path))
    kvp_pool.append(machine(tmp_path), encode_records("event", "é" * 1000), RECORD_BYTES)
    assert keys(tmp_path) == ["OLD", "NEW", "event|0", "event|1"]


# -- one record of a key
# ------------------------------------------------------------------------------------------------

REPORT = "PROVISIONING_REPORT"
FIRST, SECOND = encode_report("result=error"), encode_report("result=success")


@pytest.mark.parametrize(
    "before, after",
    [
        (b"", [REPORT]),
        (OLD, ["OLD", REPORT]),
        (FIRST, [REPORT]),
        (OLD + FIRST + NEW, ["OLD", REPORT, "NEW"]),
        (FIRST + FIRST, [REPORT]),
        (FIRST + OLD + FIRST + NEW + FIRST, [REPORT, "OLD", "NEW"]),
        (FIRST + OLD[:700], [REPORT]),
        (FIRST[:512] + SECOND[:100], [REPORT]),
        (OLD + FIRST[:2000], ["OLD", REPORT]),
        (encode_record(REPORT + "S", "another key") + FIRST, [REPORT + "S", REPORT]),
        (OLD * 1023 + FIRST, ["OLD"] * 1023 + [REPORT]),
        (FIRST * 1024, [REPORT]),
    ],
)
def test_a_report_stands_once_in_the_place_of_an_earlier_one(
    tmp_path: Path, before: bytes, after: List[str]
) -> None:
    """P9: canonical/cloud-init#4434: the host reads the first record of a key."""
    put(tmp_path, POOL, before)
    report_provisioning(machine(tmp_path), "result=success")
    found = records((tmp_path / POOL).read_bytes())
    assert [key for key, _ in found] == after
    assert dict(found)[REPORT] == "result=success"


def test_a_full_pool_without_a_report_of_ours_stays_as_it_is(tmp_path: Path) -> None:
    put(tmp_path, POOL, OLD * 1024)
    with pytest.raises(ProvisioningError, match="telemetry pool is full"):
        report_provisioning(machine(tmp_path), "result=success")
    assert keys(tmp_path) == ["OLD"] * 1024


def test_a_report_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path) -> None:
    """P9: a limit on the size of files ends the write in the middle of the record."""
    put(tmp_path, POOL, OLD + FIRST)
    said = other("put-limited", str(tmp_path), str(2560 + 600)).communicate(timeout=60)[0]
    assert b"telemetry pool cannot be written" in said
    assert records((tmp_path / POOL).read_bytes()) == [
        ("OLD", "report"),
        (REPORT, "result=error"),
    ]


def test_a_key_that_ends_in_rubbish_after_its_nul_is_the_same_key(tmp_path: Path) -> None:
    put(tmp_path, POOL, FIRST[:20] + b"rest of an old key".ljust(492, b"\0") + FIRST[512:])
    kvp_pool.put(machine(tmp_path), SECOND, KEY_FIELD_BYTES)
    assert keys(tmp_path) == [REPORT]


# -- locks
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["flock", "lockf"])
def test_a_lock_that_is_held_for_ever_ends_in_an_error(tmp_path: Path, kind: str) -> None:
    put(tmp_path, POOL, OLD)
    clock = ScriptedClock()
    with held(kind, tmp_path / POOL):
        with pytest.raises(ProvisioningError, match="telemetry pool is locked") as raised:
            append(machine(tmp_path, clock))
    assert sum(clock.sleeps) == pytest.approx(
        kvp_pool.LOCK_TIMEOUT_S, abs=2 * kvp_pool.LOCK_PAUSE_S
    )
    assert "fuser" in raised.value.details["hint"]
    assert keys(tmp_path) == ["OLD"]


@pytest.mark.parametrize("kind", ["flock", "lockf"])
def test_a_lock_that_is_given_back_is_waited_for(tmp_path: Path, kind: str) -> None:
    put(tmp_path, POOL, OLD)
    with held(kind, tmp_path / POOL) as process:

        def give_back() -> None:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()

        append(machine(tmp_path, PlannedClock((2.0, give_back))))
    assert keys(tmp_path) == ["OLD", "NEW"]


@pytest.mark.parametrize("kind", ["flock", "lockf"])
def test_both_locks_are_given_back(tmp_path: Path, kind: str) -> None:
    append(machine(tmp_path))
    with held(kind, tmp_path / POOL):
        pass  # it would not say "held"


def test_the_one_lock_is_not_kept_while_the_other_is_waited_for(tmp_path: Path) -> None:
    """Whoever takes them in the other order would wait for us, and we for him."""
    put(tmp_path, POOL, OLD)
    seen = []
    with held("lockf", tmp_path / POOL) as process:

        def take_the_other() -> None:
            with held("flock", tmp_path / POOL):
                seen.append("taken")
            assert process.stdin is not None
            process.stdin.close()
            process.wait()

        append(machine(tmp_path, PlannedClock((1.0, take_the_other))))
    assert seen == ["taken"] and keys(tmp_path) == ["OLD", "NEW"]


def test_a_file_that_is_replaced_while_its_lock_is_waited_for(tmp_path: Path) -> None:
    put(tmp_path, POOL, OLD)
    with held("flock", tmp_path / POOL) as process:

        def replace_it() -> None:
            put(tmp_path, POOL + ".new", b"")
            os.replace(str(tmp_path / POOL) + ".new", str(tmp_path / POOL))
            assert process.stdin is not None
            process.stdin.close()
            process.wait()

        append(machine(tmp_path, PlannedClock((1.0, replace_it))))
    assert keys(tmp_path) == ["NEW"]


def test_many_at_once_tear_nothing(tmp_path: Path) -> None:
    writers = [other("append", str(tmp_path), str(100 * number), "25") for number in range(6)]
    assert [writer.wait(120) for writer in writers] == [0] * 6
    seen = records((tmp_path / POOL).read_bytes())
    assert sorted(seen) == sorted(
        ("key-%d" % number, "value-%d" % number)
        for first in range(0, 600, 100)
        for number in range(first, first + 25)
    )


# -- not safe
# --------------------------------------------------------------------------------------------------


def as_link(path: Path) -> None:
    path.with_name("elsewhere").write_bytes(b"precious")
    path.symlink_to("elsewhere")


def as_dangling_link(path: Path) -> None:
    path.symlink_to("elsewhere")


def as_fifo(path: Path) -> None:
    os.mkfifo(str(path))


def as_hard_link(path: Path) -> None:
    path.with_name("elsewhere").write_bytes(b"precious")
    os.link(str(path.with_name("elsewhere")), str(path))


def as_directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    "make, why",
    [
        (as_link, "symbolic link"),
        (as_dangling_link, "symbolic link"),
        (as_fifo, "not a regular file"),
        (as_hard_link, "hard link"),
        (as_directory, "not a regular file"),
    ],
)
def test_what_is_no_plain_file_is_not_written(tmp_path: Path, make: Any, why: str) -> None:
    path = tmp_path / POOL
    path.parent.mkdir(parents=True)
    make(path)
    with pytest.raises(ProvisioningError, match="telemetry pool is not safe to write") as raised:
        append(machine(tmp_path))
    assert why in raised.value.details["why"]
    elsewhere = path.with_name("elsewhere")
    assert not elsewhere.exists() or elsewhere.read_bytes() == b"precious"


@needs_root
def test_a_device_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / POOL
    path.parent.mkdir(parents=True)
    os.mknod(str(path), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    with pytest.raises(ProvisioningError, match="not a regular file"):
        append(machine(tmp_path))


@needs_root
@pytest.mark.parametrize(
    "which, why",
    [
        (POOL, "it belongs to another user"),
        ("var/lib/hyperv", "the directory belongs to another user"),
        ("var", "the directory belongs to another user"),
    ],
)
def test_what_is_somebody_elses_is_not_written(tmp_path: Path, which: str, why: str) -> None:
    put(tmp_path, POOL, OLD)
    os.chown(str(tmp_path / which), 65534, 65534)
    with pytest.raises(ProvisioningError, match=why):
        append(machine(tmp_path))
    assert keys(tmp_path) == ["OLD"]


@pytest.mark.parametrize(
    "mode, fine", [(0o777, False), (0o757, False), (0o1777, True), (0o755, True), (0o700, True)]
)
def test_a_directory_that_others_may_write_to(tmp_path: Path, mode: int, fine: bool) -> None:
    put(tmp_path, POOL, OLD)
    (tmp_path / "var/lib").chmod(mode)
    if fine:
        append(machine(tmp_path))
    else:
        with pytest.raises(ProvisioningError, match="others may write to the directory"):
            append(machine(tmp_path))
    assert keys(tmp_path) == (["OLD", "NEW"] if fine else ["OLD"])


def test_a_link_of_roots_on_the_way_is_followed_inside_the_root(tmp_path: Path) -> None:
    (tmp_path / "data/lib").mkdir(parents=True)
    (tmp_path / "var").mkdir()
    (tmp_path / "var/lib").symlink_to("/data/lib")
    append(machine(tmp_path))
    assert records((tmp_path / "data/lib/hyperv/.kvp_pool_1").read_bytes())[0][0] == "NEW"


# -- full
# --------------------------------------------------------------------------------------------------


def test_a_pool_with_as_many_records_as_the_host_reads(tmp_path: Path) -> None:
    put(tmp_path, POOL, OLD * 1023)
    append(machine(tmp_path))
    for data in (NEW, NEW * 2):
        with pytest.raises(ProvisioningError, match="telemetry pool is full"):
            append(machine(tmp_path), data)
    assert (tmp_path / POOL).read_bytes() == OLD * 1023 + NEW


@pytest.mark.parametrize("limit", [2560 + 1, 2560 * 2, 2560 * 3 - 1])
def test_nothing_half_written_stays_where_there_is_no_room(tmp_path: Path, limit: int) -> None:
    put(tmp_path, POOL, OLD)
    process = other("append-limited", str(tmp_path), str(limit))
    said = process.communicate(timeout=60)[0].decode()
    assert "telemetry pool cannot be written" in said and "File too large" in said
    assert keys(tmp_path) == ["OLD"]


@needs_root
def test_a_full_disk(tmp_path: Path) -> None:
    """On a file system of 8 KiB, in a mount namespace of its own: there is room for one record
    more, and not for two.
    """
    facts = {"root": tmp_path, "pool": POOL, "python": sys.executable, "process": PROCESS}
    script = (
        "mount -t tmpfs -o size=8k none %(root)s && mkdir -p %(root)s/var/lib/hyperv && cat"
        " >%(root)s/%(pool)s && %(python)s %(process)s append-limited %(root)s 1000000000 && wc -c"
        " <%(root)s/%(pool)s" % facts
    )
    ended = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        input=OLD * 2,
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=HERE),
        timeout=60,
        check=True,
    )
    said, size = ended.stdout.decode().strip().split("\n")
    assert (
        "telemetry pool cannot be written" in said
        and "No space left on device" in said
        and "free some space" in said
    )
    assert int(size) == len(OLD) * 2


# -- what was there before
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [1, 511, 2559])
def test_half_a_record_at_the_end_is_cut_off(tmp_path: Path, tail: int) -> None:
    put(tmp_path, POOL, OLD + OLD[:tail])
    append(machine(tmp_path))
    assert keys(tmp_path) == ["OLD", "NEW"]


NOW_S = ScriptedClock().time()
STAT = "cpu 1 2 3\nbtime %d\nprocesses 7\n"


@pytest.mark.parametrize(
    "files, changed_s, stale",
    [
        ({"proc/stat": STAT % (NOW_S - 60)}, NOW_S - 3600, True),
        ({"proc/stat": STAT % (NOW_S - 60)}, NOW_S - 62, True),
        ({"proc/stat": STAT % (NOW_S - 60)}, NOW_S - 60.5, False),  # btime is cut to whole seconds
        ({"proc/stat": STAT % (NOW_S - 60)}, NOW_S - 10, False),
        (
            {"proc/stat": STAT % (NOW_S - 60)},
            NOW_S + 86400 * 400,
            False,
        ),  # a time ahead says nothing
        ({"proc/uptime": "60.25 100.00\n"}, NOW_S - 3600, True),
        ({"proc/uptime": "60.25 100.00\n"}, NOW_S - 10, False),
        ({"proc/stat": "cpu 1\n", "proc/uptime": "60.25 1\n"}, NOW_S - 3600, True),
        ({"proc/stat": "btime x\n", "proc/uptime": "soon\n"}, NOW_S - 3600, False),
        ({}, NOW_S - 3600, False),
    ],
)
def test_what_an_earlier_boot_left_goes(
    tmp_path: Path, files: Dict[str, str], changed_s: float, stale: bool
) -> None:
    for name, text in files.items():
        put(tmp_path, name, text.encode())
    put(tmp_path, POOL, OLD * 3, changed_s)
    append(machine(tmp_path))
    assert keys(tmp_path) == ([] if stale else ["OLD"] * 3) + ["NEW"]


def test_a_clock_that_is_set_loses_nothing_of_this_boot(tmp_path: Path) -> None:
    put(tmp_path, BOOT, b"11111111-1111-4111-8111-111111111111\n")
    append(machine(tmp_path), OLD)
    os.utime(str(tmp_path / POOL), (100.0, 100.0))  # written while the clock was in 1970
    put(tmp_path, "proc/stat", (STAT % (NOW_S - 60)).encode())
    append(machine(tmp_path))
    assert keys(tmp_path) == ["OLD", "NEW"]
    put(tmp_path, BOOT, b"22222222-2222-4222-8222-222222222222\n")
    os.utime(str(tmp_path / POOL), (100.0, 100.0))
    append(machine(tmp_path))
    assert keys(tmp_path) == ["NEW"]


def test_a_full_pool_of_an_earlier_boot_is_no_obstacle(tmp_path: Path) -> None:
    put(tmp_path, "proc/stat", (STAT % (NOW_S - 60)).encode())
    put(tmp_path, POOL, OLD * 1024, NOW_S - 3600)
    append(machine(tmp_path))
    assert keys(tmp_path) == ["NEW"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    put(tmp_path, "var/lib", b"a file")
    with pytest.raises(ProvisioningError, match="telemetry pool cannot be written"):
        append(machine(tmp_path))
