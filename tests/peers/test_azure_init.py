"""azure-init, as crates.io has it (0.1.1), provisions against the emulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lib.chroot import RELEASES
from tests.peers.peer import Peer
from tests.peers.rust import open_built

NAME = "azure-init"
LOG = "/var/log/azure-init.log"
# It wants all groups of Ubuntu's images, and systemd's hostnamectl, which wants D-Bus.
IMAGE = """set -e
for group in adm audio cdrom dialout dip floppy lxd netdev plugdev sudo video; do
    getent group "$group" >/dev/null || groupadd --system "$group"
done
cat >/usr/bin/hostnamectl <<'END'
#!/bin/sh
[ "$1" = set-hostname ] && hostname "$2" && echo "$2" >/etc/hostname
END
chmod 755 /usr/bin/hostnamectl
"""


def boot(peer: Peer) -> None:
    """What its image's systemd starts: it runs at each boot, so it is started once here."""
    peer.guest.shell(IMAGE)
    # Images for it have the rule for members of sudo.
    peer.guest.write("/etc/sudoers.d/90-image", "%sudo ALL=(ALL) NOPASSWD: ALL\n")
    peer.guest.run("ifup", "-a")
    peer.guest.shell("/usr/bin/azure-init >%s 2>&1" % LOG)


@pytest.mark.parametrize("release", RELEASES)
def test_one_ready_and_a_login(release: str, tmp_path: Path) -> None:
    with open_built(NAME, release, tmp_path, "good", LOG) as peer:
        boot(peer)
        peer.check_reports("", name=NAME)
        peer.check_login()
