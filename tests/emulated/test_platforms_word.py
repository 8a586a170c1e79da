"""What the platform says is heard, and not believed too early: the real command against the
emulator.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.emulated.boots import (
    NO_DOCUMENT,
    documented,
    lead,
    not_ready,
    put,
    ready,
    reported,
    told,
)
from tests.lib.scratch import Machine

INSTANCE = "/var/lib/lightinit/instance"
POOLS_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE pool@example"
)
OWNERS_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMuSD3ASAcvjt0ZWrZ+XvLM0YjtvaJ8eijsciRHrITCM own@example"
)


def scenario(**more: Any) -> Dict[str, Any]:
    return dict({"name": "here", "description": "Of this test."}, **more)


def more(machine: Machine, azure: str) -> None:
    """Further settings of the section [azure], over those of the tests."""
    machine.put("/etc/lightinit/conf.d/30-more.conf", "[azure]\n%s\n" % azure)


def asked(platform: Platform, word: str) -> List[Any]:
    return [one for one in platform.requests if word in str(one["query"]) or word in one["path"]]


def test_a_plain_document_that_is_not_whole_is_not_believed(tmp_path: Any) -> None:
    """P1: Azure/azure-init#134."""
    machine = Machine(tmp_path)
    with Platform(scenario="imds-extended-500-then-good") as platform:
        machine.lead_to(platform)
        ready(machine, platform, machine.run("boot"))
    assert machine.read("/home/azureuser/.ssh/authorized_keys")
    assert machine.exists(INSTANCE + "/user-data")
    assert machine.run("query", "tags").stdout.strip() != "{}"


def test_the_plain_document_is_better_than_none(tmp_path: Any) -> None:
    """P1: extended=true gives nothing but 500."""
    machine = Machine(tmp_path)
    told_so = "imds gave no extended document, only the plain one"
    with Platform(scenario="imds-extended-500-forever") as platform:
        machine.lead_to(platform)
        ready(machine, platform, machine.run("boot"), told_so)
    assert machine.read("/home/azureuser/.ssh/authorized_keys")


def test_a_vm_from_a_specialized_disk(tmp_path: Any) -> None:
    """P10: Azure/WALinuxAgent#754, #506. With waits that this test would notice."""
    machine = Machine(tmp_path)
    with Platform(scenario="imds-specialized") as platform:
        machine.lead_to(platform)
        more(machine, "complete_timeout_s = 500\nmedia_wait_s = 500")
        ended = machine.run("boot")
        ready(machine, platform, ended, "the platform names no admin user", "nobody may be able to")
        assert "firewall" not in ended.stderr and "from a specialized disk" in ended.stderr


def pool_vm(**assign: Any) -> Dict[str, Any]:
    """A VM of a pool whose admin has the same name as the owner's."""
    owners = {
        "name": "owned-vm",
        "publicKeys": [{"keyData": OWNERS_KEY, "path": ""}],
        "osProfile": {"computerName": "owned-vm"},
        "userData": "b3duZXI=",
    }
    return scenario(
        preprovisioned="Running",
        instance={
            "compute": {
                "name": "pool-vm",
                "publicKeys": [{"keyData": POOLS_KEY, "path": ""}],
                "osProfile": {"computerName": "pool-vm"},
                "userData": "cG9vbA==",
                "tagsList": [{"name": "of", "value": "pool"}],
            }
        },
        assign=dict(
            {"ovf": {"host_name": "owned-vm", "ssh_keys": [OWNERS_KEY]}},
            instance={"compute": owners},
            **assign,
        ),
    )


@pytest.mark.parametrize("imds_after_s", [0.5, "forever"])
def test_the_pools_key_is_not_the_owners(tmp_path: Any, imds_after_s: Any) -> None:
    """P2: canonical/cloud-init#4596."""
    machine = Machine(tmp_path)
    wait_s = {0.5: 60.0, "forever": 0.5}[imds_after_s]
    warnings = {0.5: [], "forever": ["imds still describes the pool ('Running')"]}[imds_after_s]
    with Platform(scenario=pool_vm(imds_after_s=imds_after_s)) as platform:
        machine.lead_to(platform)
        more(machine, "reprovision_poll_s = 0.2\ncomplete_timeout_s = %s" % wait_s)
        ended = machine.run("boot")
        assert ended.returncode == 0 and reported(platform) == ["Ready", "Ready"], ended.stderr
        found = told(machine)["warnings"]
        assert len(found) == len(warnings)
        assert all(word in said for word, said in zip(warnings, found))
    keys = machine.read("/home/azureuser/.ssh/authorized_keys")
    assert OWNERS_KEY.split()[1] in keys and POOLS_KEY.split()[1] not in keys
    assert machine.read("/etc/hostname") == "owned-vm\n"
    for name, text in machine.tree().items():
        if not name.startswith(("/var/log", "/var/lib/hyperv")):
            # The goal state's InstanceId is the platform's own name of this VM, which stays.
            text = text.replace("._pool-vm", "")
            assert "pool-vm" not in text and "cG9vbA==" not in text, name


