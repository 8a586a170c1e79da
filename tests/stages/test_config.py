"""The config stage: what comes before its time."""

from __future__ import annotations

import base64
from typing import Any, List, Optional

import pytest

from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome, Rest
from lightinit.pipeline import Context, Step, StepResult, Stopped, Unfinished, run_step
from lightinit.stages import config
from lightinit.stages.selection import module_list
from tests.lib import ssh_keys
from tests.lib.context import make_context
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import UUID, Machine


class FullDisk(System):
    """A machine whose disk is nearly full, or is not."""

    def __init__(self, root: Any, full: bool) -> None:
        super().__init__(root)
        self._full = full

    def has_room(self) -> bool:
        return not self._full


def make(root: Any, full: bool) -> Context:
    system = FullDisk(Machine(root).root, full)
    context = make_context(system)
    context.use_instance(UUID)
    return context


@pytest.mark.parametrize("full", [True, False])
def test_what_makes_room_comes_first_on_a_full_disk(tmp_path: Any, full: bool) -> None:
    """N7: canonical/cloud-init#1046: grown before anything has to be written."""
    context = make(tmp_path, full)
    config.make_room(context)
    assert [step.name for step in context.steps] == ["root_disk"] * full
    assert ("root_disk" in module_list.pending(context)) is not full


def test_what_is_not_listed_does_not_run(tmp_path: Any) -> None:
    context = make(tmp_path, True)
    context.settings.values["lightinit"]["modules"] = ("hostname",)  # type: ignore[index]
    config.make_room(context)
    assert context.steps == []


class Slowly(Rest):
    """The rest of a module's work, which may fail."""

    def __init__(self, fails: bool = False) -> None:
        self.fails, self.is_given_up = fails, False

    def finish(self) -> Outcome:
        if self.fails:
            raise ValueError("a bug")
        return Outcome("all done")

    def give_up(self) -> None:
        self.is_given_up = True


def begin(context: Context, rest: Rest, later: Optional[List[Unfinished]]) -> Step:
    """A step that leaves something to go on."""

    def work() -> Outcome:
        return Outcome("begun", rest=rest)

    return run_step(context, "module", "x", Frequency.INSTANCE, work, isolate=True, later=later)


def has_mark(context: Context) -> bool:
    return context.marks is not None and bool(context.marks.find("module.x", Frequency.INSTANCE))


def test_a_step_has_its_mark_when_its_rest_has_ended(tmp_path: Any) -> None:
    context, later = make(tmp_path, False), []  # type: Context, List[Unfinished]
    step = begin(context, Slowly(), later)
    assert (step.result, has_mark(context)) == (StepResult.RUNNING, False)
    later[0].finish()
    assert (step.result, step.message, has_mark(context)) == (StepResult.OK, "all done", True)


def test_a_step_by_itself_waits_for_its_rest(tmp_path: Any) -> None:
    context = make(tmp_path, False)
    assert begin(context, Slowly(), None).message == "all done"
    assert has_mark(context)


def test_a_rest_that_fails_is_the_failure_of_its_step(tmp_path: Any) -> None:
    context, later = make(tmp_path, False), []  # type: Context, List[Unfinished]
    step = begin(context, Slowly(fails=True), later)
    later[0].finish()
    assert step.failed and not has_mark(context)
    assert "module raised an unexpected error" in str(step.error)


@pytest.mark.parametrize(
    "names, order",
    [
        (["hostname", "users", "write_files"], ["hostname", "users", "finished", "write_files"]),
        (["hostname", "mysite.motd", "users"], ["hostname", "finished", "mysite.motd", "users"]),
        (["hostname", "users"], ["hostname", "users", "finished"]),
    ],
)
def test_what_the_operator_lists_waits_for_what_goes_on(
    tmp_path: Any, names: List[str], order: List[str]
) -> None:
    """Scripts of custom_data find what the modules before them have done."""
    context, seen = make(tmp_path, False), []  # type: Context, List[str]

    class Seen(Slowly):
        def finish(self) -> Outcome:
            seen.append("finished")
            return Outcome()

    def run_one(name: str, later: List[Unfinished]) -> Step:
        def work() -> Outcome:
            seen.append(name)
            return Outcome(rest=Seen() if name == "hostname" else None)

        return run_step(context, "module", name, Frequency.INSTANCE, work, later=later)

    config.run_all(names, run_one)
    assert seen == order


def test_what_goes_on_is_given_up_if_the_run_is_stopped(tmp_path: Any) -> None:
    context, rest = make(tmp_path, False), Slowly()

    def run_one(name: str, later: List[Unfinished]) -> Step:
        if name == "users":
            raise Stopped(143)
        return begin(context, rest, later)

    with pytest.raises(Stopped):
        config.run_all(["hostname", "users"], run_one)
    assert rest.is_given_up


@needs_yaml
def test_a_module_that_ran_without_data_sees_them_later(tmp_path: Any) -> None:
    """SSH host keys are made even if the platform says nothing. If its data come in a later boot,
    those of the cloud-config take their place, once.
    """
    machine = Machine(tmp_path)
    machine.put("/etc/ssh/sshd_config", "UsePAM no\n")
    context = make_context(System(machine.root))
    context.use_instance(UUID)
    config.run_independent(context)
    assert "ssh_host_keys" not in module_list.pending(context)

    private = ssh_keys.private(ssh_keys.ED)
    keys = "".join("    %s\n" % line for line in private.splitlines())
    data = "#cloud-config\nssh_keys:\n  ed25519_private: |\n" + keys
    for user_data, wanted in (("#cloud-config\nhostname: x\n", False), (data, True)):
        for wanted_now in (wanted, False):
            later = make_context(System(machine.root))
            later.use_instance(UUID)
            later.instance = Instance(UUID, user_data=base64.b64encode(user_data.encode()).decode())
            step = config.run_module(later, "ssh_host_keys")
            assert (step.result is StepResult.OK) == wanted_now, step
    assert machine.read("/etc/ssh/ssh_host_ed25519_key") == private
    assert machine.read("/etc/ssh/ssh_host_ed25519_key.pub").startswith(ssh_keys.ED)
