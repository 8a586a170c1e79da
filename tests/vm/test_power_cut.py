"""Power cuts during a first boot, and what the next boot makes of what it finds: marks, custom data
that were executed, a resource disk with somebody's files.

By default the later cut on the cheapest image. LIGHTINIT_VM=all has both, on every image.
"""

from __future__ import annotations

import pytest

from tests.vm.facts import check_ready, provisioned
from tests.vm.qemu import optical_drive
from tests.vm.recipe import NAMES
from tests.vm.resource_disk import PLACE, QUESTIONS, SETTINGS, check_lent, lend, plugged_in
from tests.vm.scene import BOOT_TIMEOUT_S, FIRST, Checks, Scene, Stopwatch, all_or

# They run before the report.
CUSTOM_DATA = (
    """#!/bin/sh
set -e
echo ran >>/root/ran
echo mine >%s/kept
sync
"""
    % PLACE
)


# A second Ready may be sent when the power fails between the platform's accepting it and the mark
# that says so (docs/architecture.md). What is resumed does not depend on the network stack, so one
# image stands for the others. At the report all modules have left their marks, at the metadata
# none.
@pytest.mark.parametrize("scene", all_or(NAMES, ["bookworm-networkd"]), indirect=True)
@pytest.mark.parametrize(
    ("moment", "most"),
    all_or(
        [pytest.param("metadata", 1, id="metadata"), pytest.param("report", 2, id="report")],
        [pytest.param("report", 2, id="report")],
    ),
)
def test_power_cut(scene: Scene, moment: str, most: int) -> None:
    azure, watch = scene.azure, Stopwatch(scene.folder / "times")
    admin = scene.person("admin")
    azure.serve_dhcp()
    azure.stand_for(FIRST, "web-1", admin)
    lent = lend(scene.scratch("lent") / "temp.raw")
    custom_data = scene.file("custom", CUSTOM_DATA)
    media = scene.media(
        "--user-name", "admin", "--host-name", "web-1", "--custom-data", custom_data
    )
    machine = scene.machine(
        scene.changed({"/etc/lightinit/conf.d/20-test.conf": SETTINGS}),
        FIRST,
        devices=[*optical_drive(media), *plugged_in(lent)],
    ).start()
    seen = {
        "metadata": lambda: any(request["server"] == "imds" for request in azure.heard()),
        "report": azure.posts,
    }[moment]
    machine.wait_until(
        seen, BOOT_TIMEOUT_S, "the platform has not heard the request for the " + moment, 0.02
    )
    machine.cut_off()
    assert len(azure.posts()) == most - 1, "the power was cut too late"
    watch.lap("until the power cut")

    machine.start()
    with Checks() as checks:
        guest = scene.guest(machine, FIRST, admin)
        facts = provisioned(checks, azure, machine, guest, FIRST, "web-1", admin, QUESTIONS)
        check_ready(checks, azure, most)
        # Custom data have run once, and what they wrote to the resource disk is kept: it is ours.
        check_lent(checks, facts, kept=True)
    watch.lap("boot after it")
