"""What else the platform hands a VM, and what comes of it: ejection, the news of work, custom data,
more modules.
"""

from __future__ import annotations

import gzip
import json
import os
from typing import Any, Dict, List

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.emulated.boots import (
    documented,
    late_health,
    lead,
    let_go,
    not_ready,
    put,
    ready,
    report_is_held,
)
from tests.lib.scratch import Machine

INSTANCE = "/var/lib/lightinit/instance"
EJECTS = "scratch root: left out: ejecting the provisioning media"
NOBODY = {"compute": {"osProfile": {"adminUsername": "root", "computerName": "web-1"}}}


def fetched_from_a_drive(machine: Machine, platform: Platform) -> None:
    """Walk the first stages; the medium is noted as one in a drive, which a directory is not."""
    put(machine, make_ovf("azureuser", "web-1"))
    lead(machine, platform)
    for stage in ("local", "fetch"):
        assert machine.run("stage", stage).returncode == 0
    data = machine.json(INSTANCE + "/instance.json")
    assert data["raw"]["media"]["optical"] is False
    data["raw"]["media"]["optical"] = True
    machine.put(INSTANCE + "/instance.json", json.dumps(data))


def test_media_are_ejected_before_the_platform_hears_ready(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(scenario=late_health(["Ready"])) as platform:
        fetched_from_a_drive(machine, platform)
        process = machine.start("boot")
        assert platform.wait_for(lambda it: report_is_held(machine, it), 60)
        # The report has come, and is not answered yet.
        assert EJECTS in machine.read("/var/log/lightinit.log")
        assert process.poll() is None
        let_go(platform)
        process.communicate(timeout=120)
        assert process.returncode == 0 and platform.ready_count == 1


def test_media_stay_for_the_next_attempt_when_this_one_has_failed(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(instance=NOBODY) as platform:
        fetched_from_a_drive(machine, platform)
        not_ready(machine, platform, machine.run("boot"), "user name is not allowed")
    assert EJECTS not in machine.read("/var/log/lightinit.log")


@pytest.mark.parametrize("told", [True, False])
def test_the_platform_hears_once_that_the_vm_is_at_work(tmp_path: Any, told: bool) -> None:
    machine = Machine(tmp_path)
    settings = "progress_after_s = 0\nreport_progress = %s\n" % ("yes" if told else "no")
    with Platform() as platform:
        lead(machine, platform, settings, media="none")
        ready(machine, platform, machine.run("boot"))
        assert machine.run("boot").returncode == 0
        heard = [
            (report["state"], report["substatus"], report["accepted"])
            for report in platform.health_reports
        ]
        assert [(state, accepted) for state, _, accepted in heard] == [
            ("NotReady", True)
        ] * told + [("Ready", True)]
        assert not told or heard[0][1] == "Provisioning"


@pytest.mark.parametrize("media", [True, False])
def test_whether_there_is_a_pool_is_in_the_one_answer_of_imds(tmp_path: Any, media: bool) -> None:
    machine = Machine(tmp_path)
    if media:
        put(machine, make_ovf("azureuser", "web-1"))
    with Platform() as platform:
        lead(machine, platform, "", **({} if media else {"media": "none"}))
        ready(machine, platform, machine.run("boot"))
        asked = [
            (request["query"].get("extended"), request["connection"])
            for request in platform.requests
            if request["server"] == "imds"
        ]
    assert asked == [("true", 1)]


CLOUD_CONFIG = b"#cloud-config\npackages: [xenon]\n"


def test_cloud_config_is_recognised_and_kept(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    put(machine, make_ovf("azureuser", "web-1", custom_data=gzip.compress(CLOUD_CONFIG)))
    with Platform() as platform:
        lead(machine, platform, "[lightinit]\nuser_data = keep")
        ready(
            machine,
            platform,
            machine.run("boot"),
            "custom data kept and not run (#cloud-config)",
        )
    assert machine.read(INSTANCE + "/custom-data") == CLOUD_CONFIG.decode(), "unpacked"
    assert os.stat(machine.root + INSTANCE + "/custom-data").st_mode & 0o777 == 0o600


BAD_GZIP: Dict[str, bytes] = {
    "gzip data are damaged": gzip.compress(b"x" * 5000)[:-9],
    "gzip data unpack to too much": gzip.compress(bytes(17 * 1024 * 1024)),
}


@pytest.mark.parametrize("reason", sorted(BAD_GZIP))
def test_custom_data_that_cannot_be_unpacked_are_kept_as_they_came(
    tmp_path: Any, reason: str
) -> None:
    machine = Machine(tmp_path)
    put(machine, make_ovf("azureuser", "web-1", custom_data=BAD_GZIP[reason]))
    with Platform() as platform:
        lead(machine, platform)
        ready(machine, platform, machine.run("boot"), "custom data kept as it came: " + reason)
    documented(reason)
    with open(machine.root + INSTANCE + "/custom-data", "rb") as handle:
        assert handle.read() == BAD_GZIP[reason]


def test_modules_that_settings_order(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/usr/share/zoneinfo/Europe/Berlin", "TZif2" + "\0" * 39)
    machine.put("/etc/timezone", "Etc/UTC\n")
    with Platform() as platform:
        lead(
            machine,
            platform,
            "[module.timezone]\nzone = Europe/Berlin\n[module.write_files]\nfiles =\n"
            "    /etc/motd text=Welcome.\\nBye.\n    /etc/app/key mode=0600 base64=AAECAw==\n",
            media="none",
        )
        ready(machine, platform, machine.run("boot"))
    assert os.readlink(machine.root + "/etc/localtime") == "../usr/share/zoneinfo/Europe/Berlin"
    assert (
        machine.read("/etc/timezone") == "Europe/Berlin\n"
        and machine.read("/etc/motd") == "Welcome.\nBye.\n"
    )
    assert os.stat(machine.root + "/etc/app/key").st_mode & 0o777 == 0o600


def test_what_could_destroy_is_off_by_default_and_user_data_run(tmp_path: Any) -> None:
    lines: List[str] = Machine(tmp_path).run("config").stdout.splitlines()
    (modules,) = [line.split() for line in lines if line.startswith("modules = ")]
    assert "ephemeral_disk" not in modules and "custom_data" in modules
    assert "user_data = run" in [line.partition("#")[0].strip() for line in lines]


@pytest.mark.parametrize("busy", [429, 503])
def test_a_throttled_report_is_sent_again_alone(tmp_path: Any, busy: int) -> None:
    """P11: each goal state in between would be the one request that such a server takes."""
    machine = Machine(tmp_path)
    scenario = {
        "name": "throttled",
        "description": "The WireServer is busy.",
        "health": [{"status": busy, "repeat": 3}],
        "expect": {"ready": 1, "outcome": "done", "reports": ["Ready"]},
    }
    with Platform(scenario=scenario) as platform:
        machine.lead_to(platform, "[azure]\nreport_progress = no\n")
        assert machine.run("boot").returncode == 0
        asked = [one["method"] for one in platform.requests if "/machine" in one["path"]]
    assert asked == ["GET", "POST", "POST", "POST", "POST"]
