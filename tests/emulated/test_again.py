"""What runs again and what does not: force, frequencies, failures, damage, single stages, two
processes.
"""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from lightinit.emulator import Platform
from tests.emulated.boots import (
    REFUSED_LATE,
    hand_out_lease,
    let_go,
    refusal_is_held,
    start_waiting,
)
from tests.lib import kvp_records
from tests.lib.scratch import UUID, Machine

HOME = "/var/lib/lightinit/instance"
# Nobody gives up what hangs.
LONG_REQUESTS = "[azure]\nrequest_timeout_s = 600\n"
SITE_MODULE = """
from lightinit.model import Frequency, Outcome
NAME = "counted"
FREQUENCY = Frequency.%s
REQUIRED = %s

def apply(instance, system, settings):
    count = int(system.read_text("/count") or "0") + 1
    system.write("/count", str(count).encode())
    if system.exists("/fail"):
        %s
    return Outcome("counted to %%d" %% count)
"""


def next_boot(machine: Machine, number: int) -> Any:
    """Boot once more, under another boot id."""
    machine.put("/proc/sys/kernel/random/boot_id", "%08d-2222-4222-8222-222222222222\n" % number)
    return machine.run("boot", env=with_site(machine))


def with_site(machine: Machine) -> Any:
    """The environment in which the site's module can be imported."""
    return {"PYTHONPATH": machine.root + "/site"}


def site_module(
    machine: Machine,
    frequency: str = "INSTANCE",
    required: bool = True,
    failure: str = "raise RuntimeError('no')",
) -> str:
    """Ship a module of the site's own. Returns settings that list it."""
    machine.put("/site/site_modules/__init__.py", "")
    machine.put("/site/site_modules/counted.py", SITE_MODULE % (frequency, required, failure))
    return "[lightinit]\nmodules = hostname users ssh_authorized_keys site_modules.counted\n"


