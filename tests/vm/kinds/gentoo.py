"""Gentoo, as its OpenRC profiles have it: sysvinit as the first process, which runs OpenRC; dhcpcd,
sshd.
"""

from __future__ import annotations

from tests.vm.kinds.kind import COMMON_FILES, KEEP_IMAGE_KEYS, SYSTEMD, Kind
from tests.vm.kinds.openrc import HOSTNAME, LOCALMOUNT

INITTAB = """\
id:3:initdefault:
si::sysinit:/sbin/openrc sysinit
rc::bootwait:/sbin/openrc boot
l0:0:wait:/sbin/openrc shutdown
l0m:0:wait:/bin/mount -o remount,ro /
l0s:0:wait:/sbin/poweroff -d -f
l3:3:wait:/sbin/openrc default
l6:6:wait:/sbin/openrc reboot
l6m:6:wait:/bin/mount -o remount,ro /
l6r:6:wait:/sbin/reboot -d -f
su0:S:wait:/sbin/openrc single
s0:12345:respawn:/sbin/agetty -L 115200 ttyS0 vt100
"""
DHCPCD = """#!/sbin/openrc-run
command=/sbin/dhcpcd
command_args=-q
pidfile=/run/dhcpcd/pid
depend() {
    need localmount
    after hostname
    provide net
}
start_pre() {
    ip link set lo up
}
"""
SSHD = """#!/sbin/openrc-run
command=/usr/sbin/sshd
pidfile=/run/sshd.pid
depend() {
    use logger dns
    need net
}
start_pre() {
    mkdir -p /run/sshd
    ssh-keygen -A
}
"""
KIND = Kind(
    name="gentoo",
    stands_for="Gentoo: sysvinit with OpenRC, dhcpcd, sshd, sudo",
    release="bookworm",
    packages=("openrc", "sysvinit-core", "dhcpcd-base"),
    without=SYSTEMD,
    init="openrc",
    files={
        **COMMON_FILES,
        "/etc/hostname": "image\n",
        "/etc/inittab": INITTAB,
        "/etc/init.d/localmount": LOCALMOUNT,
        "/etc/init.d/hostname": HOSTNAME,
        "/etc/init.d/dhcpcd": DHCPCD,
        "/etc/init.d/sshd": SSHD,
        # Neither udev nor eudev tells dhcpcd that the device is ready.
        "/etc/dhcpcd.conf": "hostname\nnodev\noption classless_static_routes, host_name\n",
    },
    script=(
        # Debian's own scripts, one of which is another service with the name hostname.
        "rm -f /etc/runlevels/*/* /etc/init.d/*.sh /etc/init.d/ssh",
        "for each in localmount hostname; do rc-update add $each boot; done",
        "for each in dhcpcd lightinit sshd; do rc-update add $each default; done",
        KEEP_IMAGE_KEYS,
    ),
)
