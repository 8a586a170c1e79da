"""An immutable host, as Yocto makes it with overlayfs-etc, and others with their own scripts: the
root is read-only, /etc and /var are overlays whose upper layers are on a disk of state, and
/var/lib/lightinit and /home are bind mounts of folders there. systemd-sysusers makes accounts at
boot, and a userdb record has one that useradd does not see.
"""

from __future__ import annotations

from tests.vm.kinds.kind import COMMON_FILES, KEEP_IMAGE_KEYS, Kind
from tests.vm.recipe import FILES, MASKED, STACKS

NETWORKD = STACKS["networkd"]
# systemd needs its /etc from the first moment on, so this runs before it.
PREINIT = """#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mount -t proc proc /proc
until [ -b /dev/vdb ]; do sleep 0.1; done
mount -t ext4 /dev/vdb /state
mkdir -p /state/etc /state/etc.work /state/var /state/var.work /state/home /state/lightinit
mount -t overlay -o lowerdir=/etc,upperdir=/state/etc,workdir=/state/etc.work overlay /etc
mount -o remount,ro /
exec /usr/lib/systemd/systemd
"""
FSTAB = """\
/dev/vda / ext4 ro 0 0
overlay /var overlay lowerdir=/var,upperdir=/state/var,workdir=/state/var.work 0 0
/state/lightinit /var/lib/lightinit none bind 0 0
/state/home /home none bind 0 0
tmpfs /tmp tmpfs mode=1777 0 0
"""
# Its user id is the one that the first account of useradd would get.
KEEPER = """\
{"userName": "keeper", "uid": 1000, "gid": 1000, "realName": "Keeper", "disposition": "regular",
 "homeDirectory": "/home/keeper", "shell": "/bin/sh", "locked": true}
"""
KEEPERS_GROUP = '{"groupName": "keeper", "gid": 1000, "disposition": "regular"}\n'

KIND = Kind(
    name="immutable",
    stands_for="Yocto, Flatcar-like: read-only root, /etc an overlay, systemd, sshd, sudo",
    release="trixie",
    packages=("libnss-systemd",),
    files={
        **FILES,
        **COMMON_FILES,
        **NETWORKD.files,
        "/etc/fstab": FSTAB,
        "/usr/lib/image/preinit": PREINIT,
        "/usr/lib/sysusers.d/image.conf": 'u _made 980 "made at boot"\ng netdev 981\n',
        "/usr/lib/userdb/keeper.user": KEEPER,
        "/usr/lib/userdb/keeper.group": KEEPERS_GROUP,
    },
    links={
        "/sbin/init": "/usr/lib/image/preinit",
        "/usr/lib/userdb/1000.user": "keeper.user",
        "/usr/lib/userdb/1000.group": "keeper.group",
        **{"/etc/systemd/system/" + unit: "/dev/null" for unit in (*MASKED, *NETWORKD.masked)},
    },
    script=(
        "systemctl enable lightinit.service " + " ".join(NETWORKD.units),
        KEEP_IMAGE_KEYS,
        "mkdir -p /state /var/lib/lightinit",
    ),
    state_size="64M",
    facts={
        "touch /usr/there /root/there 2>&1 | grep -c 'Read-only file system'": "2",
        "id -u _made": "980",
        "id -un 1000": "keeper",
        "awk '$2 ~ \"^/(etc|var|home|var/lib/lightinit)$\" { print $2, $3 }' /proc/mounts | sort": (
            "/etc overlay\n/home ext4\n/var overlay\n/var/lib/lightinit ext4"
        ),
    },
)
