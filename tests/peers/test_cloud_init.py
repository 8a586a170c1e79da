"""Debian's own cloud-init provisions against the emulator, from IMDS alone and with the media."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lib.chroot import RELEASES
from tests.peers.peer import Peer, Prepared, open_peer

AGENT = "Cloud-Init/"
SETTINGS = "/etc/cloud/cloud.cfg.d/95-peers.cfg"
LOG = "/var/log/cloud-init.log"


def open_cloud_init(
    prepared: Prepared, release: str, folder: Path, key_from: str, scenario: str = "good"
) -> Peer:
    installed = prepared("cloud-init", release)
    return open_peer("cloud-init", release, folder, scenario, key_from, LOG, installed)


def boot(peer: Peer) -> None:
    """What an init system starts in a boot, in its order. The network was not up before."""
    guest = peer.guest
    guest.shell("rm -rf /run/cloud-init; ifdown --force -a 2>&1 || true")
    # Making locales takes half a minute.
    guest.write(SETTINGS, "datasource_list: [Azure]\nlocale: false\n")
    guest.run("cloud-init", "init", "--local")
    guest.run("ifup", "-a")
    guest.run("cloud-init", "init")
    guest.run("cloud-init", "modules", "--mode=config")
    guest.run("cloud-init", "modules", "--mode=final")


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("key_from", ["imds", "certificate"])
def test_one_ready_and_a_login(
    prepared: Prepared, release: str, key_from: str, tmp_path: Path
) -> None:
    with open_cloud_init(prepared, release, tmp_path, key_from) as peer:
        boot(peer)
        peer.check_reports(AGENT)
        peer.check_login()
        seed = "seed=IMDS" if key_from == "imds" else "seed=/dev/sr0"
        assert seed in peer.guest.read("/var/lib/cloud/data/status.json"), (
            "not provisioned from where it should"
        )
        boot(peer)
        peer.check_reports(AGENT)


@pytest.mark.parametrize(
    "release, scenario",
    [(release, "two-500-then-good") for release in RELEASES]
    + [(RELEASES[0], "imds-404-410-then-good"), (RELEASES[0], "goalstate-bom-crlf")],
)
def test_it_outlives_faults(
    prepared: Prepared, release: str, scenario: str, tmp_path: Path
) -> None:
    with open_cloud_init(prepared, release, tmp_path, "imds", scenario) as peer:
        boot(peer)
        peer.check_reports(AGENT)
        peer.check_login()
