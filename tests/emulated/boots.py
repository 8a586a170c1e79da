"""Boots with media, and what the platform and `status` must say after them."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import time
from typing import Any, Dict, List

from lightinit.emulator import Platform
from tests.lib.scratch import HERE, LEASE, PATIENT, Machine, deadlines

# Nothing says who may log in: this deadline is reached.
NO_DOCUMENT = "fetch_timeout_s = 1.5\n"


def reported(platform: Platform) -> List[str]:
    """The accepted reports' states."""
    return [str(report["state"]) for report in platform.final_reports if report["accepted"]]


def start_waiting(
    machine: Machine, *command: str, timeout_s: float = 120.0, path: str = ""
) -> "subprocess.Popen[str]":
    """Start ``command``, which stays in the local stage until :func:`hand_out_lease`, at most
    ``timeout_s`` seconds. Returns once it is there. ``path``: where it finds further modules.
    """
    os.unlink(machine.root + "/var/lib/dhcp/dhclient.eth0.leases")
    # No interface of the machine that runs the tests can count as the network then.
    machine.put(
        "/etc/lightinit/conf.d/20-wait.conf",
        "[network]\ninterface = nic-of-nowhere\nlease_timeout_s = %g\n" % timeout_s,
    )
    process = machine.start(*command, env={"PYTHONPATH": path} if path else None)
    deadline_s = time.monotonic() + 60.0
    while not machine.exists("/run/lightinit/status.json"):
        assert process.poll() is None and time.monotonic() < deadline_s
        time.sleep(0.02)
    return process


def hand_out_lease(machine: Machine) -> None:
    """End the waiting."""
    machine.put("/var/lib/dhcp/dhclient.eth0.leases", LEASE.replace("eth0", "nic-of-nowhere"))


def put(machine: Machine, ovf: bytes, path: str = "/media/ovf-env.xml") -> None:
    """Give the machine media: a directory, or whatever ``path`` names."""
    os.makedirs(os.path.dirname(machine.root + path), exist_ok=True)
    with open(machine.root + path, "wb") as handle:
        handle.write(ovf)


def lead(machine: Machine, platform: Platform, more: str = "", media: str = "/media") -> None:
    """The settings for a boot with media whose IMDS may be down. If it is, and the media are not
    enough either, ``more`` begins with ``NO_DOCUMENT``.
    """
    machine.lead_to(platform, "[lightinit]\nlog_level = debug\n")
    limits = {"media_wait_s": 30.0, "media_only_s": 60.0}
    if deadlines(platform)["fetch_timeout_s"] < PATIENT["fetch_timeout_s"]:
        limits = {"media_wait_s": 30.0, "media_only_s": 0.3, "fetch_timeout_s": 60.0}
    lines = ["[azure]", "media = " + media] + ["%s = %s" % item for item in limits.items()]
    machine.put("/etc/lightinit/conf.d/20-media.conf", "\n".join(lines + [more]))


def documented(*phrases: str) -> None:
    """docs/reasons.md has each of them in the first column of a table."""
    with open(os.path.join(HERE, "docs", "reasons.md"), encoding="utf-8") as handle:
        told = re.findall(r"^\| ([^|]+) \|", handle.read(), re.MULTILINE)
    for phrase in phrases:
        assert [cell for cell in told if "`%s`" % phrase in cell], phrase


def told(machine: Machine) -> Dict[str, Any]:
    """What `status` says."""
    found: Dict[str, Any] = json.loads(machine.run("status", "--format", "json").stdout)
    return found


def not_ready(machine: Machine, platform: Platform, ended: Any, reason: str, *words: str) -> None:
    """The boot ended in NotReady for ``reason``, in which ``words`` stand."""
    assert ended.returncode == 1 and "Traceback" not in ended.stderr, ended.stderr
    assert reported(platform) == ["NotReady"], ended.stderr
    description = platform.final_reports[-1]["description"]
    assert "|reason=%s|" % reason in description
    for word in words:
        assert word in description, description
    documented(reason)
    found = told(machine)
    assert found["exit_code"] == 1 and [error for error in found["errors"] if reason in error]


def ready(machine: Machine, platform: Platform, ended: Any, *warnings: str) -> None:
    """The boot ended in Ready, with a warning for each of ``warnings``, in which it stands; and no
    other.
    """
    assert ended.returncode == 0 and "Traceback" not in ended.stderr, ended.stderr
    assert (reported(platform)[-1:], platform.ready_count) == (["Ready"], 1), ended.stderr
    found = told(machine)
    assert found["exit_code"] == (2 if warnings else 0)
    for word in warnings:
        assert [warning for warning in found["warnings"] if word in warning], found["warnings"]
    others = [
        warning
        for warning in found["warnings"]
        if not [word for word in warnings if word in warning]
    ]
    assert others == []


def report_is_held(machine: Machine, platform: Platform) -> bool:
    """Whether all but the answer of :func:`late_health` is there: the request itself is told of
    when it is answered.
    """
    is_in_pool = machine.exists("/var/lib/hyperv/.kvp_pool_1")
    return is_in_pool and len(platform.requests) >= 2 and platform.in_flight == 1


def let_go(platform: Platform) -> None:
    """End the waiting of :func:`late_health`."""
    host, _, port = platform.wireserver.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request("GET", "/?comp=versions")
    connection.getresponse().read()
    connection.close()


# The first report is refused only after :func:`let_go`, however busy the machine is. The further
# refusals give the boot time to see what has come meanwhile.
REFUSED_LATE = [{"status": 503, "waits_for": "versions"}, {"status": 503, "repeat": 3}]


def refusal_is_held(machine: Machine, platform: Platform) -> bool:
    """Whether the first report has come and waits for :func:`let_go`."""
    return machine.exists("/var/lib/hyperv/.kvp_pool_1") and platform.in_flight == 1


def late_health(states: List[str]) -> Dict[str, Any]:
    """The first health report is answered only after :func:`let_go`."""
    return {
        "name": "late",
        "description": "Reports are answered late.",
        "health": [{"waits_for": "versions"}],
        "expect": {"ready": states.count("Ready"), "outcome": "error", "reports": states},
    }
