"""Scripts run for real, by this machine's own shell: output, limits, what they leave behind. None
changes anything.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from lightinit.host.scripts import run as scripts
from lightinit.host.scripts.run import Ended, Lines, make_environment
from lightinit.host.system import System
from tests.lib.netns import wait_until
from tests.lib.scratch import HERE
from tests.lib.scripts import (
    PIPELINE,
    PRINTS_LATER,
    ReachedClock,
    Seen,
    check_prints_later,
    is_alive,
    run,
)


def test_lines_come_while_it_runs(tmp_path: Path) -> None:
    """The script waits for what only a line of its own sets off."""
    told: List[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if line == "ready":
            (tmp_path / "go").write_text("")

    path = tmp_path / "script"
    path.write_text(
        "#!/bin/sh\necho ready\nwhile [ ! -e %s/go ]; do sleep 0.05; done\necho on\necho bad >&2\n"
        % tmp_path
    )
    path.chmod(0o700)
    ended = scripts.run_script(System(str(tmp_path)), [str(path)], {}, 60.0, "test", tell)
    assert ended == Ended(0, False) and told == ["ready", "on", "bad"]


@pytest.mark.parametrize(
    "text, status",
    [
        ("exit 0", 0),
        ("exit 3", 3),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
        ("kill -KILL $PPID", 137),
        ("/nowhere", 127),
    ],
)
def test_its_exit_status(tmp_path: Path, text: str, status: int) -> None:
    ended = run(tmp_path, text)
    assert (ended.status, ended.timed_out) == (status, False)


def test_its_surroundings_are_fixed(tmp_path: Path) -> None:
    os.environ["LIGHTINIT_TEST_LEAK"] = "leak"
    umask = os.umask(0o077)
    try:
        text = "env | sort\npwd\numask\ncat\ncut -d ' ' -f 6 /proc/$$/stat\necho $PPID\n"
        told = run(tmp_path, text, environment={"MORE": "yes"}).lines
    finally:
        os.umask(umask)
        del os.environ["LIGHTINIT_TEST_LEAK"]
    session, parent = told[-2:]
    assert session == parent != str(os.getpid())  # a session of its own
    assert told[-4:-2] == ("/", "0022")
    names = {line.partition("=")[0]: line.partition("=")[2] for line in told[:-4]}
    assert {key: names[key] for key in ("HOME", "USER", "MORE")} == {
        "HOME": "/root",
        "USER": "root",
        "MORE": "yes",
    }
    assert set(names) <= {
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "MORE",
        "PATH",
        "SHELL",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    }
    assert names["PATH"].startswith("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")


@pytest.mark.parametrize(
    "files, lang",
    [
        ({}, "C.UTF-8"),
        ({"locale.conf": "LANG=de_DE.UTF-8\n"}, "de_DE.UTF-8"),
        ({"default/locale": '# x\nLANG="en_US.UTF-8"\nLC_TIME=C\n'}, "en_US.UTF-8"),
        ({"default/locale": "LANG=a\n", "locale.conf": "LANG=b\n"}, "b"),
        ({"locale.conf": "LANG=\n#LANG=x\nLANG=$(reboot)\n"}, "C.UTF-8"),
    ],
)
def test_its_locale_is_that_of_the_host(tmp_path: Path, files: Dict[str, str], lang: str) -> None:
    """With C, packages such as PostgreSQL's would set up databases that are not in UTF-8."""
    system = System(str(tmp_path))
    for name, text in files.items():
        system.write("/etc/" + name, text.encode())
    system.make_dir("/usr/pkg/bin")
    found = make_environment(system)
    assert found["LANG"] == lang and found["PATH"].endswith(":/snap/bin:/usr/pkg/bin")


def test_at_its_limit_all_of_it_is_killed(tmp_path: Path) -> None:
    text = (
        "trap '' TERM HUP\n(trap '' TERM; echo $$ >self; >ready; exec sleep 1000) &\necho $! >child"
        "\necho last\n>up\nsleep 1000\n"
    )
    text = "cd %s\n" % tmp_path + text
    clock = ReachedClock(tmp_path / "ready", tmp_path / "up", step_s=40.0)
    ended = run(tmp_path, text, 60.0, system=System(str(tmp_path), clock))
    assert ended == Seen(137, True, ("last",))
    wait_until(
        lambda: not is_alive(int((tmp_path / "child").read_text())), 60.0, "its child is alive"
    )
    wait_until(
        lambda: not is_alive(int((tmp_path / "self").read_text())), 60.0, "its child is alive"
    )


def test_a_limit_that_is_used_up(tmp_path: Path) -> None:
    assert run(tmp_path, "sleep 1000\n", timeout_s=0.0).timed_out


def test_a_child_in_the_background_keeps_nobody_waiting(tmp_path: Path) -> None:
    """It has the output open, and goes on living."""
    ended = run(
        tmp_path, "echo begun\nsleep 1000 &\necho $! >%s/child\n" % tmp_path, timeout_s=600.0
    )
    child = int((tmp_path / "child").read_text())
    try:
        assert ended == Seen(0, False, ("begun",)) and is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_child_in_the_background_that_never_stops_talking(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        "(while :; do echo x; sleep 0.02; done) &\necho $! >%s/child\n" % tmp_path,
        timeout_s=600.0,
    )
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)
    assert (ended.status, ended.timed_out) == (0, False)


