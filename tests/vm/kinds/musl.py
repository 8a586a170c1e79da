"""Alpine Linux and Buildroot: every program is linked to musl. busybox is the first process and has
the tools for accounts and devices (mdev); udhcpc, dropbear, doas. tools/build-musl makes the root.
"""

from __future__ import annotations

from tests.vm.kinds.kind import COMMON_FILES, MAKE_DROPBEAR_KEY, Kind

INITTAB = """\
::sysinit:/etc/init.d/rcS
ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100
::ctrlaltdel:/sbin/reboot
::shutdown:/etc/init.d/rcK
::shutdown:/bin/umount -a -r
"""
RC_S = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=0620,gid=5 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mdev -s && mdev -d
ip link set lo up
hostname -F /etc/hostname
for each in /etc/init.d/S??*; do
    "$each" start
done
"""
RC_K = """#!/bin/sh
for each in $(ls -r /etc/init.d/S??*); do
    "$each" stop
done
"""
SYSLOG = """#!/bin/sh
[ "$1" != start ] || syslogd -O /var/log/messages
"""
NETWORK = """#!/bin/sh
case $1 in
    start)
        ip link set eth0 up
        udhcpc -b -i eth0 -p /run/udhcpc.eth0.pid -O 245 -O 121 -x hostname:"$(hostname)" \\
            -s /usr/lib/lightinit/udhcpc-hook
        ;;
    stop) kill "$(cat /run/udhcpc.eth0.pid)" ;;
esac
"""
DROPBEAR = """#!/bin/sh
DROPBEAR_ARGS=
[ ! -r /etc/default/dropbear ] || . /etc/default/dropbear
case $1 in
    # -R: makes the keys that are missing
    start) /usr/sbin/dropbear -R $DROPBEAR_ARGS ;;
    stop) kill "$(cat /run/dropbear.pid)" ;;
esac
"""
# As Alpine's, as far as these devices go.
MDEV = """\
(null|zero|full|u?random|ptmx|tty) root:root 0666
console root:tty 0600
ttyS[0-9]+ root:tty 0660
vd[a-z]+[0-9]* root:disk 0640
"""
# udhcpc's script, as distributions have it.
SCRIPT = """#!/bin/sh
case $1 in
    deconfig) ip -4 address flush dev "$interface" ;;
    bound | renew)
        ip address replace "$ip/${mask:-24}" dev "$interface"
        if [ -n "$staticroutes" ]; then
            set -- $staticroutes
            while [ -n "$2" ]; do
                ip route replace "$1" via "$2" dev "$interface"
                shift 2
            done
        else
            for each in $router; do
                ip route replace default via "$each" dev "$interface"
            done
        fi
        : >/etc/resolv.conf
        for each in $dns; do
            echo "nameserver $each" >>/etc/resolv.conf
        done
        ;;
esac
"""
# As Alpine's, as far as somebody looks at it.
PASSWD = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:2:2:daemon:/sbin:/sbin/nologin
nobody:x:65534:65534:nobody:/:/sbin/nologin
"""
GROUP = """\
root:x:0:root
daemon:x:2:
adm:x:4:
tty:x:5:
disk:x:6:
wheel:x:10:root
users:x:100:
nogroup:x:65533:
nobody:x:65534:
"""
KIND = Kind(
    name="musl",
    stands_for="Alpine, Buildroot: musl, busybox init and accounts, udhcpc, dropbear, doas",
    init="sysvinit",
    files={
        **COMMON_FILES,
        "/etc/hostname": "image\n",
        "/etc/passwd": PASSWD,
        "/etc/group": GROUP,
        "/etc/shells": "/bin/sh\n/bin/ash\n",
        "/etc/profile": "export PATH=/usr/sbin:/usr/bin:/sbin:/bin\n",
        "/etc/inittab": INITTAB,
        "/etc/mdev.conf": MDEV,
        "/etc/init.d/rcS": RC_S,
        "/etc/init.d/rcK": RC_K,
        "/etc/init.d/S01syslog": SYSLOG,
        "/etc/init.d/S40network": NETWORK,
        "/etc/init.d/S50dropbear": DROPBEAR,
        "/etc/default/dropbear": "DROPBEAR_ARGS=-s\n",
        "/usr/share/udhcpc/default.script": SCRIPT,
    },
    links={"/etc/init.d/S45lightinit": "lightinit", "/var/run": "/run"},
    script=(
        "mkdir -p /root /home /var/log /var/lib /var/empty /mnt /etc/dropbear",
        "chmod 700 /root",
        "printf 'root:*::0:::::\\ndaemon:!::0:::::\\nnobody:!::0:::::\\n' >/etc/shadow",
        "chmod 600 /etc/shadow",
        *MAKE_DROPBEAR_KEY,
    ),
    become_root="doas -n",
    keys_folder="/etc/dropbear",
    dropbear=True,
    facts={
        "pidof mdev >/dev/null && ls /run/udev": "ls: /run/udev: No such file or directory",
        "ls -l /dev/vda | tr -s ' ' | cut -d ' ' -f 1,4": "brw-r----- disk",
    },
)
