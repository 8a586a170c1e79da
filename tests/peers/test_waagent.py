"""Debian's own Azure Linux Agent provisions against the emulator, and goes on as a guest agent."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lib.chroot import RELEASES
from tests.lib.netns import wait_until
from tests.peers.guest import HARDWARE
from tests.peers.peer import NAME, Peer, Prepared, open_peer

AGENT = "WALinuxAgent/"
LOG = "/var/log/waagent.log"
READY_S = 120.0
# As shipped but for these: Debian leaves provisioning to cloud-init, and a chroot has no resource
# disk.
SETTINGS = {"Provisioning.Agent": "waagent", "ResourceDisk.Format": "n"}


def open_waagent(
    prepared: Prepared,
    release: str,
    folder: Path,
    key_from: str = "media",
    scenario: str = "good",
) -> Peer:
    """With the media, without which this agent does not provision."""
    installed = prepared("waagent", release)
    return open_peer("waagent", release, folder, scenario, key_from, LOG, installed)


def start(peer: Peer) -> "subprocess.Popen[bytes]":
    """What an init system does in a boot: the network, then the agent, which stays."""
    for name, value in SETTINGS.items():
        peer.guest.run("sed", "-i", "s/^%s=.*/%s=%s/" % (name, name, value), "/etc/waagent.conf")
    peer.guest.run("ifup", "-a")
    return peer.start("/usr/sbin/waagent", "-daemon")


def stop(peer: Peer, agent: "subprocess.Popen[bytes]") -> None:
    """End the agent as an init system does."""
    peer.guest.shell("kill $(cat /run/waagent.pid)")
    agent.wait(120)


def statuses(peer: Peer) -> int:
    """How often the agent has uploaded its status, which it does once it has its whole goal
    state.
    """
    return len(peer.asked("hostplugin", "PUT", "/status"))


@pytest.mark.parametrize("release", RELEASES)
def test_one_ready_and_a_login(prepared: Prepared, release: str, tmp_path: Path) -> None:
    with open_waagent(prepared, release, tmp_path, "certificate") as peer:
        agent = start(peer)
        wait_until(lambda: peer.azure.accepted("Ready"), READY_S, "no Ready")
        wait_until(lambda: statuses(peer), READY_S, "no status")
        wait_until(
            lambda: peer.asked("wireserver", "POST", "/machine?comp=telemetrydata"),
            READY_S,
            "no telemetry",
        )
        peer.check_reports(AGENT, progress=1)
        peer.check_login()
        assert peer.azure.leases()[HARDWARE.mac][3] == NAME, (
            "the DHCP server does not know the name"
        )
        stop(peer, agent)

        before = statuses(peer)
        start(peer)
        wait_until(lambda: statuses(peer) > before, READY_S, "no status after a restart")
        peer.check_reports(AGENT, progress=1)


@pytest.mark.parametrize(
    "release, scenario",
    [(release, "two-500-then-good") for release in RELEASES]
    + [(RELEASES[0], "goalstate-no-role-instance-then-good"), (RELEASES[0], "goalstate-bom-crlf")],
)
def test_it_outlives_faults(
    prepared: Prepared, release: str, scenario: str, tmp_path: Path
) -> None:
    with open_waagent(prepared, release, tmp_path, scenario=scenario) as peer:
        start(peer)
        wait_until(lambda: peer.azure.accepted("Ready"), READY_S, "no Ready")
        peer.check_reports(AGENT, progress=1)
        peer.check_login()
