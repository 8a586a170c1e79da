"""afterburn, the agent of Fedora CoreOS and Flatcar, against the emulator: attributes, keys, host
name and Ready. It makes no accounts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lib.chroot import RELEASES
from tests.peers.peer import NAME, USER, Peer
from tests.peers.rust import open_built

LOG = "/var/log/afterburn.log"
ATTRIBUTES = "/run/metadata/afterburn"
KEYS = ".ssh/authorized_keys.d/afterburn"
# An image that has the account already, with sshd looking where afterburn writes the keys.
IMAGE = """set -e
useradd --create-home --shell /bin/bash --groups sudo %s
passwd --delete %s
echo '%%sudo ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/90-image
echo 'AuthorizedKeysFile %s' >/etc/ssh/sshd_config.d/10-image.conf
""" % (USER, USER, KEYS)

# Where systemd-networkd keeps a lease, for afterburn knows no other client here.
LEASE = """set -e
mkdir -p /run/systemd/netif/leases
echo OPTION_245=a83f8110 >"/run/systemd/netif/leases/$(cat /sys/class/net/eth0/ifindex)"
"""


def burn(peer: Peer, *argv: str) -> None:
    """Run it as its units do."""
    peer.guest.shell("/usr/bin/afterburn --provider azure %s >>%s 2>&1" % (" ".join(argv), LOG))


def boot(peer: Peer) -> None:
    peer.guest.run("ifup", "-a")
    peer.guest.shell(LEASE + IMAGE)
    burn(peer, "--hostname=/etc/hostname")
    peer.guest.run("hostname", NAME)
    burn(peer, "--ssh-keys=" + USER)
    burn(peer, "--check-in")


@pytest.mark.parametrize("release", RELEASES)
def test_one_ready_and_a_login(release: str, tmp_path: Path) -> None:
    with open_built("afterburn", release, tmp_path, "good", LOG) as peer:
        boot(peer)
        peer.check_reports("", name="com.coreos.afterburn")
        peer.check_login()


@pytest.mark.parametrize("release", RELEASES)
def test_attributes(release: str, tmp_path: Path) -> None:
    with open_built("afterburn", release, tmp_path, "good", LOG) as peer:
        peer.guest.run("ifup", "-a")
        peer.guest.shell(LEASE)
        burn(peer, "--attributes=" + ATTRIBUTES)
        attributes = peer.guest.read(ATTRIBUTES)
        assert "AFTERBURN_AZURE_IPV4_DYNAMIC=" in attributes, attributes
        assert peer.refused() == []
