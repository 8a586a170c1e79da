"""Void Linux: runit as the first process, dhcpcd, sshd."""

from __future__ import annotations

from tests.vm.kinds.kind import COMMON_FILES, KEEP_IMAGE_KEYS, SYSTEMD, Kind

ONE = """#!/bin/sh
# Stage 1: one-time tasks, as in Void's /etc/runit/core-services.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sys /sys
mountpoint -q /run || mount -t tmpfs -o mode=0755,nosuid,nodev run /run
mkdir -p /run/runit/supervise /run/lock /dev/pts /dev/shm
mountpoint -q /dev/pts || mount -t devpts -o mode=0620,gid=5 devpts /dev/pts
mountpoint -q /dev/shm || mount -t tmpfs shm /dev/shm
mount -o remount,rw /
install -m 0 /dev/null /run/runit.stopit
install -m 0 /dev/null /run/runit.reboot
ip link set lo up
hostname -F /etc/hostname
"""
TWO = """#!/bin/sh
# Stage 2: the services.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
exec env - PATH="$PATH" SVDIR=/var/service runsvdir -P /var/service 'log: ...........'
"""
THREE = """#!/bin/sh
# Stage 3: the end.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
sv -w 10 force-stop /var/service/* >/dev/null 2>&1
sync
mount -o remount,ro /
"""
SSHD = """#!/bin/sh
sv check lightinit >/dev/null || exit 1
ssh-keygen -A >/dev/null 2>&1
mkdir -p /run/sshd
exec /usr/sbin/sshd -D
"""
DHCPCD = """#!/bin/sh
exec dhcpcd -B eth0 2>&1
"""
GETTY = """#!/bin/sh
exec agetty -L ttyS0 115200 vt100
"""
KIND = Kind(
    name="void",
    stands_for="Void: runit, dhcpcd, sshd, sudo",
    release="bookworm",
    packages=(
        "runit-init",
        "runit",
        "busybox",
        "dhcpcd-base",
    ),
    without=SYSTEMD,
    init="runit",
    files={
        **COMMON_FILES,
        "/etc/hostname": "image\n",
        "/etc/runit/1": ONE,
        "/etc/runit/2": TWO,
        "/etc/runit/3": THREE,
        "/etc/sv/sshd/run": SSHD,
        "/etc/sv/dhcpcd/run": DHCPCD,
        "/etc/sv/agetty-ttyS0/run": GETTY,
        # No udev tells dhcpcd that the device is ready.
        "/etc/dhcpcd.conf": "hostname\nnodev\noption classless_static_routes, host_name\n",
    },
    links={
        "/var/service/" + name: "/etc/sv/" + name
        for name in ("lightinit", "sshd", "dhcpcd", "agetty-ttyS0")
    },
    script=(KEEP_IMAGE_KEYS,),
)
