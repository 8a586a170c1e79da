"""A VM on Azure, as another agent sees it from a chroot: NIC, host name, processes, DMI and CD-ROM
drive of its own.

It has no kernel and no init system of its own: tests start in turn what an init system would start.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Optional

from tests.lib.chroot import Chroot
from tests.lib.netns import Namespace
from tests.lib.scratch import DMI, UUID
from tests.peers.media import Drive
from tests.vm.qemu import Hardware

HARDWARE = Hardware(UUID, "00:0d:3a:2b:7c:51")
CABLE = "vs"
# Where the kernel has neither ISO 9660 nor UDF, mount(8) still finds this helper and reads real
# media through FUSE.
MOUNT_HELPER = (
    '#!/bin/sh\n# mount(8) runs: mount.iso9660 DEVICE DIRECTORY -o OPTIONS\nexec fuseiso -n "$1"'
    ' "$2"\n'
)
# What a VM on Azure says. The real one looks around, and finds a process namespace, as containers
# have.
DETECT_VIRT = """#!/bin/sh
case " $* " in
    *" --container "* | *" -c "*) exit 1 ;;
    *" --quiet "* | *" -q "*) ;;
    *) echo microsoft ;;
esac
"""
DEVICES = """set -e
mount -t sysfs none /sys
mknod /dev/fuse c 10 229
[ -z "$1" ] || mknod /dev/sr0 b "${1%:*}" "${1#*:}"
ip link set lo up
hostname image
"""
INTERFACES = "auto lo eth0\niface lo inet loopback\niface eth0 inet dhcp\n"


class Guest(Chroot):
    """A machine of a Debian release with what every image has, such as sshd and ifupdown. Use it in
    a ``with`` block.

    Args:
        release: one of RELEASES.
        folder: an empty directory to mount it in.
        platform: where the other end of its cable is, called CABLE; it must be open.
        media: what is in the CD-ROM drive; None for a machine without a drive.
        prepared: what an earlier one of these has added to the release's root, see ``upper``; then
            nothing need be installed.
    """

    NAMESPACES = ("--mount", "--net", "--uts", "--pid")
    # the first process buries what others leave behind, as an init system does
    KEEP = "sleep 3600 & wait"

    def __init__(
        self,
        release: str,
        folder: Path,
        platform: Namespace,
        media: Optional[Drive] = None,
        prepared: Optional[Path] = None,
    ) -> None:
        super().__init__(release, folder)
        self._platform = platform
        self._media = media
        self._prepared = prepared

    def __enter__(self) -> "Guest":
        super().__enter__()
        try:
            self._set_up()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def lower(self) -> str:
        below = super().lower()
        return "%s:%s" % (self._prepared, below) if self._prepared else below

    def _set_up(self) -> None:
        subprocess.run(
            [
                "ip",
                "-n",
                self._platform.name,
                "link",
                "add",
                CABLE,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "address",
                HARDWARE.mac,
                "netns",
                str(self.pid),
            ],
            check=True,
        )
        self._platform.run("ip", "link", "set", CABLE, "up")
        if self._prepared is None:
            self.install_stored("machine")
        self.run("sh", "-c", DEVICES, "sh", self._media.number if self._media else "")
        self.shell(DMI + "umount /mnt\n")
        for name, text in (
            ("/usr/sbin/mount.iso9660", MOUNT_HELPER),
            ("/usr/bin/systemd-detect-virt", DETECT_VIRT),
        ):
            self.write(name, text)
            self.path(name).chmod(0o755)
        self.write("/etc/network/interfaces", INTERFACES)
        self.write("/etc/hostname", "image\n")
        # Nobody is there: refused at once, where others time out.
        self.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        self.write("/etc/hosts", "127.0.0.1\tlocalhost\n127.0.1.1\timage\n")
