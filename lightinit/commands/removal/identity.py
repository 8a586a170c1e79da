"""Ids and secrets by which others know this VM, where a rule decides whether they can go."""

from __future__ import annotations

import os
from functools import partial
from typing import List

from lightinit.commands.removal.changes import (
    Change,
    RemovalContext,
    file_removals,
    matches,
    removals,
)
from lightinit.commands.removal.table import Row
from lightinit.formats.accounts.passwd import find_field, is_password_hash
from lightinit.formats.blanks import words_of
from lightinit.formats.disks import fstab
from lightinit.formats.disks.mounts import parse_swaps
from lightinit.host.files.text import edit_text_file
from lightinit.host.init import systemd
from lightinit.host.system import System

INITIATOR = "/etc/iscsi/initiatorname.iscsi"
# Debian's script makes a name if the file asks for it, and refuses to start without the file.
DEBIAN_CHECKS = ("/lib/open-iscsi/startup-checks.sh", "/usr/lib/open-iscsi/startup-checks.sh")
MAKE_A_NAME = "GenerateName=yes\n"
ISCSI_INIT = "iscsi-init.service"
ISCSI_IN_USE = ("/sys/class/iscsi_session/*", "/etc/iscsi/nodes/*", "/var/lib/iscsi/nodes/*")
HOST_ID = "/etc/hostid"
ZFS = ("/etc/zfs/zpool.cache", "/sys/module/zfs")
WAAGENT = ("/usr/sbin/waagent", "/usr/bin/waagent", "/usr/local/sbin/waagent")


def plan_initiator(context: RemovalContext, row: Row) -> List[Change]:
    """The iSCSI initiator's name, where the system makes a new one."""
    system = context.system
    names = [
        line
        for line in system.read_text(INITIATOR).split("\n")
        if line.strip().startswith("InitiatorName=")
    ]
    if not names:
        return []
    why = ""
    if matches(system, ISCSI_IN_USE):
        why = "this VM uses iSCSI, and targets may know it by this name"
    elif any(system.exists(path) for path in DEBIAN_CHECKS):
        what = "the name in %s" % INITIATOR
        edit = partial(edit_text_file, system, INITIATOR, lambda _: MAKE_A_NAME)
        return [Change("remove " + what, "removed " + what, edit)]
    elif not systemd.has_unit(system, ISCSI_INIT):
        why = "nothing here would make a new one"
    if why:
        context.note(
            "%s stays: %s; every VM made from this image would have the same one: have each VM"
            " make its own with iscsi-iname" % (INITIATOR, why)
        )
        return []
    return file_removals(system, (INITIATOR,))


def plan_host_id(context: RemovalContext, row: Row) -> List[Change]:
    """The host id, where no ZFS pool can depend on it."""
    system = context.system
    if any(system.exists(path) for path in ZFS):
        if system.exists(HOST_ID):
            context.note(
                "%s stays: ZFS is here, and its pools remember the id; every VM made from this"
                " image would have the same one" % HOST_ID
            )
        return []
    return file_removals(system, row.paths)


def plan_waagent(context: RemovalContext, row: Row) -> List[Change]:
    """The Azure Linux agent's data, if the agent is gone."""
    system = context.system
    there = matches(system, row.paths)
    if there and any(system.exists(path) for path in WAAGENT):
        context.note(
            "/var/lib/waagent stays, because the Azure Linux agent is installed; it has"
            " certificates and settings of this VM: run waagent -deprovision, or remove the agent"
        )
        return []
    return removals(system, there)


def plan_swap(context: RemovalContext, row: Row) -> List[Change]:
    """Note the swap that is not on the resource disk or in memory."""
    system = context.system
    found: List[str] = []
    ours: List[str] = []
    for line in system.read_text(fstab.FILE).split("\n"):
        fields = words_of(line.split("#")[0])
        if line.rstrip().endswith(fstab.MARK):
            ours += words_of(line)[:1]
        elif len(fields) >= 3 and fields[2] == "swap":
            found.append(fields[0])
    for path, _size_kib in parse_swaps(system.read_text("/proc/swaps")):
        if not path.startswith("/dev/zram") and path not in ours:
            found.append(path)
    for each in dict.fromkeys(found):
        context.note("the swap %s stays: %s" % (each, row.why))
    return []


def plan_root_password(context: RemovalContext, row: Row) -> List[Change]:
    """Note a password of root."""
    system = context.system
    field = find_field(system.read_text("/etc/passwd"), "root", 1)
    if field == "x":
        field = find_field(_read_shadow(system), "root", 1)
    if is_password_hash(field):
        context.note("the password of root stays: %s" % row.why)
    return []


def _read_shadow(system: System) -> str:
    if not os.access(system.path("/etc/shadow"), os.R_OK):
        return ""
    return system.read_text("/etc/shadow")
