"""Alpine Linux, but with glibc: busybox as the first process, OpenRC, udhcpc, dropbear, doas.
musl.py has its C library and its Python.
"""

from __future__ import annotations

from tests.vm.kinds.kind import COMMON_FILES, MAKE_DROPBEAR_KEY, SYSTEMD, Kind

# As Alpine's.
INITTAB = """\
::sysinit:/sbin/openrc sysinit
::sysinit:/sbin/openrc boot
::wait:/sbin/openrc default
ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100
::ctrlaltdel:/sbin/reboot
::shutdown:/sbin/openrc shutdown
::shutdown:/bin/umount -a -r
"""
LOCALMOUNT = """#!/sbin/openrc-run
description="Mounts what an initial RAM disk has left: Debian's OpenRC has no such service"
start() {
    mountpoint -q /sys || mount -t sysfs sysfs /sys
    mkdir -p /dev/pts /dev/shm
    mountpoint -q /dev/pts || mount -t devpts -o mode=0620,gid=5 devpts /dev/pts
    mountpoint -q /dev/shm || mount -t tmpfs shm /dev/shm
    mount -o remount,rw /
}
"""
HOSTNAME = """#!/sbin/openrc-run
start() {
    hostname -F /etc/hostname
}
"""
NETWORKING = """#!/sbin/openrc-run
depend() {
    need localmount
    after hostname
    provide net
}
start() {
    ip link set lo up
    ip link set eth0 up
    udhcpc -b -i eth0 -p /run/udhcpc.eth0.pid -O 245 -O 121 -x hostname:"$(hostname)" \\
        -s /usr/lib/lightinit/udhcpc-hook
}
"""
DROPBEAR = """#!/sbin/openrc-run
command=/usr/sbin/dropbear
command_args="${DROPBEAR_OPTS}"
pidfile=/run/dropbear.pid
depend() {
    need net
}
start_pre() {
    [ -f /etc/dropbear/dropbear_ed25519_host_key ] ||
        dropbearkey -t ed25519 -f /etc/dropbear/dropbear_ed25519_host_key
}
"""
KIND = Kind(
    name="openrc",
    stands_for="Alpine (its services, with glibc): busybox init, OpenRC, udhcpc, dropbear, doas",
    release="bookworm",
    packages=(
        "openrc",
        "sysvinit-core",
        "busybox-static",
        "dropbear-bin",
        "udhcpc",
        "opendoas",
    ),
    without=(*SYSTEMD, "openssh-server", "sudo"),
    init="openrc",
    files={
        **COMMON_FILES,
        "/etc/hostname": "image\n",
        "/etc/inittab": INITTAB,
        "/etc/init.d/localmount": LOCALMOUNT,
        "/etc/init.d/hostname": HOSTNAME,
        "/etc/init.d/networking": NETWORKING,
        "/etc/init.d/dropbear": DROPBEAR,
        "/etc/conf.d/dropbear": 'DROPBEAR_OPTS="-s"\n',
    },
    links={"/sbin/" + name: "/bin/busybox" for name in ("init", "reboot", "poweroff", "halt")},
    script=(
        # Debian's own scripts, one of which is another service with the name hostname.
        "rm -f /etc/runlevels/*/* /etc/init.d/*.sh",
        "for each in localmount hostname networking; do rc-update add $each boot; done",
        "for each in lightinit dropbear; do rc-update add $each default; done",
        "mkdir -p /etc/dropbear",
        *MAKE_DROPBEAR_KEY,
    ),
    become_root="doas -n",
    keys_folder="/etc/dropbear",
    dropbear=True,
)
