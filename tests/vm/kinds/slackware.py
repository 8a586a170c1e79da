"""Slackware: rc scripts in BSD's way, /etc/HOSTNAME, dhcpcd, sshd."""

from __future__ import annotations

from tests.vm.kinds.kind import COMMON_FILES, KEEP_IMAGE_KEYS, SYSTEMD, Kind

INITTAB = """\
id:3:initdefault:
si:S:sysinit:/etc/rc.d/rc.S
rc:2345:wait:/etc/rc.d/rc.M
ca::ctrlaltdel:/sbin/shutdown -t5 -r now
l0:0:wait:/etc/rc.d/rc.0
l6:6:wait:/etc/rc.d/rc.6
s1:12345:respawn:/sbin/agetty -L ttyS0 115200 vt100
"""
RC_S = """#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sysfs /sys
mountpoint -q /run || mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/lock /dev/pts /dev/shm
mountpoint -q /dev/pts || mount -t devpts -o mode=0620,gid=5 devpts /dev/pts
mountpoint -q /dev/shm || mount -t tmpfs tmpfs /dev/shm
mount -o remount,rw /
"""
RC_M = """#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
if [ -r /etc/HOSTNAME ]; then
    hostname "$(cut -f 1 -d . /etc/HOSTNAME)"
fi
for each in inet1 lightinit sshd local; do
    [ ! -x /etc/rc.d/rc.$each ] || /etc/rc.d/rc.$each start
done
"""
RC_INET1 = """#!/bin/sh
ip link set lo up
dhcpcd -t 30 eth0
"""
RC_SSHD = """#!/bin/sh
case ${1:-start} in
    start)
        [ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -A
        mkdir -p /run/sshd
        /usr/sbin/sshd
        ;;
    stop) pkill -o sshd ;;
esac
"""
# %s is reboot's option of the program halt.
RC_6 = """#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
dhcpcd -x >/dev/null 2>&1
killall5 -15
sleep 1
killall5 -9
sync
mount -o remount,ro /
%s -d -f
"""
KIND = Kind(
    name="slackware",
    stands_for="Slackware: BSD rc, /etc/HOSTNAME, dhcpcd, sshd, sudo",
    release="bookworm",
    packages=(
        "sysvinit-core",
        "dhcpcd-base",
    ),
    without=SYSTEMD,
    init="bsd",
    files={
        **COMMON_FILES,
        "/etc/HOSTNAME": "image.example.net\n",
        "/etc/inittab": INITTAB,
        "/etc/rc.d/rc.S": RC_S,
        "/etc/rc.d/rc.M": RC_M,
        "/etc/rc.d/rc.inet1": RC_INET1,
        "/etc/rc.d/rc.sshd": RC_SSHD,
        "/etc/rc.d/rc.0": RC_6 % "poweroff",
        "/etc/rc.d/rc.6": RC_6 % "reboot",
        "/etc/dhcpcd.conf": "hostname\nnodev\noption classless_static_routes, host_name\n",
    },
    script=("rm -f /etc/hostname", KEEP_IMAGE_KEYS),
    name_file="/etc/HOSTNAME",
)