def test_an_owner_with_no_way_in_is_not_ready(tmp_path: Any) -> None:
    """P2: only IMDS has a key, and it is the pool's. The next boot finds the owner's."""
    machine = Machine(tmp_path)
    data = pool_vm(imds_after_s="forever")
    data["assign"]["ovf"].pop("ssh_keys")
    with Platform(scenario=data) as platform:
        machine.lead_to(platform)
        more(machine, "reprovision_poll_s = 0.2\ncomplete_timeout_s = 0.3\nfetch_timeout_s = 8")
        ended = machine.run("boot")
        assert ended.returncode == 1 and reported(platform) == ["Ready", "NotReady"], ended.stderr
        assert "|reason=imds still describes the pool|" in platform.final_reports[-1]["description"]
        assert not machine.exists("/home/azureuser/.ssh/authorized_keys")
        platform.assign({"host_name": "owned-vm"}, data["assign"]["instance"])
        again = machine.run("boot")
        assert again.returncode == 0 and reported(platform)[-1] == "Ready", again.stderr
    documented("imds still describes the pool")
    keys = machine.read("/home/azureuser/.ssh/authorized_keys")
    assert OWNERS_KEY.split()[1] in keys and POOLS_KEY.split()[1] not in keys


ANNOUNCED = {"extended": {"compute": {"hasCustomData": True}}}


def test_custom_data_that_are_announced_and_come_late(tmp_path: Any) -> None:
    """P3: canonical/cloud-init#6779. IMDS says that password login is off: without the
    announcement nobody would wait.
    """
    machine = Machine(tmp_path)
    with Platform(instance=ANNOUNCED) as platform:
        lead(machine, platform)
        more(machine, "media_wait_s = 60")
        process = machine.start("boot")
        assert platform.wait_for(lambda it: asked(it, "extended"), 60)
        put(machine, make_ovf("azureuser", custom_data=b"mine"), "/media.new/ovf-env.xml")
        os.rename(machine.root + "/media.new", machine.root + "/media")
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0 and reported(platform) == ["Ready"], said
    assert machine.read(INSTANCE + "/custom-data") == "mine"


def test_what_is_announced_and_does_not_come_is_told(tmp_path: Any) -> None:
    """P3: custom data, and the Guest Proxy Agent."""
    machine = Machine(tmp_path)
    with Platform(instance=ANNOUNCED) as platform:
        lead(machine, platform)
        more(machine, "media_wait_s = 6")
        no_media = "provisioning media may be on /media, but: No such file or directory"
        ready(machine, platform, machine.run("boot"), "imds announces custom data", no_media)
    machine = Machine(tmp_path / "other")
    with Platform() as platform:
        put(machine, make_ovf("azureuser", provision_guest_proxy_agent=True))
        lead(machine, platform)
        ready(machine, platform, machine.run("boot"), "azure-proxy-agent is not installed")


def test_a_wireserver_that_is_down_delays_no_account(tmp_path: Any) -> None:
    """N2: Azure/WALinuxAgent#821, #3492. The account is there while the report still waits."""
    machine = Machine(tmp_path)
    with Platform(scenario=scenario(listen_after_s={"wireserver": "forever"})) as platform:
        machine.lead_to(platform, "[azure]\ngoal_state_timeout_s = 500\nreport_timeout_s = 500\n")
        process = machine.start("boot")
        assert platform.wait_for(lambda it: asked(it, "extended"), 60)
        keys = "/home/azureuser/.ssh/authorized_keys"
        for _ in range(600):
            if machine.exists(keys):
                break
            platform.wait_for(lambda it: False, 0.1)
        assert machine.exists(keys) and process.poll() is None
        process.kill()
        process.communicate()


def test_media_that_name_another_admin_give_neither_password_nor_custom_data(
    tmp_path: Any,
) -> None:
    """S1: IMDS disables password login; the media would open its admin, and root by sudo."""
    machine = Machine(tmp_path)
    put(machine, make_ovf("mallory", "evil", "of-mallory", b"#!/bin/sh\n", [POOLS_KEY]))
    with Platform() as platform:
        lead(machine, platform)
        ready(machine, platform, machine.run("boot"), "imds names the admin 'azureuser'")
    account = [line for line in machine.read("/etc/shadow").splitlines() if "azureuser" in line]
    assert account[0].split(":")[1] in ("*", "!")
    assert not machine.exists(INSTANCE + "/custom-data")
    tree = machine.tree()
    assert POOLS_KEY.split()[1] not in tree["/home/azureuser/.ssh/authorized_keys"]
    assert not any("of-mallory" in text for name, text in tree.items() if name[:6] != "/media")


def test_media_of_another_admin_are_no_announced_custom_data(tmp_path: Any) -> None:
    """S1, P3: what may not be used is missing, and is told."""
    machine = Machine(tmp_path)
    put(machine, make_ovf("mallory", custom_data=b"evil"))
    with Platform(instance=ANNOUNCED) as platform:
        lead(machine, platform)
        ready(
            machine,
            platform,
            machine.run("boot"),
            "imds names the admin 'azureuser'",
            "imds announces custom data",
        )


def test_neither_is_the_pools_media_after_a_refusal(tmp_path: Any) -> None:
    """P2: with `preprovisioned = no`, the pool's media beside an IMDS that knows the owner."""
    machine = Machine(tmp_path)
    put(machine, make_ovf("azureuser", password="of the pool", preprovisioned_type="Running"))
    with Platform() as platform:
        lead(machine, platform)
        more(machine, "preprovisioned = no")
        ended = machine.run("boot")
        ready(machine, platform, ended, "the provisioning media are of a pool")
    assert not any(
        "of the pool" in text and "password" in name for name, text in machine.tree().items()
    )


def test_both_are_down(tmp_path: Any) -> None:
    """P1: without any document there is no account, and the platform hears why."""
    machine = Machine(tmp_path)
    down = scenario(imds=[{"status": 500, "repeat": "forever"}])
    with Platform(scenario=down) as platform:
        lead(machine, platform, NO_DOCUMENT, media="none")
        not_ready(machine, platform, machine.run("boot"), "imds is not ready", "status=500")
