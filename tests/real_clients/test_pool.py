"""A preprovisioned VM and its owner's network, with real links: one that goes down and up, and a NIC that is taken away."""
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict

from tests.real_clients.netns import Namespace, wait_until
from tests.real_clients.test_whole import ENV, Azure, azure, start_dhcp, vm  # noqa: F401 - the last but one are fixtures

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMuSD3ASAcvjt0ZWrZ+XvLM0YjtvaJ8eijsciRHrITCM owner@example"


def scenario(kind: str, after_s: float) -> Dict[str, Any]:
    """A VM of that pool; the owner's data are there so many seconds after its network was changed."""
    compute = {"name": "owned-vm", "osProfile": {"adminUsername": "owner", "computerName": "owned-vm"},
               "publicKeys": [{"keyData": KEY, "path": "/home/owner/.ssh/authorized_keys"}]}
    return {"name": "pool", "description": "A VM without an owner.", "preprovisioned": kind, "assign_after_s": after_s,
            "assign": {"ovf": {"user_name": "owner", "host_name": "owned-vm", "ssh_keys": [KEY]},
                       "instance": {"compute": compute}}}


def start(azure: Azure, vm: Namespace, kind: str, hook: str, after_s: float = 1.0) -> Any:  # noqa: F811
    """The platform, the VM's DHCP client and lightinit. Asked rarely: only a change of the network explains haste."""
    (azure.folder / "pool.json").write_text(json.dumps(scenario(kind, after_s)))
    azure.arguments = ["--scenario", str(azure.folder / "pool.json"), "--on-pool-ready", hook]
    azure.start()
    start_dhcp(azure, vm)
    vm.write("/etc/lightinit/conf.d/50-test.conf", "[azure]\nreprovision_poll_s = 3600\n")
    return vm.start("unshare", "--uts", sys.executable, "-m", "lightinit", "boot", log=azure.folder / "boot.log", env=ENV)


def check(azure: Azure, vm: Namespace, process: Any) -> str:  # noqa: F811
    """It ends with the owner's account, and the platform has heard Ready twice: for the pool, and for the owner."""
    assert process.wait(90) == 0, (azure.folder / "boot.log").read_text()
    said = (azure.folder / "boot.log").read_text()
    assert [post["status"] for post in azure.posts()] == [200, 200], said
    assert all("<State>Ready</State>" in post["body"] for post in azure.posts())
    assert vm.run("id", "-un", "owner") == "owner\n"
    assert KEY.split()[1] in vm.run("cat", "/home/owner/.ssh/authorized_keys")
    assert vm.run("cat", "/etc/hostname") == "owned-vm\n"
    assert "alice" not in vm.run("cat", "/etc/passwd"), "what the pool's document says is nobody's"
    return said


def test_running_a_link_that_flaps(azure: Azure, vm: Namespace) -> None:  # noqa: F811
    # Not at once: a flap that is over before lightinit looks at its links is found by the next poll, an hour later here.
    flap = "sleep 3; ip link set vs down; sleep 2; ip link set vs up"
    process = start(azure, vm, "Running", flap)
    said = check(azure, vm, process)
    assert "the network changes: no interface with a carrier" in said and "the network changes: eth0" in said, said


def test_savable_a_nic_that_is_taken_away_and_another_one_attached(azure: Azure, vm: Namespace) -> None:  # noqa: F811
    detached: Path = azure.folder / "detached"
    process = start(azure, vm, "Savable", "ip link delete vs; touch %s" % detached)
    wait_until(detached.exists, 60, "the platform does not take the NIC away")
    wait_until(lambda: "no interface with a carrier" in (azure.folder / "boot.log").read_text(), 20,
               "lightinit does not see it")
    azure.machine.connect("vs", vm, "eth0")
    azure.machine.add_address("vs", "10.99.0.1/24")
    # As udev has it done when a NIC comes.
    vm.start("dhclient", "-d", "-pf", "/run/dhclient-2.pid", "-lf", "/var/lib/dhcp/dhclient.eth0.leases", "eth0",
             log=azure.folder / "dhclient-2.log")
    said = check(azure, vm, process)
    assert "the network changes: eth0" in said, said
