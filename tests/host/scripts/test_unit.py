"""Scripts as systemd units, with stand-ins for systemd-run and systemctl."""

from __future__ import annotations

import glob
import os
import signal
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from tests.lib.netns import wait_until
from tests.lib.scripts import (
    PIPELINE,
    PRINTS_LATER,
    ReachedClock,
    Seen,
    check_prints_later,
    is_alive,
    run,
)
from tests.lib.stand_in import LiveRoot


class Systemd(LiveRoot):
    """A live root in which systemd runs, with the tools that the test gives."""

    def __init__(self, root: Any, tools: Dict[str, str]) -> None:
        super().__init__(root, ReachedClock(root / "up"))
        self._tools = tools

    def path(self, name: str, follow_last: bool = True) -> str:
        return name if name.startswith(self.root) else super().path(name, follow_last)

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


def test_as_a_unit_what_is_in_the_background_may_go_on_printing(
    tmp_path: Path, unit_tools: Dict[str, str]
) -> None:
    check_prints_later(
        tmp_path, run_as_unit(tmp_path, unit_tools, PRINTS_LATER.replace("@", str(tmp_path)))
    )


@pytest.mark.parametrize("more, status", [("", 0), (">@/up\nsleep 1000", 137)])
def test_as_a_unit_it_leaves_nothing_running_of_its_own(
    tmp_path: Path, unit_tools: Dict[str, str], more: str, status: int
) -> None:
    """Neither after its end, where nothing is in the background, nor after its limit."""
    text = "echo last\n" + more.replace("@", str(tmp_path))
    assert run_as_unit(tmp_path, unit_tools, text) == Seen(status, status != 0, ("last",))
    session = int((tmp_path / "session").read_text())
    wait_until(lambda: not group_of(session), 60.0, "some of it is alive")


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


def test_as_a_unit_a_broken_pipe_is_as_everywhere(
    tmp_path: Path, unit_tools: Dict[str, str]
) -> None:
    seen = run_as_unit(tmp_path, unit_tools, PIPELINE)
    assert (seen.status, sorted(seen.lines)) == (
        0,
        ["it ended with %d" % (128 + signal.SIGPIPE), "y"],
    )


def test_as_a_unit_at_its_limit(tmp_path: Path, unit_tools: Dict[str, str]) -> None:
    ended = run_as_unit(
        tmp_path,
        unit_tools,
        "cd %s\nsleep 1000 &\necho $! >child\necho last\n>up\nwait\n" % tmp_path,
    )
    assert ended == Seen(137, True, ("last",))
    wait_until(
        lambda: not is_alive(int((tmp_path / "child").read_text())), 60.0, "its child is alive"
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