def test_stages_one_by_one_are_a_boot(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        for name in ("local", "fetch", "config", "final"):
            ended = machine.run("stage", name)
            assert ended.returncode == 0, ended.stderr
        assert platform.ready_count == 1
        assert "nothing to do" in machine.run("boot").stderr
        assert platform.ready_count == 1
    assert machine.run("status").returncode == 0


def test_final_alone_does_not_claim_what_was_not_done(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        for ran, missing in (("local", "reason=stage has"), ("fetch", "reason=module has")):
            assert machine.run("stage", ran).returncode == 0
            ended = machine.run("stage", "final")
            assert ended.returncode == 1
            report = platform.final_reports[-1]
            assert report["state"] == "NotReady" and missing + " not run" in report["description"]
        assert len(platform.final_reports) == 2


def test_force_runs_one_stage_or_module_again(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        sent = len(platform.requests)
        assert "--force runs it again" in machine.run("stage", "final").stderr
        assert "--force runs it again" in machine.run("module", "hostname").stderr
        assert len(platform.requests) == sent
        assert machine.run("stage", "final", "--force").returncode == 0
        assert platform.ready_count == 2
        machine.put("/etc/hostname", "changed\n")
        assert machine.run("module", "hostname", "--force").returncode == 0
        assert machine.read("/etc/hostname") != "changed\n"


def test_a_module_of_frequency_boot_runs_at_each_boot_without_the_network(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    settings = site_module(machine, "BOOT")
    with Platform() as platform:
        machine.lead_to(platform, settings)
        for number in range(3):
            assert next_boot(machine, number).returncode == 0
        assert machine.read("/count") == "3"
        assert platform.ready_count == 1
        assert next_boot(machine, 2).returncode == 0
        assert machine.read("/count") == "3", "the same boot again"


def test_a_module_of_frequency_once_runs_once_in_the_life_of_the_disk(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    settings = site_module(machine, "ONCE")
    with Platform() as platform:
        machine.lead_to(platform, settings)
        assert next_boot(machine, 0).returncode == 0
        machine.put("/sys/class/dmi/id/product_uuid", "d1e0a7b4-93c2-4b55-8a11-77f0c2a4e6d8\n")
        assert next_boot(machine, 1).returncode == 0
        assert platform.ready_count == 2
    assert machine.read("/count") == "1"


def test_the_settings_override_a_frequency(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    settings = (
        site_module(machine, "INSTANCE") + "[module.site_modules.counted]\nfrequency = boot\n"
    )
    with Platform() as platform:
        machine.lead_to(platform, settings)
        for number in range(2):
            assert next_boot(machine, number).returncode == 0
    assert machine.read("/count") == "2"


@pytest.mark.parametrize(
    "failure",
    [
        "raise RuntimeError('no')",
        "return None",
        "raise OSError(28, 'full')",
        "raise SystemError",
        "import nothing_of_that_name",
    ],
)
def test_a_required_module_that_fails_is_reported_and_runs_again(
    tmp_path: Any, failure: str
) -> None:
    machine = Machine(tmp_path)
    settings = site_module(machine, failure=failure)
    machine.put("/fail", "")
    with Platform() as platform:
        machine.lead_to(platform, settings)
        ended = next_boot(machine, 0)
        assert ended.returncode == 1
        reports = platform.final_reports
        assert [
            (report["state"], report["substatus"], report["accepted"]) for report in reports
        ] == [("NotReady", "ProvisioningFailed", True)]
        assert "site_modules.counted" in reports[0]["description"]
        assert reports[0]["description"].startswith("result=error|reason=")
        assert machine.run("status").returncode == 1
        # The others were not held up, and are not repeated.
        assert os.path.exists(machine.root + HOME + "/sem/module.users")
        assert not os.path.exists(machine.root + HOME + "/sem/module.site_modules.counted")
        os.unlink(machine.root + "/fail")
        machine.put("/etc/hostname", "kept\n")
        assert next_boot(machine, 1).returncode == 0
        assert machine.read("/etc/hostname") == "kept\n"
        assert platform.ready_count == 1
        assert machine.run("status").returncode == 0


@pytest.mark.parametrize("killed", [False, True])
def test_a_boot_after_a_failed_one_leaves_one_report_in_the_pool(
    tmp_path: Any, killed: bool
) -> None:
    """P9: canonical/cloud-init#4434: the host reads the first report of two. Also after a boot that
    was killed between the record in the pool and the platform's answer.
    """
    machine = Machine(tmp_path)
    settings = site_module(machine)
    machine.put("/fail", "")
    slow = {
        "name": "slow",
        "description": "The first reports hang.",
        "health": [{"hang_s": 600}] * killed,
        "expect": {"ready": 1, "outcome": "done", "reports": ["Ready"]},
    }
    with Platform(scenario=slow) as platform:
        machine.lead_to(platform, LONG_REQUESTS + settings)
        if killed:
            process = machine.start("boot")
            assert platform.wait_for(
                lambda the: [one for one in the.requests if one["method"] == "POST"], 60
            )
            process.kill()
            process.communicate()
        else:
            assert machine.run("boot", env=with_site(machine)).returncode == 1
        assert [key for key, _ in records(machine)] == ["PROVISIONING_REPORT"]
        os.unlink(machine.root + "/fail")
        assert machine.run("boot", env=with_site(machine)).returncode == 0
        assert platform.ready_count == 1
    ((key, value),) = records(machine)
    assert key == "PROVISIONING_REPORT" and value.startswith("result=success|")


def records(machine: Machine) -> Any:
    """What is in the key-value pool."""
    with open(machine.root + "/var/lib/hyperv/.kvp_pool_1", "rb") as handle:
        return kvp_records.records(handle.read())


def test_a_module_that_is_not_required_leaves_a_warning(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    settings = site_module(machine, required=False)
    machine.put("/fail", "")
    with Platform() as platform:
        machine.lead_to(platform, settings)
        assert next_boot(machine, 0).returncode == 0
        assert platform.ready_count == 1
        ended = machine.run("status", "--format", "json")
        assert ended.returncode == 2
        assert json.loads(ended.stdout)["extended_status"] == "degraded done"
        os.unlink(machine.root + "/fail")
        assert next_boot(machine, 1).returncode == 0
        assert machine.read("/count") == "2"
        assert platform.ready_count == 1
        assert machine.run("status").returncode == 0, "what failed has run since"


def test_a_module_that_does_not_exist_is_reported(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform, "[lightinit]\nmodules = hostname userz\n")
        assert machine.run("boot").returncode == 1
        assert "no such module" in platform.final_reports[0]["description"]


def test_a_broken_settings_file_still_ends_in_ready(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        machine.put(
            "/etc/lightinit/lightinit.conf",
            "[lightinit\nmodules = \n[network]\nlease_timeout_s = soon\n\x01\n",
        )
        ended = machine.run("boot")
        assert ended.returncode == 0
        assert "/etc/lightinit/lightinit.conf:4: [network] lease_timeout_s = soon" in ended.stderr
        assert platform.ready_count == 1
        assert machine.run("status").returncode == 2


def test_damaged_data_are_fetched_again(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    settings = site_module(machine)
    machine.put("/fail", "")
    with Platform() as platform:
        machine.lead_to(platform, settings)
        for name in ("local", "fetch"):
            assert machine.run("stage", name, env=with_site(machine)).returncode == 0
        machine.put(HOME + "/instance.json", '{"admin": ')
        os.unlink(machine.root + "/fail")
        assert machine.run("boot", env=with_site(machine)).returncode == 0
        assert platform.ready_count == 1


def test_two_at_once_one_is_refused(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        first = start_waiting(machine, "boot")
        try:
            second = machine.run("boot")
            assert second.returncode == 75
            assert "another lightinit is running" in second.stderr
            hand_out_lease(machine)
            waited = machine.run("status", "--wait", "--timeout", "240")
            assert waited.returncode == 0
        finally:
            hand_out_lease(machine)
            first.communicate(timeout=120)
        assert first.returncode == 0
        assert platform.ready_count == 1


def test_a_signal_ends_it_without_a_report_and_the_next_boot_resumes(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    slow = {
        "name": "slow",
        "description": "IMDS hangs once.",
        "imds": [{"hang_s": 600}],
        "expect": {"ready": 1, "outcome": "done", "reports": ["Ready"]},
    }
    with Platform(scenario=slow) as platform:
        machine.lead_to(platform, LONG_REQUESTS)
        process = machine.start("boot")
        assert platform.wait_for(
            lambda the: [one for one in the.requests if one["server"] == "imds"], 60
        )
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=120)
        assert process.returncode == 128 + signal.SIGTERM
        assert "the next boot resumes" in error
        assert not platform.final_reports
        assert machine.run("status").returncode == 1
        assert machine.run("boot").returncode == 0
        assert platform.ready_count == 1


def test_modules_added_later_run_without_a_second_report(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        sent = len(platform.requests)
        machine.lead_to(platform, site_module(machine))
        assert next_boot(machine, 1).returncode == 0
        assert machine.read("/count") == "1"
        assert len(platform.requests) == sent
        assert "nothing to do" in next_boot(machine, 2).stderr


def test_clean_makes_the_next_boot_a_first_one(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        for _ in range(2):
            assert machine.run("boot").returncode == 0
            assert machine.run("clean").returncode == 0
        assert platform.ready_count == 2
    assert machine.exists("/etc/hostname") and not machine.exists(
        "/var/lib/lightinit/instances/" + UUID
    )


MORE_TIME = "[azure]\nretry_first_s = 0.5\n"


def test_a_lease_that_comes_while_not_ready_is_tried_is_used(tmp_path: Any) -> None:
    """P5: canonical/cloud-init#1394: the boot goes on instead of reporting over that network that
    there is none.
    """
    machine = Machine(tmp_path)
    busy = {
        "name": "busy",
        "description": "The WireServer takes no report for some seconds.",
        "health": REFUSED_LATE,
        "expect": {"ready": 1, "outcome": "done", "reports": ["Ready"]},
    }
    settings = site_module(machine, "INSTANCE")
    with Platform(scenario=busy) as platform:
        machine.lead_to(platform, settings)
        machine.put("/etc/lightinit/conf.d/30-time.conf", MORE_TIME)
        process = start_waiting(machine, "boot", timeout_s=0.5, path=machine.root + "/site")
        assert platform.wait_for(lambda the: refusal_is_held(machine, the), 60)
        hand_out_lease(machine)
        let_go(platform)
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        assert "the failure has gone, the boot goes on: no network before the deadline" in error
        accepted = [report for report in platform.final_reports if report["accepted"]]
        assert [report["state"] for report in accepted] == ["Ready"]
    assert machine.run("status").returncode == 0
    assert machine.read("/count") == "1"
    steps = [step["name"] for step in machine.json(HOME + "/result.json")["steps"]]
    assert len(steps) == len(set(steps))
