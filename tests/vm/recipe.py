"""What the machines of the images are made of: packages, network stacks, files and units."""

from __future__ import annotations

from typing import Dict, Mapping, NamedTuple, Tuple

RELEASES = ("bookworm", "trixie")
# An account that is locked. A test that logs in at the console gives it a password.
WATCHER = "watcher"
PACKAGES = (
    "systemd-sysv",
    "linux-image-cloud-amd64",
    "openssh-server",
    "sudo",
    "dbus",
    "udev",
    "libpam-systemd",
    "iproute2",
    "kmod",
    "e2fsprogs",
    "python3",
    "python3-requests",
    "python3-netifaces",
    "python3-cryptography",
    "python3-yaml",
    "python3-jinja2",
)
# Our own initial RAM disk (initrd.py) takes the place of the one that the kernel's package makes.
NO_INITRAMFS = (
    'chroot "$1" dpkg-divert --quiet --local --rename --add /usr/sbin/update-initramfs'
    ' && ln -s /bin/true "$1/usr/sbin/update-initramfs"'
)
# Not installed: a machine with busybox is another one to lightinit.
GET_BUSYBOX = (
    'cd "$1/boot" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -q download busybox-static'
    " && dpkg-deb -x busybox-static_*.deb busybox && rm busybox-static_*.deb"
)
# Of a root that is unpacked and never configured: the kernel's package would have this made.
LIST_MODULES = (
    'for each in bin sbin lib lib64; do [ -e "$1/$each" ] || ln -s "usr/$each" "$1/$each"; done'
    ' && chroot "$1" depmod "$(ls "$1/usr/lib/modules")"'
)
UNNEEDED = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")


class Stack(NamedTuple):
    """What brings the network up.

    Attributes:
        packages: on top of PACKAGES.
        files: path -> text.
        units: to enable.
        masked: units that this stack's machines do without, beside MASKED.
    """

    packages: Tuple[str, ...]
    files: Mapping[str, str]
    units: Tuple[str, ...]
    masked: Tuple[str, ...] = ()


STACKS: Dict[str, Stack] = {
    "networkd": Stack(
        (),
        {"/etc/systemd/network/50-dhcp.network": "[Match]\nName=eth*\n\n[Network]\nDHCP=ipv4\n"},
        ("systemd-networkd.service",),
        # Each login would start a service manager of the user's. The other stacks have it.
        ("user@.service",),
    ),
    "networkmanager": Stack(("network-manager",), {}, ()),
    # As Debian's installer writes it.
    "ifupdown": Stack(
        ("ifupdown", "isc-dhcp-client"),
        {
            "/etc/network/interfaces": (
                "auto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet dhcp\n"
            )
        },
        (),
    ),
}
NAMES = tuple("%s-%s" % (release, stack) for release in RELEASES for stack in STACKS)
# No test has them: make bench-vm compares with them. cloud-init leaves the network to networkd, as
# lightinit does, and makes no locale and no RSA key, which would take minutes here.
COMPARED: Dict[str, Stack] = {
    "cloudinit": Stack(
        ("cloud-init",),
        {
            **STACKS["networkd"].files,
            "/etc/cloud/cloud.cfg.d/95-bench.cfg": (
                "datasource_list: [Azure]\nlocale: false\nnetwork: {config: disabled}\n"
                "ssh_genkeytypes: [ecdsa, ed25519]\nssh_deletekeys: false\n"
            ),
        },
        STACKS["networkd"].units,
        STACKS["networkd"].masked,
    ),
}

# Units for tests; each runs only on a boot whose kernel command line has systemd.wants=NAME.
TEST_UNITS = {
    "/etc/systemd/system/test-clock-jump.service": (
        """\
[Unit]
Description=Test: the clock jumps by years as soon as lightinit has begun
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'until [ -e /run/lightinit/status.json ]; do sleep 0.05; done; \
date -s 2035-06-01T00:00:00Z'
"""
    ),
    "/etc/systemd/system/test-full-disk.service": (
        """\
[Unit]
Description=Test: the disk is full before lightinit begins
After=local-fs.target
Before=lightinit.service
[Service]
Type=oneshot
ExecStart=-/bin/sh -c 'fallocate -l $(df -B1 --output=avail / | tail -n 1) /filler; \
cat /dev/zero >/filler.rest; sync'
"""
    ),
}
# Of all devices, udev looks only at those that a test is about.
FILES = {
    "/etc/systemd/system/systemd-udev-trigger.service.d/fewer.conf": (
        "[Service]\nExecStart=\n"
        "ExecStart=-udevadm trigger --action=add --subsystem-match=block --subsystem-match=net"
        " --subsystem-match=pci --subsystem-match=scsi --subsystem-match=virtio\n"
        "ExecStart=-udevadm trigger --action=add --subsystem-match=tty --sysname-match=ttyS0\n"
    ),
    "/etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
    "/etc/hostname": "image\n",
    "/etc/hosts": (
        "127.0.0.1\tlocalhost\n127.0.1.1\timage\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    ),
    "/etc/machine-id": "",
    **TEST_UNITS,
}
# What no test looks at and every boot would pay for. None of it has to do with disks, the network,
# logins or the time.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "modprobe@configfs.service",
    "modprobe@dm_mod.service",
    "modprobe@drm.service",
    "modprobe@efi_pstore.service",
    "modprobe@fuse.service",
    "modprobe@loop.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "systemd-binfmt.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
)
