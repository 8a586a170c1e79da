"""Reads the names that users give to devices, and where a file system may be mounted.

It knows no device of this machine.
"""

from __future__ import annotations

import re
from typing import Mapping, Optional

from lightinit.formats.disks.fstab import unit_name, why_not_mount_point
from lightinit.model import NamedTuple

RESOURCE = "resource"  # the node stands for Azure's resource disk
TAGS = ("LABEL=", "UUID=", "PARTLABEL=", "PARTUUID=", "ID=")
# File systems whose source is no device of this machine.
WITHOUT_DEVICE = (
    "9p",
    "bpf",
    "binfmt_misc",
    "cgroup2",
    "debugfs",
    "devpts",
    "hugetlbfs",
    "none",
    "overlay",
    "proc",
    "ramfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "virtiofs",
    "zfs",
)
NETWORK = ("afs", "ceph", "cifs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs")
# By type: the program that mount(8) calls, and the packages that have it.
HELPERS = {
    "nfs": ("mount.nfs", "nfs-common or nfs-utils"),
    "nfs4": ("mount.nfs", "nfs-common or nfs-utils"),
    "cifs": ("mount.cifs", "cifs-utils"),
    "smb3": ("mount.cifs", "cifs-utils"),
}
# Azure's names, as the udev rules of WALinuxAgent (66-azure-storage.rules) and of azure-vm-utils
# (80-azure-disk.rules) give them.
_AZURE = re.compile(
    r"/dev/disk/azure/(?:scsi(?P<bus>[0-3])/lun(?P<unit>[0-9]{1,4})|data/by-lun/(?P<lun>[0-9]{1,4})"
    r"|(?P<fixed>root|os|resource))(?:-part(?P<part>[0-9]{1,3}))?\Z"
)
_CLOUD_INITS = re.compile(r"/dev/disk/cloud/azure_resource(?:-part([0-9]{1,3}))?\Z")
# The kernel gives these names in the order in which it finds the disks.
_CLOUD_INITS_UNIT = re.compile(r"x-systemd\.[a-z-]+=cloud-(?:init|config|final)\b")
_UNSTABLE = re.compile(r"/dev/(?:x?[shv]d[a-z]+[0-9]*|nvme[0-9]+n[0-9]+(?:p[0-9]+)?)\Z")
_DOTTED = re.compile(r"(.+)\.([0-9]{1,3})\Z")
# Nothing is mounted over these, nor below those that end in a slash.
NEVER = ("/", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr", "/nix", "/gnu")
NEVER_BELOW = ("/etc", "/var/lib/lightinit", "/nix/store")
# Nothing is mounted over these if they have something in them.
ONLY_EMPTY = ("/boot", "/boot/efi", "/efi", "/root", "/var", "/var/lib")


class DeviceName(NamedTuple):
    """A device as a user named it.

    Attributes:
        text: as it can stand in fstab: a path, a tag such as ``UUID=…``, a share, a word.
        is_path: whether it is the path of a block device, or stands for one.
        is_network: whether it is a share of the network.
        part: the number of the partition that is named beside the path, or None.
        plain: the path before a number was taken off its end; it wins if it exists.
        known: False for a name that only another cloud gives to its devices.
    """

    text: str
    is_path: bool = True
    is_network: bool = False
    part: Optional[int] = None
    plain: str = ""
    known: bool = True


class AzureName(NamedTuple):
    """One of Azure's names for a disk.

    Attributes:
        kind: ``os``, ``resource`` or ``data``.
        bus: the number of the SCSI controller; None if the name does not have it.
        lun: the logical unit number.
        part: the partition, or None.
    """

    kind: str
    bus: Optional[int] = None
    lun: int = 0
    part: Optional[int] = None


def read_device_name(name: str, kind: str, options: str, aliases: Mapping[str, str]) -> DeviceName:
    """Read the name of a device as cloud-init does: ``sdc``, ``ephemeral0.1``, ``LABEL=data``.

    Args:
        name: what is written.
        kind: the type of the file system, or "".
        options: the mount's options, joined by commas.
        aliases: name -> path.
    """
    name = aliases.get(name, name)
    if kind in NETWORK or name.startswith("//") or re.match(r"[^/=][^/=:]*:.*\Z", name):
        return DeviceName(name, is_path=False, is_network=True)
    words = options.split(",")
    if name.startswith(TAGS):
        return DeviceName(name, is_path=False)
    without = kind in WITHOUT_DEVICE or kind.startswith("fuse")
    if without or any(each in words for each in ("bind", "rbind", "loop")):
        return DeviceName(name, is_path=False)
    dotted = _DOTTED.match(name)
    part, plain = None, ""
    if dotted is not None:
        plain = _to_path(name)
        part = int(dotted.group(2))
        name = dotted.group(1)
        name = aliases.get(name, name)
    path = _to_path(name)
    if not path:
        return DeviceName(name, known=False)
    return DeviceName(path, part=part, plain=plain)


def _to_path(name: str) -> str:
    if name.startswith("/dev/ephemeral"):
        name = name[len("/dev/") :]
    if name in ("ephemeral", "ephemeral0"):
        return "/dev/disk/azure/resource"
    if name in ("ami", "root", "swap") or re.match(r"(ephemeral|ebs)[0-9]*\Z", name):
        return ""
    if name.startswith("/"):
        return name
    return "/dev/" + name


def read_azure_name(path: str) -> Optional[AzureName]:
    """One of Azure's names of a disk; None for another path.

    Args:
        path: such as ``/dev/disk/azure/scsi1/lun0-part1``.
    """
    ours = _CLOUD_INITS.match(path)
    if ours is not None:
        return AzureName("resource", part=_number(ours.group(1)))
    found = _AZURE.match(path)
    if found is None:
        return None
    part = _number(found.group("part"))
    if found.group("fixed") == "resource":
        return AzureName("resource", part=part)
    if found.group("fixed"):
        return AzureName("os", part=part)
    if found.group("bus"):
        return AzureName("data", int(found.group("bus")), int(found.group("unit")), part)
    return AzureName("data", None, int(found.group("lun")), part)


def _number(text: Optional[str]) -> Optional[int]:
    if text is None:
        return None
    return int(text)


def part_path(path: str, number: int) -> str:
    """The path of a partition.

    Args:
        path: of its disk.
        number: of the partition.
    """
    if path.startswith("/dev/disk/"):
        return "%s-part%d" % (path, number)
    if path.endswith(tuple("0123456789")):
        return "%sp%d" % (path, number)
    return "%s%d" % (path, number)


def swap_unit(source: str) -> str:
    """The name of the systemd unit that swaps to the source of a line in fstab."""
    tag, equals, value = source.partition("=")
    if equals and source.startswith(TAGS):
        # udev's links have such escapes, too.
        value = re.sub("[^0-9A-Za-z#+.:=@_-]", lambda found: "\\x%02x" % ord(found.group()), value)
        source = "/dev/disk/by-%s/%s" % (tag.lower(), value)
    return unit_name(source, "swap")


def is_unstable(path: str) -> bool:
    """Whether the same path may be another disk after a restart, such as ``/dev/sdc``."""
    return _UNSTABLE.match(path) is not None


def why_no_place(place: str) -> str:
    """Why nothing may be mounted at ``place``; "" if something may."""
    why = why_not_mount_point(place)
    if why:
        return why
    if place in NEVER or any((place + "/").startswith(each + "/") for each in NEVER_BELOW):
        return "the system needs what is there"
    return ""


def must_be_empty(place: str) -> bool:
    """Whether nothing may be mounted at ``place`` if something is in it."""
    below_usr = place.startswith("/usr/") and not place.startswith("/usr/local/")
    return place in ONLY_EMPTY or below_usr


def complete_options(options: str, is_network: bool, waits_for_device: bool) -> str:
    """The options of a line of fstab that must not hold a boot up.

    Args:
        options: joined by commas.
        is_network: whether it is a share of the network.
        waits_for_device: whether systemd would wait for its device.
    """
    words = [each for each in options.split(",") if each]
    # Of Debian's old init; nothing knows it any more.
    words = [each for each in words if each not in ("nobootwait", "fail")]
    # cloud-init's own default: where its unit is not, systemd would never mount the line.
    words = [each for each in words if not _CLOUD_INITS_UNIT.match(each)]
    if "nofail" not in words:
        words.append("nofail")
    if is_network and "_netdev" not in words:
        words.append("_netdev")
    if waits_for_device and not any(each.startswith("x-systemd.device-timeout") for each in words):
        words.append("x-systemd.device-timeout=30s")
    return ",".join(words)
