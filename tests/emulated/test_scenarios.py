"""Every scenario that the emulator ships, played against the real command: it must end as the
scenario expects.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from lightinit.emulator.scenario import list_names, load_scenario
from tests.lib.netns import find_tool
from tests.lib.scratch import Machine

pytestmark = pytest.mark.long

LOADED: Dict[str, Any] = {name: load_scenario(name) for name in list_names()}
SCENARIOS: Dict[str, Any] = {
    name: scenario for name, scenario in LOADED.items() if not scenario.needs
}
CERTIFICATES = {
    name: scenario for name, scenario in LOADED.items() if "certificates" in scenario.needs
}
POOLS = {name: scenario for name, scenario in LOADED.items() if "preprovisioned" in scenario.needs}
CODES = {"done": 0, "degraded": 2, "error": 1}


def test_there_are_enough() -> None:
    assert len(SCENARIOS) >= 10


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_scenario(tmp_path: Any, name: str) -> None:
    machine = Machine(tmp_path)
    expected = SCENARIOS[name].expect
    with Platform(scenario=name) as platform:
        machine.lead_to(platform, "[azure]\nprogress_after_s = 0\n" * name.startswith("progress"))
        before = machine.tree()
        ended = machine.run("boot")
        reports = [report["state"] for report in platform.final_reports if report["accepted"]]
        assert reports == expected["reports"], ended.stderr
        assert platform.ready_count == expected["ready"]
        assert ended.returncode == (1 if expected["outcome"] == "error" else 0), ended.stderr
        assert "Traceback" not in ended.stderr
        status = machine.run("status", "--format", "json")
        assert status.returncode == CODES[expected["outcome"]], status.stdout
        found = json.loads(status.stdout)
        assert bool(found["errors"]) == (expected["outcome"] == "error")
        sent = len(platform.requests)
        if expected["outcome"] != "error":
            machine.run("boot")
            assert len(platform.requests) == sent, "never again"
    if expected["outcome"] == "error":
        boot_on_a_mended_platform(machine)
    after = machine.tree()
    for file in ("/etc/shadow", "/etc/group", "/etc/passwd"):
        lines = after[file].splitlines()
        assert all(
            any(line.startswith(old) for line in lines) for old in before[file].splitlines()
        ), "nothing that was there is lost"


def boot_on_a_mended_platform(machine: Machine) -> None:
    """The next boot goes on where the failed one ended: one Ready, and everything once."""
    machine.put("/proc/sys/kernel/random/boot_id", "22222222-2222-4222-8222-222222222222\n")
    with Platform() as mended:
        machine.lead_to(mended)
        ended = machine.run("boot")
        assert ended.returncode == 0, ended.stderr
        assert [report["state"] for report in mended.final_reports] == ["Ready"]
        sent = len(mended.requests)
        machine.run("boot")
        assert len(mended.requests) == sent, "never again"
    names = [line.partition(":")[0] for line in machine.read("/etc/passwd").splitlines()]
    assert len(names) == len(set(names)), names
    for path in machine.tree():
        if path.endswith("/authorized_keys"):
            lines = machine.read(path).splitlines()
            assert len(lines) == len(set(lines)), path


def check(platform: Platform, ended: Any, expected: Any) -> None:
    """The platform heard what it should, and the command ended as it should."""
    reports = [report["state"] for report in platform.final_reports if report["accepted"]]
    assert reports == expected["reports"], ended.stderr
    assert ended.returncode == (1 if expected["outcome"] == "error" else 0), ended.stderr
    assert "Traceback" not in ended.stderr


def put_media(machine: Machine, **fields: Any) -> str:
    """Give the machine media, as a directory. Returns the settings that lead to them."""
    machine.put("/media/ovf-env.xml", make_ovf(**fields).decode())
    return "[azure]\nmedia = /media\n"


def files(machine: Machine) -> List[str]:
    """The certificates' files."""
    return sorted(name.rpartition("/")[2] for name in machine.tree() if "/certificates/" in name)


def test_everything_that_scenarios_need_is_played() -> None:
    assert set(SCENARIOS) | set(CERTIFICATES) | set(POOLS) == set(LOADED)
    assert len(CERTIFICATES) > 15 and len(POOLS) >= 3


