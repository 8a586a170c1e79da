"""How many round trips a first boot waits for, one after the other. The emulator counts them by
what came after what, not by a clock.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Dict, List, Tuple

import pytest

from lightinit.emulator import Platform
from tests.lib.scratch import HERE, UUID, Machine

# No report of progress, however slow the machine is that runs the tests.
QUIET = "[azure]\nprogress_after_s = 3600\n"


def playing(**steps: Any) -> Dict[str, Any]:
    """A scenario in which each answer to a first request is held until the other one has come."""
    beside = {"imds": [{"waits_for": "goalstate"}], "goalstate": [{"waits_for": "imds"}]}
    return dict(
        beside,
        name="held",
        description="IMDS and the WireServer answer only once both are asked.",
        expect={"ready": 1, "outcome": "done", "reports": ["Ready"]},
        **steps,
    )


def asked(platform: Platform) -> List[Tuple[str, str, int]]:
    """Server, kind and status of each request, as they came."""
    return [
        (one["server"], one["query"].get("comp") or one["path"].rpartition("/")[2], one["status"])
        for one in sorted(platform.requests, key=lambda one: int(one["came"]))
    ]


def test_a_first_boot_waits_for_a_connection_imds_and_the_report(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(scenario=playing()) as platform:
        machine.lead_to(platform, QUIET)
        ended = machine.run("boot")
        assert ended.returncode == 0, ended.stderr
        assert sorted(asked(platform)[:2]) == [
            ("imds", "instance", 200),
            ("wireserver", "goalstate", 200),
        ]
        assert asked(platform)[2:] == [("wireserver", "health", 200)]
        # Both connections were opened before anything was answered; the report needs no third.
        answered = min(one["answered"] for one in platform.requests)
        assert [one["opened"] < answered for one in platform.connections] == [True, True]
        assert platform.round_trips == [2, 2, 3]
    (asked_imds,) = [one for one in platform.requests if one["server"] == "imds"]
    assert asked_imds["query"]["extended"] == "true"


# Writes each import of lightinit's own, each connection and each program to a file, in order.
RECORDER = """
import sys
record = open(sys.argv[1], "w", buffering=1)
def hook(event, arguments):
    if event == "import" and arguments[0].startswith("lightinit."):
        print("import", arguments[0], file=record)
    elif event == "socket.connect" and len(arguments[1]) == 2:
        print("connect", file=record)
sys.addaudithook(hook)
sys.argv[1:] = sys.argv[2:]
sys.path.insert(0, %r)
from lightinit.__main__ import main
main()
"""


@pytest.mark.skipif(sys.version_info < (3, 8), reason="audit events are new in Python 3.8")
def test_where_the_lease_is_there_the_requests_come_before_the_imports(tmp_path: Any) -> None:
    """What both requests need is imported before them, and the work of the modules while
    the answers are awaited.
    """
    machine = Machine(tmp_path)
    record = tmp_path / "record"
    with Platform(scenario=playing()) as platform:
        machine.lead_to(platform, QUIET)
        argv = [sys.executable, "-I", "-S", "-c", RECORDER % HERE, str(record)]
        ended = subprocess.run(argv + ["boot", "--root", machine.root], stderr=subprocess.PIPE)
        assert ended.returncode == 0, ended.stderr
    # Of the two threads, one may be a little later than the first imports.
    before, _, after = record.read_text().partition("connect\n")
    early, late = ({line[7:] for line in text.splitlines()} for text in (before, after))
    assert len(platform.connections) == 2 and "lightinit.host.network.watch" in early
    # What users, root_disk, timezone and the login check work with.
    works = {"lightinit.host.accounts.grant", "lightinit.formats.disks.growth"}
    works |= {"lightinit.formats.timezone", "lightinit.login.pam_modules"}
    assert works <= late and not works & early


def test_a_goal_state_that_is_out_of_date_costs_one_refusal(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    moves = [{"advance_incarnation": 1}]
    with Platform(scenario=playing(health=moves)) as platform:
        machine.lead_to(platform, QUIET)
        assert machine.run("boot").returncode == 0
        assert asked(platform)[2:] == [
            ("wireserver", "health", 410),
            ("wireserver", "goalstate", 200),
            ("wireserver", "health", 200),
        ]
        assert platform.round_trips[-1] == 5
        assert [report["accepted"] for report in platform.health_reports] == [False, True]
        assert len(platform.connections) == 2


def test_without_dmi_the_document_is_asked_for_once(tmp_path: Any) -> None:
    machine = Machine(tmp_path, without=["/sys/class/dmi/id/product_uuid"])
    scenario = dict(playing(), imds=[], goalstate=[])
    with Platform(scenario=scenario, instance={"compute": {"vmId": UUID}}) as platform:
        machine.lead_to(platform, QUIET)
        assert machine.run("boot").returncode == 0
        assert asked(platform) == [
            ("imds", "instance", 200),
            ("wireserver", "goalstate", 200),
            ("wireserver", "health", 200),
        ]
    assert machine.exists("/var/lib/lightinit/instances/%s/instance.json" % UUID)