def test_a_script_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    ended = run(tmp_path, "echo last\nexec >/dev/null 2>&1\nsleep 0.5\nexit 4\n")
    assert ended == Seen(4, False, ("last",))
    assert run(tmp_path, "exec >/dev/null 2>&1\nsleep 1000\n", timeout_s=1.0).timed_out


def test_too_much_output_is_read_and_left_out(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        "yes 0123456789abcdef | head -c 5000000\necho; echo end; echo end >%s/end\n" % tmp_path,
    )
    assert ended.status == 0 and (tmp_path / "end").read_text() == "end\n", "all of it was read"
    assert 900000 < sum(len(line) + 1 for line in ended.lines) < 1100000
    assert ended.lines[-1] == "(more than 1048576 bytes: the rest is left out)"


class Unopened(bytes):
    """Output that nobody may take apart."""

    def split(self, *_: Any) -> Any:
        raise AssertionError("it is split")


def test_what_comes_after_too_much_is_not_even_looked_at() -> None:
    """A script that prints a lot must not wait for somebody who takes each of its lines apart only
    to drop it.
    """
    told: List[str] = []
    lines = Lines(told.append)
    lines.feed(b"x" * 99 + b"\n" + b"y" * 99 + b"\nthis line has no end")
    with pytest.raises(AssertionError):
        lines.feed(Unopened(b"\n"))
    for _ in range(200):
        lines.feed((b"z" * 99 + b"\n") * 100)
    lines.feed(Unopened(b"z\n" * 100))
    lines.end()
    assert (
        told[-1] == "(more than 1048576 bytes: the rest is left out)" and told.count(told[-1]) == 1
    )
    assert told[:2] == ["x" * 99, "y" * 99] and 10000 < len(told) < 11000


def test_a_line_without_an_end_and_control_characters(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        r"printf '\033[2Jred\001\r\n\377\303\244 \n\n'; head -c 3000000 /dev/zero | tr '\0' x",
    ).lines
    assert told == ("\\x1b[2Jred\\x01", "\ufffd\u00e4 ", "", "x" * 2048 + "...")


@pytest.mark.parametrize("sizes", [[1], [2, 1], [5000]])
def test_lines_however_they_are_cut(sizes: List[int]) -> None:
    told: List[str] = []
    lines = Lines(told.append)
    data = ("ä" * 100 + "\n" + "b\r\n\n" + "c" * 2049 + "\nend").encode()
    at = 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        lines.feed(data[at : at + size])
        at += size
    lines.end()
    lines.end()
    assert told == ["ä" * 100, "b", "", "c" * 2048 + "...", "end"]


def test_a_signal_to_us_ends_the_script_too(tmp_path: Path) -> None:
    """As `systemctl stop` sends it: it is raised out of whatever lightinit does."""
    code = (
        "import signal, sys\n"
        "from lightinit.host.scripts.run import run_script\n"
        "from lightinit.host.system import System\n"
        "def stop(*_): raise SystemExit(9)\nsignal.signal(signal.SIGTERM, stop)\n"
        "tell = lambda line: print(line, flush=True)\n"
        "run_script(System(sys.argv[1]), [sys.argv[1] + '/script'], {}, 600.0, 'test', tell)\n"
    )
    (tmp_path / "script").write_text("#!/bin/sh\necho $$\nsleep 1000\n")
    (tmp_path / "script").chmod(0o700)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=HERE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    process.terminate()
    assert process.wait(120) == 9
    process.stdout.close()
    wait_until(lambda: not is_alive(pid), 60.0, "the script is alive")


def test_a_signal_in_the_moment_of_its_start_ends_the_script_too(tmp_path: Path) -> None:
    """Popen has started it, and nobody knows the process yet. The script has no signal blocked."""
    code = (
        "import os, signal, subprocess, sys\n"
        "from lightinit.host.scripts.run import run_script\n"
        "from lightinit.host.system import System\n"
        "def stop(*_): raise SystemExit(9)\nsignal.signal(signal.SIGTERM, stop)\n"
        "def watch(frame, event, _):\n"
        "    if event == 'return' and frame.f_code is subprocess.Popen.__init__.__code__:\n"
        "        sys.setprofile(None)\n"
        "        print(frame.f_locals['self'].pid, flush=True)\n"
        "        while not os.path.exists(sys.argv[1] + '/begun'): pass\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.setprofile(watch)\n"
        "run_script(System(sys.argv[1]), [sys.argv[1] + '/script'], {}, 600.0, 'test', print)\n"
    )
    text = "#!/bin/sh\ncd %s\ngrep SigBlk /proc/self/status >new; mv new begun\nsleep 1000\n"
    text %= tmp_path
    (tmp_path / "script").write_text(text)
    (tmp_path / "script").chmod(0o700)
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=HERE, stdout=subprocess.PIPE, timeout=120
    )
    assert ended.returncode == 9
    wait_until(lambda: not is_alive(int(ended.stdout)), 60.0, "the script is alive")
    assert (tmp_path / "begun").read_text().split()[1].strip("0") == ""


def test_what_is_in_the_background_may_go_on_printing(tmp_path: Path) -> None:
    check_prints_later(tmp_path, run(tmp_path, PRINTS_LATER.replace("@", str(tmp_path))))


def test_a_broken_pipe_is_as_everywhere(tmp_path: Path) -> None:
    seen = run(tmp_path, PIPELINE)
    assert (seen.status, sorted(seen.lines)) == (
        0,
        ["it ended with %d" % (128 + signal.SIGPIPE), "y"],
    )
