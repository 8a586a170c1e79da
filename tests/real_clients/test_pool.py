"""A preprovisioned VM and its owner's network, with real links: one that goes down and up, and a
NIC that is taken away.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Sequence

import pytest

from tests.lib.netns import Namespace, need, wait_until
from tests.real_clients.azure_side import BOOT, ENV, Azure, start_dhcp

pytestmark = pytest.mark.long

STATUS = "grep waiting_for /run/lightinit/status.json 2>/dev/null || true"
KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMuSD3ASAcvjt0ZWrZ+XvLM0YjtvaJ8eijsciRHrITCM owner@example"
)


def scenario(kind: str, after_s: float, health: Sequence[Dict[str, Any]] = ()) -> Dict[str, Any]:
    """A VM of that pool; the owner's data are there so many seconds after its network was
    changed.
    """
    compute = {
        "name": "owned-vm",
        "osProfile": {"adminUsername": "owner", "computerName": "owned-vm"},
        "publicKeys": [{"keyData": KEY, "path": "/home/owner/.ssh/authorized_keys"}],
    }
    return {
        "name": "pool",
        "description": "A VM without an owner.",
        "preprovisioned": kind,
        "assign_after_s": after_s,
        "health": list(health),
        "assign": {
            "ovf": {"user_name": "owner", "host_name": "owned-vm", "ssh_keys": [KEY]},
            "instance": {"compute": compute},
        },
    }


def start(
    azure: Azure,
    vm: Namespace,
    kind: str,
    hook: str,
    after_s: float = 1.0,
    client: str = "dhclient",
    health: Sequence[Dict[str, Any]] = (),
) -> Any:
    """The platform, the VM's DHCP client and lightinit. Asked rarely: only a change of the network
    explains haste.
    """
    (azure.folder / "pool.json").write_text(json.dumps(scenario(kind, after_s, health)))
    azure.arguments = ["--scenario", str(azure.folder / "pool.json"), "--on-pool-ready", hook]
    azure.start()
    if client == "dhclient":
        start_dhcp(azure, vm)
    else:
        azure.machine.serve_dhcp(
            "vs", "10.99.0.50", "10.99.0.99", azure.folder, ["245,a8:3f:81:10"]
        )
        vm.start(
            "busybox", "udhcpc", "-f", "-i", "eth0", "-O", "245", log=azure.folder / "udhcpc.log"
        )
    vm.write("/etc/lightinit/conf.d/50-test.conf", "[azure]\nreprovision_poll_s = 3600\n")
    return vm.start(
        *BOOT,
        log=azure.folder / "boot.log",
        env=ENV,
    )


def check(azure: Azure, vm: Namespace, process: Any, answered: bool = True) -> str:
    """It ends with the owner's account, and the platform has heard Ready twice: for the pool, and
    for the owner.
    """
    assert process.wait(300) == 0, (azure.folder / "boot.log").read_text()
    said = (azure.folder / "boot.log").read_text()
    # A report that is not answered is in the log when it ends.
    wait_until(lambda: len(azure.posts()) >= 2, 60, said)
    assert sorted(post["status"] or 0 for post in azure.posts()) == [
        200 if answered else 0,
        200,
    ], said
    assert all("<State>Ready</State>" in post["body"] for post in azure.posts())
    assert vm.run("id", "-un", "owner") == "owner\n"
    assert KEY.split()[1] in vm.run("cat", "/home/owner/.ssh/authorized_keys")
    assert vm.run("cat", "/etc/hostname") == "owned-vm\n"
    assert "alice" not in vm.run("cat", "/etc/passwd"), "what the pool's document says is nobody's"
    return said


def test_running_a_link_that_flaps(azure: Azure, vm: Namespace) -> None:
    go = azure.folder / "go"
    wait = "until [ -e %s ]; do sleep 0.1; done; " % go
    process = start(azure, vm, "Running", wait + "ip link set vs down; sleep 2; ip link set vs up")
    wait_until(lambda: "owner" in vm.run("sh", "-c", STATUS), 60, "it does not wait for its owner")
    scratch = vm.run("sh", "-c", "ls -d /etc/ssh/.lightinit-new 2>/dev/null || true")
    assert scratch == "", "no host key of the time before the owner may stay"
    go.touch()
    said = check(azure, vm, process)
    # Down, or up again: a question that was on its way may bring the owner in between.
    assert "the network changes: " in said, said
    timeline = json.loads(vm.run("cat", "/var/lib/lightinit/instance/timeline.json"))["entries"]
    made = [entry for entry in timeline if entry["name"] == "ssh-keygen"]
    assert len(made) == 3, "begun anew for the owner, one program for each type"


def test_savable_a_nic_that_is_taken_away_and_another_one_attached(
    azure: Azure,
    vm: Namespace,
) -> None:
    detached: Path = azure.folder / "detached"
    process = start(azure, vm, "Savable", "ip link delete vs; touch %s" % detached)
    wait_until(detached.exists, 60, "the platform does not take the NIC away")
    wait_until(
        lambda: "no interface with a carrier" in (azure.folder / "boot.log").read_text(),
        60,
        "lightinit does not see it",
    )
    azure.machine.connect("vs", vm, "eth0")
    azure.machine.add_address("vs", "10.99.0.1/24")
    # As udev has it done when a NIC comes.
    vm.start(
        "dhclient",
        "-d",
        "-pf",
        "/run/dhclient-2.pid",
        "-lf",
        "/var/lib/dhcp/dhclient.eth0.leases",
        "eth0",
        log=azure.folder / "dhclient-2.log",
    )
    said = check(azure, vm, process)
    assert "the network changes: eth0" in said, said


# The platform takes the report, and the VM's network away from under the answer that is still to
# come.
UNANSWERED = [{"hang_s": 12, "processed": True}]


def test_savable_a_nic_that_is_taken_away_before_the_report_is_answered(
    azure: Azure,
    vm: Namespace,
) -> None:
    detached: Path = azure.folder / "detached"
    process = start(
        azure, vm, "Savable", "ip link delete vs; touch %s" % detached, health=UNANSWERED
    )
    wait_until(detached.exists, 60, "the platform does not take the NIC away")
    wait_until(
        lambda: "the answer to the report was lost" in (azure.folder / "boot.log").read_text(),
        60,
        "lightinit goes on reporting",
    )
    azure.machine.connect("vs", vm, "eth0")
    azure.machine.add_address("vs", "10.99.0.1/24")
    vm.start(
        "dhclient",
        "-d",
        "-pf",
        "/run/dhclient-2.pid",
        "-lf",
        "/var/lib/dhcp/dhclient.eth0.leases",
        "eth0",
        log=azure.folder / "dhclient-2.log",
    )
    check(azure, vm, process, answered=False)


def test_running_a_link_that_flaps_before_the_report_is_answered(
    azure: Azure,
    vm: Namespace,
) -> None:
    process = start(
        azure, vm, "Running", "ip link set vs down; sleep 2; ip link set vs up", health=UNANSWERED
    )
    said = check(azure, vm, process, answered=False)
    assert "the answer to the report was lost" in said, said


@pytest.mark.parametrize("client", ["dhclient", "udhcpc"])
def test_the_owners_network_is_another_subnet(
    azure: Azure,
    vm: Namespace,
    client: str,
) -> None:
    """Clients that do not watch the link would keep the pool's address, with which nothing is to be
    reached there.
    """
    need("busybox")
    detached: Path = azure.folder / "detached"
    process = start(azure, vm, "Running", "ip link set vs down; touch %s" % detached, client=client)
    wait_until(detached.exists, 60, "the platform does not take the link down")
    azure.machine.run("ip", "address", "flush", "dev", "vs")
    azure.machine.add_address("vs", "10.77.0.1/24")
    azure.machine.serve_dhcp("vs", "10.77.0.50", "10.77.0.99", azure.folder, ["245,a8:3f:81:10"])
    said = check(azure, vm, process)
    assert "another lease" in said, said
    assert "inet 10.77.0." in vm.run("ip", "-4", "address", "show", "dev", "eth0")
    assert "the owner's network: eth0 10.77.0." in said, said
