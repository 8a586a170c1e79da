"""Some VMs at once against one platform: how many requests they need. `make bench-fleet` has
hundreds. Counts only.
"""

from __future__ import annotations

import socket
import threading
from typing import Any, Dict, List

import pytest

from lightinit.emulator import Platform
from tests.lib.fleet import FleetVm, boot_fleet
from tests.lib.tiny_platform import PatientDatasource

COUNT = 20


def boot(tmp_path: Any, platform: Platform, count: int = COUNT, **options: Any) -> List[FleetVm]:
    leading: Dict[str, Any] = {"wireserver": platform.wireserver, "imds": platform.imds}
    quiet = {"progress_after_s": 3600.0}
    options = {**leading, **quiet, **options}
    vms = boot_fleet(str(tmp_path), count, options, 0.0, 0.0, kind=PatientDatasource)
    assert [str(vm.error) for vm in vms if vm.error is not None] == []
    assert all(vm.ready_s is not None for vm in vms)
    assert platform.ready_count == count, "each of them once"
    return vms


def test_each_vm_of_a_fleet_needs_three_requests_and_two_connections(tmp_path: Any) -> None:
    with Platform() as platform:
        vms = boot(tmp_path, platform)
        assert {tuple(vm.results) for vm in vms} == {("200", "200", "200")}
        assert len(platform.requests) == 3 * COUNT
        assert len(platform.connections) == 2 * COUNT


@pytest.mark.long
def test_a_throttled_fleet_gets_ready_and_refused_requests_do_not_go_on_for_ever(
    tmp_path: Any,
) -> None:
    scenario = {
        "name": "busy",
        "description": "The WireServer takes twenty requests a second.",
        "rate_limit": {"wireserver": {"per_s": 20, "burst": 5, "retry_after_s": 1}},
    }
    with Platform(scenario) as platform:
        boot(tmp_path, platform, retry_first_s=0.2)
        statuses = [one["status"] for one in platform.requests if one["server"] == "wireserver"]
        assert statuses.count(200) == 2 * COUNT, "nothing that was taken is asked for again"
        # A machine that is so busy that it sends less is not refused.
        assert statuses.count(429) <= 4 * COUNT
        assert set(statuses) <= {200, 429}


def test_a_platform_with_too_many_connections_says_503_and_the_vm_comes_back(
    tmp_path: Any,
) -> None:
    """Both servers are full until each has sent the VM away once."""
    with Platform(most_connections=3) as platform:
        kept = [
            socket.create_connection((host, int(port)))
            for host, port in (each.split(":") for each in (platform.wireserver, platform.imds))
            for _ in range(3)
        ]
        assert platform.wait_for(lambda it: len(it.connections) == 6)

        def free() -> None:
            platform.wait_for(
                lambda it: {one["server"] for one in it.requests} == {"wireserver", "imds"}
            )
            for each in kept:
                each.close()

        freeing = threading.Thread(target=free)
        freeing.start()
        boot(tmp_path, platform, count=1)
        freeing.join()
        statuses = [(one["server"], one["status"]) for one in platform.requests]
        assert statuses.count(("imds", 200)) == 1 and statuses.count(("wireserver", 200)) == 2
        assert {status for _, status in statuses} == {200, 503}
