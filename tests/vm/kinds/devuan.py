"""Devuan: sysvinit, ifupdown with dhclient, sshd."""

from __future__ import annotations

from tests.vm.kinds.kind import COMMON_FILES, KEEP_IMAGE_KEYS, SYSTEMD, Kind

GETTY = "T0:23:respawn:/sbin/getty -L ttyS0 115200 vt100"

KIND = Kind(
    name="devuan",
    stands_for="Devuan: sysvinit, ifupdown with dhclient, sshd, sudo",
    release="bookworm",
    packages=(
        "sysvinit-core",
        "sysv-rc",
        "initscripts",
        "ifupdown",
        "isc-dhcp-client",
    ),
    without=SYSTEMD,
    init="sysvinit",
    files={
        **COMMON_FILES,
        "/etc/hostname": "image\n",
        "/etc/network/interfaces": (
            "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n"
        ),
    },
    script=(
        "echo '%s' >>/etc/inittab" % GETTY,
        "sed -i 's/^\\([1-6]\\):.*getty.*/#&/' /etc/inittab",
        "update-rc.d lightinit defaults",
        KEEP_IMAGE_KEYS,
    ),
)
