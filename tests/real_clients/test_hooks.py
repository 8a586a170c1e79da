"""Hooks in real boots of a live root: what they do counts, and each boot has its own."""

from __future__ import annotations

import json
from typing import Any, List

from lightinit.hooks import FOLDER, PLACES
from tests.lib.netns import Namespace
from tests.real_clients.azure_side import BOOT, ENV, Azure, start_dhcp

SAID = "/var/log/said"
SAY = """#!/bin/sh
id alice >/dev/null 2>&1 && account=there || account=missing
echo "$LIGHTINIT_HOOK $account ${LIGHTINIT_ADMIN:-nobody}" >>/var/log/said
%s
"""
FIRST_BOOT = [
    "before-local missing nobody",
    "after-local missing nobody",
    "before-fetch missing nobody",
    "after-fetch missing alice",
    "before-config missing alice",
    "per-once there alice",
    "per-instance there alice",
    "per-boot there alice",
    "after-config there alice",
    "before-final there alice",
]


def said(vm: Namespace) -> List[str]:
    return vm.run("cat", SAID).splitlines()


def restart(vm: Namespace, number: int) -> None:
    """Another boot, as far as lightinit sees it."""
    vm.write("/run/boot_id", "%08d-2222-4222-8222-222222222222\n" % number)
    vm.run("mount", "--bind", "/run/boot_id", "/proc/sys/kernel/random/boot_id")


def result(vm: Namespace) -> Any:
    return json.loads(vm.run("cat", "/var/lib/lightinit/instance/result.json"))


def test_each_runs_in_its_place_and_a_required_one_counts(azure: Azure, vm: Namespace) -> None:
    azure.start()
    start_dhcp(azure, vm)
    for place in PLACES:
        vm.write("%s/%s/10-say" % (FOLDER, place), SAY % "", 0o755)
    required = "%s/before-final/20-required-mount" % FOLDER
    vm.write(required, "#!/bin/sh\necho the disk is missing\nexit 4\n", 0o755)
    process = vm.start(*BOOT, log=azure.folder / "boot.log", env=ENV)
    assert process.wait(300) == 1
    assert said(vm) == FIRST_BOOT
    log = (azure.folder / "boot.log").read_text()
    assert "before-final/20-required-mount: the disk is missing" in log
    (post,) = azure.posts()
    assert "NotReady" in post["body"] and "reason=hook failed" in post["body"]
    assert "step=before-final/20-required-mount" in post["body"]

    # After its cause has gone, the same boot goes on where it failed.
    vm.write(required, "#!/bin/sh\n", 0o755)
    vm.run(*BOOT, env=ENV)
    assert "<State>Ready</State>" in azure.posts()[-1]["body"]
    # fetch is done again after a failure, but its hooks are not: each has a mark of its own.
    assert said(vm) == FIRST_BOOT + ["after-final there alice"]
    assert result(vm)["errors"] == []
    vm.run(*BOOT, env=ENV)
    assert len(said(vm)) == len(FIRST_BOOT) + 1, "nothing is left to do in this boot"

    restart(vm, 2)
    vm.run(*BOOT, env=ENV)
    assert said(vm)[-1] == "per-boot there alice" and len(said(vm)) == len(FIRST_BOOT) + 2
    assert len(azure.posts()) == 2
    steps = [step["name"] for step in result(vm)["steps"] if step["kind"] == "hook"]
    assert len(steps) == len(PLACES) + 1 and steps[0] == "before-local/10-say"
