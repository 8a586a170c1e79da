"""The lock: one at a time, let go of by the kernel, and no obstacle where it cannot be."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from typing import Any

import pytest

from lightinit.errors import EXIT_LOCKED, RefusedError
from lightinit.host.files.lock import Lock, is_held
from lightinit.host.system import System
from tests.lib.scratch import HERE, ScriptedClock

NAME = "/run/lightinit/lock"


def test_only_one_holds_it(tmp_path: Any) -> None:
    system = System(str(tmp_path))
    first, second = Lock(system, NAME), Lock(system, NAME)
    assert not is_held(system, NAME)
    first.take("boot")
    assert is_held(system, NAME)
    with pytest.raises(RefusedError) as refused:
        second.take("clean")
    assert refused.value.exit_code == EXIT_LOCKED
    assert refused.value.details["holder"] == "pid %d: boot" % os.getpid()
    first.release()
    assert not is_held(system, NAME)
    second.take("clean")
    second.release()


@pytest.mark.parametrize("sleeps", [1, 50, 10000], ids=["a moment", "long", "for ever"])
def test_whoever_only_reads_it_stops_no_boot(tmp_path: Any, caplog: Any, sleeps: int) -> None:
    """`lightinit status` may lose the processor while it looks whether the lock is free."""
    os.makedirs(str(tmp_path) + "/run/lightinit")
    with open(str(tmp_path) + NAME, "w", encoding="ascii") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)

        class LetsGo(ScriptedClock):
            def sleep(self, duration_s: float) -> None:
                super().sleep(duration_s)
                if len(self.sleeps) == sleeps:
                    fcntl.flock(reader, fcntl.LOCK_UN)

        system = System(str(tmp_path), LetsGo())
        lock = Lock(system, NAME)
        lock.take("boot")
        assert ("without a lock" in caplog.text) == (sleeps == 10000)
        assert is_held(system, NAME) == (sleeps != 10000)
        lock.release()


def test_the_kernel_lets_go_when_its_holder_dies(tmp_path: Any) -> None:
    system = System(str(tmp_path))
    code = (
        "import sys, time; sys.path.insert(0, %r)\nfrom lightinit.host.files.lock import Lock\nfrom"
        " lightinit.host.system import System\nLock(System(sys.argv[1]), %r).take('x')\nlock ="
        " Lock(System(sys.argv[1] + '/b'), %r); lock.take('x'); print('held', flush=True);"
        " time.sleep(60)" % (HERE, NAME, NAME)
    )
    os.mkdir(str(tmp_path) + "/b")
    inner = System(str(tmp_path) + "/b")
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    assert is_held(inner, NAME)
    process.kill()
    process.wait()
    process.stdout.close()
    assert not is_held(inner, NAME) and not is_held(system, NAME)
    Lock(inner, NAME).take("y")


def test_a_link_in_its_place_is_not_followed(tmp_path: Any) -> None:
    system = System(str(tmp_path))
    os.makedirs(str(tmp_path) + "/run/lightinit")
    (tmp_path / "precious").write_text("keep")
    os.symlink(str(tmp_path / "precious"), str(tmp_path) + NAME)
    # Inside a scratch root the link's target is looked up below the root, so it is another file.
    try:
        Lock(system, NAME).take("boot")
    except RefusedError:
        pass
    assert (tmp_path / "precious").read_text() == "keep"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do all")
def test_somebody_elses_place_is_refused(tmp_path: Any) -> None:
    os.chmod(str(tmp_path), 0o500)
    with pytest.raises(RefusedError) as refused:
        Lock(System(str(tmp_path)), NAME).take("boot")
    assert refused.value.exit_code == 77
