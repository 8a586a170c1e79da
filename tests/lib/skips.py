"""What skipped tests lacked, in one line for each tool, with the Debian package that brings it.

A reason to skip names tools as ``not installed here: NAME, NAME``; several reasons are separated by
``; ``. Every other reason is told as it is.
"""

from __future__ import annotations

from collections import Counter
from typing import Dict, Iterable, List

MISSING = "not installed here: "
# Tools whose package has another name, as Debian 12 and 13 name it.
PACKAGES: Dict[str, str] = {
    "7z": "p7zip-full",
    "bsdtar": "libarchive-tools",
    "blkid": "util-linux",
    "chpasswd": "passwd",
    "cloud-localds": "cloud-image-utils",
    "debugfs": "e2fsprogs",
    "dhclient": "isc-dhcp-client",
    "dhcpcd": "dhcpcd-base",
    "dh_python3": "dh-python",
    "dnsmasq": "dnsmasq-base",
    "doas": "opendoas",
    "dropbear": "dropbear-bin",
    "dropbearkey": "dropbear-bin",
    "dpkg-buildpackage": "dpkg-dev",
    "findmnt": "util-linux",
    "groff": "groff",
    "growpart": "cloud-guest-utils",
    "grub-fstest": "grub-common",
    "ip": "iproute2",
    "isoinfo": "genisoimage",
    "jinja2": "python3-jinja2",
    "losetup": "mount",
    "man": "man-db",
    "mcopy": "mtools",
    "mkfs.btrfs": "btrfs-progs",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.ntfs": "ntfs-3g",
    "mkfs.vfat": "dosfstools",
    "mkfs.xfs": "xfsprogs",
    "mkudffs": "udftools",
    "nmcli": "network-manager",
    "NetworkManager": "network-manager",
    "partx": "util-linux",
    "pgrep": "procps",
    "ps": "procps",
    "rpm2cpio": "rpm",
    "rpmbuild": "rpm",
    "sfdisk": "fdisk",
    "shellcheck": "shellcheck",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "ssh-keyscan": "openssh-client",
    "sshd": "openssh-server",
    "systemctl": "systemd",
    "systemd-escape": "systemd",
    "systemd-run": "systemd",
    "udfinfo": "udftools",
    "useradd": "passwd",
    "visudo": "sudo",
    "yaml": "python3-yaml",
    "xfs_repair": "xfsprogs",
}


def summary(reasons: Iterable[str]) -> List[str]:
    """Lines that say what was missing.

    Args:
        reasons: one for each skipped test.

    Returns:
        A line for each tool that was missing and for each other reason, with the number of tests
        that it kept from running; those of most tests first.
    """
    counts: "Counter[str]" = Counter()
    for reason in reasons:
        counts.update(set(_parts(reason)))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ["%4d skipped: %s" % (count, part) for part, count in ordered]


def _parts(reason: str) -> Iterable[str]:
    for part in reason.split("; "):
        if part.startswith(MISSING):
            for tool in part[len(MISSING) :].split(", "):
                name = tool.rpartition("/")[2]
                yield "%s is missing; apt-get install %s" % (name, PACKAGES.get(name, name))
        else:
            yield part
