"""A preprovisioned VM under a real systemd: it waits in the pool for longer than systemd gives it,
moves into its owner's network, and becomes the owner's. The owner's custom data take too long.

On the one image where it is cheapest, the networkd one of bookworm.
"""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any, Dict

from tests.vm.azure import Person
from tests.vm.facts import journal, provisioned, units
from tests.vm.guest import Guest
from tests.vm.recipe import WATCHER
from tests.vm.scene import BOOT_TIMEOUT_S, CHEAP, FIRST, RARE, Checks, Scene, Stopwatch

# systemd's limit for lightinit, which has that long to reach the pool; the owner comes when it is
# over.
LIMIT_S = 30
OWNER_AFTER_S = 100.0
OWNERS_NETWORK = ("10.99.0.150", "10.99.0.199")
SETTINGS = """[azure]
reprovision_poll_s = 3600
[lightinit]
before_ready = yes
[module.scripts]
timeout_s = 3
"""
# None of these ends by itself, and not all are of one session.
TOO_LONG = """#!/bin/sh
echo a long tale begins
trap '' TERM HUP
sleep 4711 &
setsid sleep 4712 >/dev/null 2>&1 </dev/null &
sleep 4713
echo it never ends
"""
QUESTIONS = {
    "sleepers": "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -ao 'sleep 471[0-9]' || true",
    "folder": "ls -A /run/lightinit/scripts",
    "script units": "systemctl list-units --all --no-legend --plain 'lightinit-custom*'",
    "log": "journalctl -b -u lightinit.service -o cat --no-pager",
}


def scenario(owner: Person) -> Dict[str, Any]:
    """A VM of the pool, and its owner."""
    keys = [{"keyData": owner.public, "path": "/home/owner/.ssh/authorized_keys"}]
    compute = {
        "name": "owned-vm",
        "publicKeys": keys,
        "osProfile": {"adminUsername": owner.name, "computerName": "owned-vm"},
    }
    return {
        "name": "pool",
        "description": "A VM without an owner.",
        "preprovisioned": "Running",
        "assign_after_s": OWNER_AFTER_S,
        "assign": {
            "instance": {"compute": compute},
            "ovf": {
                "user_name": owner.name,
                "host_name": "owned-vm",
                "ssh_keys": [owner.public],
                "custom_data": TOO_LONG,
            },
        },
    }


@RARE
@CHEAP
def test_pool(scene: Scene) -> None:
    azure, watch = scene.azure, Stopwatch(scene.folder / "times")
    keeper, owner = scene.person("keeper"), scene.person("owner")
    azure.serve_dhcp()
    azure.stand_for(
        FIRST, "pool-7", keeper, scenario=scene.file("pool.json", json.dumps(scenario(owner)))
    )
    files = {
        "/etc/lightinit/conf.d/20-test.conf": SETTINGS,
        "/etc/systemd/system/lightinit.service.d/20-test.conf": (
            "[Service]\nTimeoutStartSec=%d\n" % LIMIT_S
        ),
    }
    password = scene.put_password(files)
    machine = scene.machine(scene.changed(files), FIRST).start()
    guest = scene.guest(machine, FIRST, owner)
    with Checks() as checks:
        checks.begin("in the pool")
        machine.wait_until(
            lambda: azure.accepted("Ready"), BOOT_TIMEOUT_S, "the pool has not heard Ready"
        )
        ready_s = time.monotonic()
        watch.lap("until the pool's Ready")
        terminal = machine.open_console()
        terminal.log_in(WATCHER, password, BOOT_TIMEOUT_S)
        shown = terminal.run(
            "lightinit status --long || [ $? = 3 ]; systemctl is-active ssh.service"
            " lightinit.service lightinit-local.target lightinit-config.target; hostname; getent"
            " passwd keeper owner; true"
        )
        watch.lap("console")
        checks.that(
            "status: running" in shown and "waiting for the VM's owner" in shown,
            "status says that it waits",
            shown,
        )
        checks.that(
            "inactive activating active inactive image" in " ".join(shown.split()),
            "sshd waits, and lightinit",
            shown,
        )
        checks.that("/home/" not in shown, "there is no account of anybody", shown)
        checks.that(ask_for_keys(guest, scene) == "", "nothing answers at port 22")
        old = guest.address
        # Into the owner's network: the cable is out while it is laid elsewhere.
        machine.set_link(False)
        azure.serve_dhcp(*OWNERS_NETWORK)
        machine.comes_true(lambda: "no interface with a carrier" in machine.console(), 60.0)
        machine.set_link(True)
        checks.that(
            time.monotonic() - ready_s < OWNER_AFTER_S,
            "the network changes before the owner comes",
            time.monotonic() - ready_s,
        )
        checks.same(len(azure.posts()), 1, "how many reports the platform has heard")

        checks.begin("with an owner")
        facts = provisioned(
            checks, azure, machine, guest, FIRST, "owned-vm", owner, QUESTIONS, statuses=(2,)
        )
        checks.that(
            guest.address != old,
            "the owner's network has another address for it",
            (old, guest.address),
        )
        said = facts["log"].text
        checks.that(
            "the network changes: no interface with a carrier" in said
            and "the network changes: eth0" in said,
            "lightinit has seen the link go down and up",
            said,
        )
        checks.that(
            "the owner's network: eth0 %s" % guest.address in said, "and the new address", said
        )
        posts = [(post["status"], "<State>Ready</State>" in post["body"]) for post in azure.posts()]
        checks.same(
            posts,
            [(200, True)] * 2,
            "the reports that the platform has heard: status, and whether it is Ready",
        )
        checks.that(
            "keeper" not in facts["passwd"].text, "the pool's name is no account's", facts["passwd"]
        )
        unit = units(facts)["lightinit.service"]
        took_s = (
            int(unit["ExecMainExitTimestampMonotonic"])
            - int(unit["ExecMainStartTimestampMonotonic"])
        ) / 1e6
        checks.same(
            (unit["TimeoutStartUSec"], unit["Result"], unit["ActiveState"]),
            ("%ds" % LIMIT_S, "success", "active"),
            "the unit's limit, result and state",
        )
        checks.that(took_s > LIMIT_S, "lightinit took longer than systemd's limit", took_s)
        checks.that(
            "timed out"
            not in " ".join(
                entry["MESSAGE"]
                for entry in journal(facts)
                if entry.get("SYSLOG_IDENTIFIER") == "systemd"
            ),
            "systemd has ended nothing",
        )

        checks.begin("custom data that take too long")
        checks.that(
            "custom data script took too long" in facts["status"].text,
            "the warning says so",
            facts["status"],
        )
        checks.that(
            "a long tale begins" in said and "it never ends" not in said,
            "what the script has printed",
            said,
        )
        checks.that("sandbox" not in said, "the script is not run inside the sandbox", said)
        checks.same(facts["sleepers"].text, "", "what of its processes is left")
        checks.same(
            (facts["folder"].text, facts["script units"].text),
            ("", ""),
            "what is left of the script, and its units",
        )
        watch.lap("until the owner's VM was looked at")


def ask_for_keys(guest: Guest, scene: Scene) -> str:
    """What sshd shows to anybody who asks; "" when nobody answers."""
    argv = scene.azure.machine.command("ssh-keyscan", "-T", "5", guest.address)
    return subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    ).stdout.decode()