@pytest.mark.skipif(find_tool("openssl") is None, reason="not installed here: openssl")
@pytest.mark.parametrize("name", sorted(CERTIFICATES))
def test_certificates_as_files(tmp_path: Any, name: str) -> None:
    """With IMDS' keys the certificates are no matter of login: what is wrong with them is a
    warning.
    """
    machine = Machine(tmp_path)
    expected = CERTIFICATES[name].expect
    with Platform(scenario=name) as platform:
        machine.lead_to(platform, "[azure]\ncertificates = all\n")
        ended = machine.run("boot")
        check(platform, ended, {"reports": ["Ready"], "outcome": "done"})
        wanted = {each + ".crt" for each in platform.thumbprints}
    status = machine.run("status")
    if expected["outcome"] == "error":
        assert (
            status.returncode == 2 and "no certificates: " in machine.run("status", "--long").stdout
        )
        assert files(machine) == [], "nothing of a bundle that is not whole"
    else:
        assert status.returncode == 0
        named = (
            "--"
            if name in ("certificates-none", "certificates-no-data", "certificates-other-format")
            else "crt"
        )
        assert {each for each in files(machine) if each.endswith(".crt")} == (
            wanted if named == "crt" else set()
        )
        for each in files(machine):
            mode = (
                os.stat(
                    "%s/var/lib/lightinit/instance/certificates/%s" % (machine.root, each)
                ).st_mode
                & 0o777
            )
            assert mode == (0o600 if each.endswith(".prv") else 0o644)


@pytest.mark.skipif(find_tool("openssl") is None, reason="not installed here: openssl")
@pytest.mark.parametrize("name", sorted(CERTIFICATES))
def test_certificates_as_ssh_keys(tmp_path: Any, name: str) -> None:
    """The media name a certificate, and nothing else says who may log in."""
    machine = Machine(tmp_path)
    expected = CERTIFICATES[name].expect
    with Platform(scenario=name, instance={"compute": {"publicKeys": []}}) as platform:
        media = put_media(
            machine, user_name="azureuser", fingerprints=platform.thumbprints[:1] or ["AB" * 20]
        )
        machine.lead_to(platform, media)
        ended = machine.run("boot")
        if name in ("certificates-none", "certificates-no-data", "certificates-other-format"):
            # No error in itself, but then nobody can log in.
            expected = {"reports": ["NotReady"], "outcome": "error"}
        check(platform, ended, expected)
    assert files(machine) == [], "the settings did not ask for files"
    if expected["outcome"] == "done":
        assert "ssh-rsa " in machine.read("/home/azureuser/.ssh/authorized_keys")
    else:
        assert "none of the ssh keys can be used" in ended.stderr


@pytest.mark.parametrize("name", sorted(POOLS))
@pytest.mark.parametrize("where", ["media", "imds", "imds beside media"])
def test_pools(tmp_path: Any, name: str, where: str) -> None:
    machine = Machine(tmp_path)
    scenario = POOLS[name]
    with Platform(scenario=name) as platform:
        media = (
            "[azure]\n"
            if where == "imds"
            else put_media(
                machine,
                user_name="azureuser",
                preprovisioned_type=scenario.preprovisioned if where == "media" else None,
            )
        )
        machine.lead_to(platform, media + "reprovision_poll_s = 0.2\n")
        ended = machine.run("boot")
        check(platform, ended, scenario.expect)
        assert [report["in_pool"] for report in platform.final_reports] == [True, False]
        assert machine.run("status").returncode == 0
        assert machine.read("/etc/hostname") == "owned-vm\n"
        assert machine.exists("/home/owner/.ssh/authorized_keys"), machine.read("/etc/passwd")
        assert "azureuser" not in machine.read("/etc/passwd")
        sent = len(platform.requests)
        assert machine.run("boot").returncode == 0 and len(platform.requests) == sent


def test_a_pool_that_is_left_and_found_again(tmp_path: Any) -> None:
    """A reboot while it waits: the pool is not told a second time."""
    machine = Machine(tmp_path)
    data = {
        "name": "pool",
        "description": "Nobody has taken this VM yet.",
        "preprovisioned": "Running",
    }
    with Platform(scenario=data) as platform:
        machine.lead_to(platform, "[azure]\nreprovision_poll_s = 0.2\n")
        first = machine.start("boot")

        def asked(the: Platform) -> List[Any]:
            return [one for one in the.requests if "reprovisiondata" in one["path"]]

        assert platform.wait_for(lambda the: len(asked(the)) > 1, 60)
        assert "waiting for the VM's owner" in machine.run("status", "--long").stdout
        first.kill()
        first.communicate()
        second = machine.start("boot")
        before = len(asked(platform))
        assert platform.wait_for(lambda the: len(asked(the)) > before + 1, 60)
        profile = {
            "adminUsername": "owner",
            "computerName": "owned-vm",
            "disablePasswordAuthentication": "false",
        }
        platform.assign(
            {"user_name": "owner", "host_name": "owned-vm", "password": "pässword:1 2"},
            {"compute": {"name": "owned-vm", "publicKeys": [], "osProfile": profile}},
        )
        _, said = second.communicate(timeout=120)
        assert second.returncode == 0, said
        assert [report["in_pool"] for report in platform.final_reports] == [True, False]
        assert machine.read("/etc/hostname") == "owned-vm\n"
        assert not [name for name, text in machine.tree().items() if "pässword:1" in text]
