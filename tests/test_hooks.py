"""Hooks: which are run, in which order, how often, and what comes of their failure. They really
run, on a root that says that it is live.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Iterator, List

import pytest

from lightinit.hooks import AFTER_MODULES, FOLDER, find, run
from lightinit.host.system import System
from lightinit.model import Instance, Network, Outcome, User
from lightinit.pipeline import Context, StepResult, Stopped, run_step
from lightinit.result import make_result
from lightinit.stages.pending import FREQUENCIES, pending_hooks
from tests.lib.context import make_context
from tests.lib.netns import wait_until
from tests.lib.scripts import ReachedClock, is_alive
from tests.lib.stand_in import LiveRoot

BEGUN = "/var/lib/lightinit/sem"


def put(root: Path, name: str, text: str, mode: int = 0o755) -> None:
    path = Path(str(root) + FOLDER) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(mode)


def said(root: Path, text: str = "$LIGHTINIT_HOOK") -> str:
    return 'echo "%s ${0##*/}" >>%s/said\n' % (text, root)


def heard(root: Path) -> List[str]:
    path = root / "said"
    return path.read_text().splitlines() if path.exists() else []


def make(root: Path, settings: str = "", instance_id: str = "i-1", boot_id: str = "") -> Context:
    system = LiveRoot(root)
    system.write("/etc/lightinit/lightinit.conf", settings.encode())
    context = make_context(system)
    context.boot_id = boot_id or context.boot_id
    if instance_id:
        context.use_instance(instance_id)
    return context


def ended(context: Context) -> List[str]:
    return ["%s %s" % (step.name, step.result.value) for step in context.steps]


def test_they_run_in_order_of_name_and_leave_marks(tmp_path: Path) -> None:
    for name in ("20-b", "3-c", "100-a", "10-a.sh"):
        put(tmp_path, "before-fetch/" + name, said(tmp_path))
    context = make(tmp_path)
    run.run(context, "before-fetch")
    names = ["10-a.sh", "100-a", "20-b", "3-c"]
    assert heard(tmp_path) == ["before-fetch " + name for name in names]
    assert ended(context) == ["before-fetch/%s ok" % name for name in names]
    again = make(tmp_path)
    run.run(again, "before-fetch")
    assert ended(again) == ["before-fetch/%s already" % name for name in names]
    another = make(tmp_path, instance_id="i-2")
    run.run(another, "before-fetch")
    assert len(heard(tmp_path)) == 8, "another instance runs them again"
    assert os.listdir(str(tmp_path) + BEGUN) == [], "nothing is left of their starts"


@pytest.mark.parametrize(
    "name, mode, why",
    [
        ("10-a", 0o644, "it is not executable; run: chmod 755 "),
        ("1 a", 0o755, "its name may have letters"),
        ("ümlaut", 0o755, "its name may have letters"),
        (".hidden", 0o755, ""),
        ("10-a~", 0o755, ""),
        ("10-a.dpkg-old", 0o755, ""),
        ("10-a.rpmsave", 0o755, ""),
    ],
)
def test_what_is_not_run_is_told(tmp_path: Path, name: str, mode: int, why: str) -> None:
    put(tmp_path, "after-fetch/" + name, said(tmp_path), mode)
    context = make(tmp_path)
    run.run(context, "after-fetch")
    assert heard(tmp_path) == [] and context.steps == []
    found = find.find_mistakes(context.system)
    assert [why in text for text in found] == [True] * bool(why)


def test_folders_links_and_pipes_are_no_hooks(tmp_path: Path) -> None:
    put(tmp_path, "after-fetch/dir/10-a", said(tmp_path))
    os.mkfifo(str(tmp_path) + FOLDER + "/after-fetch/pipe")
    os.symlink("/nowhere", str(tmp_path) + FOLDER + "/after-fetch/broken")
    put(tmp_path, "shared", said(tmp_path))
    os.symlink("../shared", str(tmp_path) + FOLDER + "/after-fetch/10-link")
    context = make(tmp_path)
    run.run(context, "after-fetch")
    assert ended(context) == ["after-fetch/10-link ok"]
    assert [
        text.partition(" is not run: ")[2]
        for text in find.find(context.system, "after-fetch").ignored
    ] == [
        "No such file or directory",
        "it is a folder",
        "it is not a regular file",
    ]


def test_a_folder_with_another_name_is_a_mistake(tmp_path: Path) -> None:
    put(tmp_path, "before_fetch/10-a", "")
    put(tmp_path, "nonsense/10-a", "")
    (Path(str(tmp_path) + FOLDER) / "per-boot").write_text("")
    (Path(str(tmp_path) + FOLDER) / "README").write_text("")
    found = find.find_mistakes(System(str(tmp_path)))
    assert len(found) == 3
    assert found[0].endswith("did you mean before-fetch?")
    assert found[1].startswith(FOLDER + "/nonsense is not used") and "after-final" in found[1]
    assert found[2] == FOLDER + "/per-boot is not a folder: hooks are files in it"


@pytest.mark.parametrize("place", ["before-local", "per-boot", "after-final"])
def test_a_failure_counts_where_the_name_says_so(tmp_path: Path, place: str) -> None:
    put(tmp_path, place + "/10-a", said(tmp_path) + "exit 7\n")
    put(tmp_path, place + "/20-required-b", said(tmp_path) + "exit 8\n")
    put(tmp_path, place + "/30-nonrequired", said(tmp_path) + "kill -9 $$\n")
    put(tmp_path, place + "/40-c", said(tmp_path))
    context = make(tmp_path)
    run.run(context, place)
    assert [step.result.value for step in context.steps] == ["failed"] * 3 + ["ok"]
    assert len(heard(tmp_path)) == 4, "one that fails stops no other"
    statuses = [step.error.details["status"] for step in context.steps if step.error]
    assert statuses == ["7", "8", "137"]
    failure = context.first_failure
    if place == "after-final":
        assert failure is None, "nothing takes Ready back"
        return
    assert failure is not None and failure.name == place + "/20-required-b"
    assert failure.told.reason == "hook failed"
    # It has no mark, so it runs again.
    again = make(tmp_path)
    run.run(again, place)
    assert [step.result.value for step in again.steps] == ["failed"] * 3 + ["already"]


def test_one_that_takes_too_long_is_killed_with_what_it_started(tmp_path: Path) -> None:
    text = "cd %s\nsleep 1000 & echo $! >pid; >up; sleep 1000\n" % tmp_path
    put(tmp_path, "before-final/10-a", text)
    context = make(tmp_path, "[lightinit]\nhook_timeout_s = 600.5\n")
    context.system.clock = ReachedClock(tmp_path / "up")
    run.run(context, "before-final")
    error = context.steps[0].error
    assert error is not None and error.reason == "hook took too long"
    assert error.details["limit_s"] == "600.5"
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_alive(pid), 60, "what it started is alive")


def test_one_that_cannot_be_executed_is_a_failure(tmp_path: Path) -> None:
    put(tmp_path, "before-final/10-a", "")
    (Path(str(tmp_path) + FOLDER) / "before-final/10-a").write_text("#!/no/such/interpreter\n")
    context = make(tmp_path)
    run.run(context, "before-final")
    error = context.steps[0].error
    assert error is not None and error.reason == "hook failed" and error.details["status"] == "127"


@pytest.mark.parametrize("how", ["file", "folder"])
def test_one_that_others_may_change_is_not_run(tmp_path: Path, how: str) -> None:
    put(tmp_path, "per-instance/10-a", said(tmp_path), 0o777 if how == "file" else 0o755)
    if how == "folder":
        os.chmod(str(tmp_path) + FOLDER, 0o777)
    context = make(tmp_path)
    run.run(context, "per-instance")
    error = context.steps[0].error
    assert error is not None and error.reason == "hook is not safe" and heard(tmp_path) == []
    assert FOLDER in error.details["why"] and error.details["hint"].startswith("chown root:root ")


def test_they_learn_what_is_known_and_no_secret(tmp_path: Path) -> None:
    put(tmp_path, "before-local/10-a", "env | grep ^LIGHTINIT_ | sort >%s/early\n" % tmp_path)
    put(tmp_path, "after-config/10-a", "env | grep ^LIGHTINIT_ | sort >%s/late\n" % tmp_path)
    context = make(tmp_path)
    run.run(context, "before-local")
    context.network = Network("168.63.129.16", "eth0", "10.0.0.4")
    context.instance = Instance(
        "i-1",
        "azure",
        ("web-1", "other"),
        User("alice", password="Passw0rd!x"),
        "V-1",
        "west\n$(id)",
        user_data="c2VjcmV0",
    )
    run.run(context, "after-config")
    assert (tmp_path / "early").read_text() == (
        "LIGHTINIT_HOOK=before-local\nLIGHTINIT_INSTANCE_ID=i-1\n"
    )
    late = (tmp_path / "late").read_text()
    for line in (
        "ADMIN=alice",
        "HOSTNAME=web-1",
        "INTERFACE=eth0",
        "ADDRESS=10.0.0.4",
        "VM_ID=V-1",
    ):
        assert "LIGHTINIT_%s\n" % line in late
    assert "LIGHTINIT_INSTANCE_DATA=/var/lib/lightinit/instance/instance-public.json\n" in late
    assert "Passw0rd" not in late and "c2VjcmV0" not in late
    assert [line for line in late.splitlines() if not line.startswith("LIGHTINIT_")] == []


def stop_by_signal(context: Context) -> None:
    signal.signal(signal.SIGTERM, lambda number, _: context.stop(number))


@pytest.fixture
def _own_signal() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("_own_signal")
@pytest.mark.parametrize("instance_id", ["i-1", ""])
def test_one_that_restarts_the_machine_does_so_twice_at_most(
    tmp_path: Path, instance_id: str
) -> None:
    """The init system ends lightinit then, which does not see the end of the hook."""
    put(tmp_path, "before-local/10-a", said(tmp_path) + "kill -TERM %d; sleep 20\n" % os.getpid())
    starts = []
    for _ in range(4):
        context = make(tmp_path, instance_id=instance_id)
        stop_by_signal(context)
        try:
            run.run(context, "before-local")
        except Stopped:
            pass
        starts.append(len(heard(tmp_path)))
    assert starts == [1, 2, 2, 2]
    error = context.steps[-1].error
    assert error is not None and error.reason == "hook did not end in earlier boots"
    assert str(error).endswith("rm %s/hook.before-local.10-a" % BEGUN)
    if instance_id:
        run.run(make(tmp_path, instance_id="i-2"), "after-local")  # other places are not held up
        another = make(tmp_path, instance_id="i-2")
        with pytest.raises(Stopped):
            stop_by_signal(another)
            run.run(another, "before-local")
        assert len(heard(tmp_path)) == 3, "another instance begins to count anew"


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"starts": "x"}', "\x00"])
def test_a_damaged_count_is_a_start(tmp_path: Path, text: str) -> None:
    put(tmp_path, "before-local/10-a", said(tmp_path))
    context = make(tmp_path)
    context.system.write(BEGUN + "/hook.before-local.10-a", text.encode())
    run.run(context, "before-local")
    assert ended(context) == ["before-local/10-a ok"]


def test_a_count_that_cannot_be_written_starts_nothing(tmp_path: Path) -> None:
    put(tmp_path, "before-local/10-a", said(tmp_path))
    context = make(tmp_path)
    os.makedirs(str(tmp_path) + BEGUN + "/hook.before-local.10-a")
    run.run(context, "before-local")
    assert context.steps[0].result is StepResult.FAILED and heard(tmp_path) == []


def test_a_scratch_root_runs_none(tmp_path: Path) -> None:
    put(tmp_path, "before-local/10-a", said(tmp_path))
    context = make(tmp_path)
    context.system = System(str(tmp_path))
    run.run(context, "before-local")
    assert context.system.skipped == ["hooks"] and context.steps == [] and heard(tmp_path) == []
    assert pending_hooks(context) == []


def run_all(context: Context) -> None:
    for place in AFTER_MODULES:
        run.run(context, place)


def test_how_often_each_runs(tmp_path: Path) -> None:
    for place in AFTER_MODULES:
        put(tmp_path, place + "/10-a", said(tmp_path))
    names = ["%s/10-a" % place for place in AFTER_MODULES]
    first = make(tmp_path, boot_id="b-1")
    assert pending_hooks(first) == names
    run_all(first)
    assert pending_hooks(first) == []
    run_step(first, "stage", "final", FREQUENCIES["final"], lambda: Outcome("ready"))
    assert first.state is not None
    first.state.save("result", make_result(first, {}))
    next_boot = make(tmp_path, boot_id="b-2")
    assert pending_hooks(next_boot) == ["per-boot/10-a"]
    run_all(next_boot)
    another = make(tmp_path, instance_id="i-2", boot_id="b-3")
    assert pending_hooks(another) == ["per-instance/10-a", "per-boot/10-a"]
    # What comes with an upgrade must not run on a VM that has long been ready.
    put(tmp_path, "per-instance/20-new", said(tmp_path))
    put(tmp_path, "per-once/20-new", said(tmp_path))
    put(tmp_path, "per-boot/20-new", said(tmp_path))
    assert pending_hooks(make(tmp_path, boot_id="b-4")) == ["per-boot/10-a", "per-boot/20-new"]


def test_one_that_failed_is_pending_in_the_next_boot(tmp_path: Path) -> None:
    put(tmp_path, "per-instance/10-a", "exit 1\n")
    first = make(tmp_path)
    run_all(first)
    run_step(first, "stage", "final", FREQUENCIES["final"], lambda: Outcome("ready"))
    assert first.state is not None
    first.state.save("result", make_result(first, {}))
    assert pending_hooks(make(tmp_path)) == ["per-instance/10-a"]


def test_results_are_in_the_order_in_which_they_ran(tmp_path: Path) -> None:
    for place in ("after-final", "before-local", "per-boot", "after-config", "before-config"):
        put(tmp_path, place + "/10-a", "")
    context = make(tmp_path)

    def stage(name: str) -> None:
        run_step(context, "stage", name, FREQUENCIES[name], lambda: Outcome(name))

    run.run(context, "before-local")
    stage("local")
    stage("fetch")
    run.run(context, "before-config")
    stage("config")
    run_all(context)
    run.run(context, "after-config")
    stage("final")
    run.run(context, "after-final")
    wanted = [step.name for step in context.steps]
    result = make_result(context, {})
    assert [step["name"] for step in result["steps"]] == wanted
    later = make(tmp_path)
    assert [step["name"] for step in make_result(later, result)["steps"]] == wanted
    assert json.dumps(result)
