"""Scripts run for real, by this machine's own shell: output, limits, what they leave behind. None
changes anything.
"""

from __future__ import annotations

import glob
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import pytest

from lightinit.host.scripts import run as scripts
from lightinit.host.scripts.run import Ended, Lines
from lightinit.host.system import System
from tests.lib.netns import wait_until
from tests.lib.scratch import HERE


class Seen(NamedTuple):
    """How a script ended, and all that it was heard to print."""

    status: int
    timed_out: bool
    lines: Tuple[str, ...]


def run(
    tmp_path: Path,
    text: str,
    timeout_s: float = 60.0,
    environment: Optional[Dict[str, str]] = None,
    system: Optional[System] = None,
) -> Seen:
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o700)
    lines: List[str] = []
    ended = scripts.run_script(
        system or System(str(tmp_path)),
        [str(path)],
        environment or {},
        timeout_s,
        "test",
        lines.append,
    )
    return Seen(ended.status, ended.timed_out, tuple(lines))


def is_alive(pid: int) -> bool:
    """A process that has ended and that nobody has waited for yet is not."""
    try:
        with open("/proc/%d/stat" % pid) as handle:
            return handle.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


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
        text = "env | sort\npwd\numask\ncat\nps -o sid= -p $$ | tr -d ' '\necho $$\n"
        told = run(tmp_path, text, environment={"MORE": "yes"}).lines
    finally:
        os.umask(umask)
        del os.environ["LIGHTINIT_TEST_LEAK"]
    sid, pid = told[-2:]
    assert sid == pid  # a session of its own
    assert told[-4:-2] == ("/", "0022")
    names = {line.partition("=")[0]: line.partition("=")[2] for line in told[:-4]}
    assert {key: names[key] for key in ("HOME", "USER", "LANG", "MORE")} == {
        "HOME": "/root",
        "USER": "root",
        "LANG": "C",
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
    assert names["PATH"].startswith("/usr/sbin:/usr/bin")


def test_at_its_limit_all_of_it_is_killed(tmp_path: Path) -> None:
    text = (
        "trap '' TERM HUP\n(trap '' TERM; echo $$ >self; exec sleep 1000) &\necho $! >child\necho"
        " last\nsleep 1000\n"
    )
    text = "cd %s\n" % tmp_path + text
    ended = run(tmp_path, text, timeout_s=1.0)
    assert ended == Seen(137, True, ("last",))
    wait_until(
        lambda: not is_alive(int((tmp_path / "child").read_text())), 5.0, "its child is alive"
    )
    assert not is_alive(int((tmp_path / "self").read_text()))


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
    assert process.wait(30) == 9
    process.stdout.close()
    wait_until(lambda: not is_alive(pid), 5.0, "the script is alive")


class Systemd(System):
    """A scratch root in which systemd runs, with the tools that the test gives."""

    def __init__(self, root: Any, tools: Dict[str, str]) -> None:
        super().__init__(str(root))
        self.live, self._tools = True, tools

    def path(self, name: str, follow_last: bool = True) -> str:
        if name.startswith(self.root):
            return name
        self.live = False
        try:
            return super().path(name, follow_last)
        finally:
            self.live = True

    def tool(self, name: str) -> Optional[str]:
        return self._tools.get(name)


@pytest.mark.parametrize(
    "tools, why",
    [
        ({}, "systemd-run is missing"),
        (
            {"systemd-run": "/bin/false", "systemctl": "/bin/true"},
            "systemd-run ended with status 1",
        ),
        ({"systemd-run": "/bin/ls", "systemctl": "/bin/true"}, "--help"),
        ({"systemd-run": "/nowhere", "systemctl": "/bin/true"}, "No such file"),
    ],
)
def test_where_systemd_starts_no_unit_it_is_a_child(
    tmp_path: Path, caplog: Any, tools: Dict[str, str], why: str
) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    ended = run(tmp_path, "echo here\n", system=Systemd(tmp_path, tools))
    assert ended == Seen(0, False, ("here",))
    assert "inside the sandbox" in caplog.text
    assert why in caplog.text
    assert not list((tmp_path / "run/lightinit").glob("scripts/*"))


SYSTEMD_RUN = """#!/bin/sh
# Stands in for systemd-run: a session for what would be a unit, its environment alone, and its exit
# status. As systemd.exec(5) says, a unit has SIGPIPE ignored unless it asks for something else.
vars= ignored=PIPE
while [ "$1" != -- ]; do
    case $1 in
        --unit=*) echo "${1#--unit=}" >@/unit;;
        --setenv=*) vars="$vars ${1#--setenv=}";;
        --property=IgnoreSIGPIPE=no) ignored=;;
    esac
    echo "$1" >>@/asked
    shift
done
shift
[ -z "$ignored" ] || trap '' "$ignored"
# The unit writes its own session first, so that a kill finds it however early it comes.
begin='echo $$ >@/session; exec "$@"'
setsid env -i PATH="$PATH" $vars sh -c "$begin" sh "$@" >/dev/null 2>&1 </dev/null &
[ ! -e @/lost ] || { sleep 0.3; echo "Connection reset by peer"; exit 1; }
wait $!
"""
SYSTEMCTL = """#!/bin/sh
echo "$@" >>@/said
[ "$1" != kill ] || kill -KILL -$(cat @/session)
"""


@pytest.fixture
def unit_tools(tmp_path: Path) -> Dict[str, str]:
    """The stand-ins. What the real ones do, the tests in a VM show."""
    tools = {}
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    for name, text in (("systemd-run", SYSTEMD_RUN), ("systemctl", SYSTEMCTL)):
        path = tmp_path / name
        path.write_text(text.replace("@/", str(tmp_path) + "/"))
        path.chmod(0o755)
        tools[name] = str(path)
    return tools


# What goes on in the background prints, more than a pipe takes, when lightinit has long stopped
# reading.
PRINTS_LATER = """cd @
stat -L -c '%d %i' /proc/$$/fd/1 >output
(until [ -e go ]; do sleep 0.05; done
head -c 1000000 /dev/zero && sleep 0.1 && head -c 1000000 /dev/zero && echo >fine
echo >over) &
echo last
"""


def holders(device: int, inode: int) -> List[str]:
    """The processes that have this pipe open."""
    found = []
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            status = os.stat(path)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == (device, inode):
            found.append(path)
    return found


def check_prints_later(tmp_path: Path, seen: Seen) -> None:
    device, inode = map(int, (tmp_path / "output").read_text().split())
    assert seen == Seen(0, False, ("last",)) and not (tmp_path / "over").exists()
    assert not [
        path for path in holders(device, inode) if path.startswith("/proc/%d/" % os.getpid())
    ], "not read by us"
    (tmp_path / "go").write_text("")
    wait_until((tmp_path / "over").exists, 10.0, "what is in the background does not go on")
    assert (tmp_path / "fine").exists(), "it was killed for what it printed"
    wait_until(
        lambda: not holders(device, inode),
        10.0,
        "somebody reads on though nobody is left who prints",
    )


def test_what_is_in_the_background_may_go_on_printing(tmp_path: Path) -> None:
    check_prints_later(tmp_path, run(tmp_path, PRINTS_LATER.replace("@", str(tmp_path))))


def test_as_a_unit_what_is_in_the_background_may_go_on_printing(
    tmp_path: Path, unit_tools: Dict[str, str]
) -> None:
    check_prints_later(
        tmp_path, run_as_unit(tmp_path, unit_tools, PRINTS_LATER.replace("@", str(tmp_path)))
    )


@pytest.mark.parametrize("more, timeout_s, status", [("", 60.0, 0), ("sleep 1000", 1.0, 137)])
def test_as_a_unit_it_leaves_nothing_running_of_its_own(
    tmp_path: Path, unit_tools: Dict[str, str], more: str, timeout_s: float, status: int
) -> None:
    """Neither after its end, where nothing is in the background, nor after its limit."""
    assert run_as_unit(tmp_path, unit_tools, "echo last\n" + more, timeout_s) == Seen(
        status, status != 0, ("last",)
    )
    session = int((tmp_path / "session").read_text())
    wait_until(lambda: not group_of(session), 5.0, "some of it is alive")


def group_of(session: int) -> List[str]:
    """The processes of a group that live."""
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as handle:
                state, _, group = handle.read().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        found += [path] if int(group) == session and state not in "ZX" else []
    return found


def run_as_unit(tmp_path: Path, tools: Dict[str, str], text: str, timeout_s: float = 60.0) -> Seen:
    return run(tmp_path, text, timeout_s, {"MORE": "yes"}, Systemd(tmp_path, tools))


def test_as_a_unit(tmp_path: Path, unit_tools: Dict[str, str], caplog: Any) -> None:
    ended = run_as_unit(tmp_path, unit_tools, "echo $HOME $MORE\numask\necho bad >&2\nexit 5\n")
    assert ended == Seen(5, False, ("/root yes", "0022", "bad"))
    asked = (tmp_path / "asked").read_text().split("\n")
    assert {
        "--collect",
        "--service-type=oneshot",
        "--property=KillMode=process",
        "--property=IgnoreSIGPIPE=no",
    } <= set(asked)
    assert not os.listdir(str(tmp_path / "run/lightinit/scripts"))
    # A warning would tell a user of ownership.
    assert not [record for record in caplog.records if record.levelname != "INFO"]


# What writes into a pipe that nobody reads ends of that, without a word.
PIPELINE = "{ yes; echo it ended with $? >&2; } | head -n 1\n"


def test_as_a_unit_a_broken_pipe_is_as_everywhere(
    tmp_path: Path, unit_tools: Dict[str, str]
) -> None:
    seen = run_as_unit(tmp_path, unit_tools, PIPELINE)
    assert (seen.status, sorted(seen.lines)) == (
        0,
        ["it ended with %d" % (128 + signal.SIGPIPE), "y"],
    )


def test_a_broken_pipe_is_as_everywhere(tmp_path: Path) -> None:
    seen = run(tmp_path, PIPELINE)
    assert (seen.status, sorted(seen.lines)) == (
        0,
        ["it ended with %d" % (128 + signal.SIGPIPE), "y"],
    )


def test_as_a_unit_at_its_limit(tmp_path: Path, unit_tools: Dict[str, str]) -> None:
    ended = run_as_unit(
        tmp_path, unit_tools, "sleep 1000 &\necho $! >%s/child\necho last\nwait\n" % tmp_path, 1.0
    )
    assert ended == Seen(137, True, ("last",))
    wait_until(
        lambda: not is_alive(int((tmp_path / "child").read_text())), 5.0, "its child is alive"
    )
    assert (tmp_path / "said").read_text() == "kill --signal=SIGKILL %s.service\n" % (
        tmp_path / "unit"
    ).read_text().strip()


def test_a_systemd_that_starts_anew_loses_nothing(
    tmp_path: Path, unit_tools: Dict[str, str]
) -> None:
    (tmp_path / "lost").write_text("")
    ended = run_as_unit(tmp_path, unit_tools, "echo first\nsleep 3\necho last\nexit 6\n")
    assert ended == Seen(6, False, ("first", "last"))


def test_a_unit_that_somebody_kills(tmp_path: Path, unit_tools: Dict[str, str]) -> None:
    ended = run_as_unit(
        tmp_path, unit_tools, "echo first\nkill -KILL -$(cat %s/session)\n" % tmp_path
    )
    assert ended == Seen(137, False, ("first",))


def test_a_unit_with_a_child_in_the_background(tmp_path: Path, unit_tools: Dict[str, str]) -> None:
    ended = run_as_unit(
        tmp_path, unit_tools, "sleep 1000 &\necho $! >%s/child\necho last\n" % tmp_path, 600.0
    )
    child = int((tmp_path / "child").read_text())
    try:
        assert ended == Seen(0, False, ("last",)) and is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)
