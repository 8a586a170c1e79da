"""The modules that run after Ready: when, how often, and what their failure does."""

from __future__ import annotations

from pathlib import Path

from lightinit.emulator import Platform
from tests.lib.scratch import Machine

HOME = "/var/lib/lightinit/instance"
LISTED = "[lightinit]\nfinal_modules = tests.lib.tells_when\n"
SECTION = "[module.tests.lib.tells_when]\n"
AFTER = "ready=True saved=Ready status=running stage=final\n"
BEFORE = "ready=False saved=False status=running stage=config\n"


def test_they_run_once_after_ready_with_all_else_saved(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform, LISTED)
        ended = machine.run("boot")
        assert ended.returncode == 0 and machine.read("/ran") == AFTER, ended.stderr
        assert ended.stderr.count("provisioning done") == 1
        steps = [step["name"] for step in machine.json(HOME + "/result.json")["steps"]]
        assert steps[-2:] == ["final", "tests.lib.tells_when"]
        assert machine.exists(HOME + "/provisioned"), "later boots are free"
        assert "nothing to do" in machine.run("boot").stderr
        assert machine.read("/ran") == AFTER and platform.ready_count == 1


def test_before_ready_turns_that_round(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform, LISTED + "before_ready = yes\n")
        assert machine.run("boot").returncode == 0 and machine.read("/ran") == BEFORE
        assert platform.ready_count == 1


def test_a_failure_is_a_warning_and_runs_again_without_a_report(tmp_path: Path) -> None:
    """Although the module says that it is required: nothing takes Ready back."""
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform, LISTED + SECTION + "fail = yes\n")
        ended = machine.run("boot")
        assert ended.returncode == 0, ended.stderr
        result = machine.json(HOME + "/result.json")
        assert result["status"] == "degraded done" and result["errors"] == []
        assert result["warnings"] == ["tests.lib.tells_when: told to fail"]
        assert not machine.exists(HOME + "/provisioned")
        machine.lead_to(platform, LISTED)
        assert machine.run("boot").returncode == 0
        assert machine.read("/ran") == AFTER + AFTER
        assert machine.json(HOME + "/result.json")["warnings"] == []
        assert [report["state"] for report in platform.final_reports] == ["Ready"]


def test_without_ready_none_runs(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform(
        scenario={
            "name": "no",
            "description": "No report arrives.",
            "health": [{"status": 500, "repeat": "forever"}],
            "progress": [{"status": 500, "repeat": "forever"}],
        }
    ) as platform:
        machine.lead_to(platform, LISTED)
        assert machine.run("boot").returncode == 1 and not machine.exists("/ran")
    with Platform() as platform:
        machine.lead_to(platform, LISTED)
        assert machine.run("boot").returncode == 0 and machine.read("/ran") == AFTER


def test_a_stage_by_hand_runs_them_too(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform, LISTED)
        for name in ("local", "fetch", "config"):
            assert machine.run("stage", name).returncode == 0
            assert not machine.exists("/ran")
        assert machine.run("stage", "final").returncode == 0
        assert machine.read("/ran") == AFTER


def test_one_listed_twice_is_a_mistake(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put("/etc/lightinit/lightinit.conf", "[lightinit]\nfinal_modules = users nosuch\n")
    ended = machine.run("config")
    assert ended.returncode == 1
    assert "users is listed more than once" in ended.stderr
    assert "lightinit.conf:2: no such module (module=nosuch)" in ended.stderr
