"""Words of a cloud-config that are judged once more where they are used: options and rules of
accounts, names of devices, file systems, partitions.
"""

from __future__ import annotations

from lightinit.formats.accounts import account_options, given_rules
from lightinit.formats.disks import device_names, mkfs, partition_plan, swap_size
from lightinit.formats.disks.partition_plan import WishedPartition
from lightinit.formats.disks.partition_table import Partition, Table
from tests.lib.readers.reader import Reader, text

GIB = 2**30
GUID = partition_plan.LINUX_GPT.encode()
MEMINFO = b"MemTotal:        4026532 kB\nMemFree:         100 kB\n"


def _options(data: bytes) -> None:
    given = text(data)
    account_options.is_group_name(given)
    account_options.is_path(given)
    account_options.is_days(given)
    account_options.is_selinux_user(given)
    assert account_options.is_date(given) == (account_options.read_day(given) is not None)


def _rules(data: bytes) -> None:
    given = text(data)
    given_rules.is_plain(given[:999])
    given_rules.why_not_one_line(given)
    given_rules.is_doas_rule_of("bob", given)
    given_rules.as_doas_rule("bob", given)
    rules = [("bob", line) for line in given.split("\n")]
    given_rules.edit_rules_file(given, rules, {"bob", "eve"})
    lines = [line for _, line in rules]
    once = given_rules.add_doas_rules("permit eve\n", lines)
    assert given_rules.add_doas_rules(once, lines) == once


def _device(data: bytes) -> None:
    given = text(data)
    for kind, options, aliases in (("ext4", given, {}), ("", "", {given: given}), (given, "", {})):
        found = device_names.read_device_name(given, kind, options, aliases)
        device_names.read_azure_name(found.text)
        device_names.is_unstable(found.text)
        device_names.swap_unit(found.text)
    device_names.part_path(given, 1)
    device_names.why_no_place(given)
    device_names.must_be_empty(given)
    device_names.complete_options(given, True, True)


def _mkfs(data: bytes) -> None:
    given = text(data)
    for kind in ("ext4", given):
        mkfs.tool_names(kind)
        mkfs.why_not(kind, given)
        mkfs.make_command("/sbin/mkfs", kind, given, given.split(), "/dev/sdc")
    mkfs.fill_in(given, "a", "ext4", "/dev/sdc")


def _plan(data: bytes) -> None:
    given = text(data)
    wishes = [WishedPartition(1, word) for word in given.split(",")]
    for kind in ("mbr", "gpt"):
        partition_plan.make_plan(kind, wishes, 64 * GIB, 512)
        there = tuple(Partition(at + 1, 0, 0, wish.kind) for at, wish in enumerate(wishes))
        partition_plan.has_layout(Table(kind, there), kind, wishes)


READERS = (
    Reader(
        "accounts.account_options",
        _options,
        ((b"", b""), (b"", b"-01-01"), (b"2032-", b"-01"), (b"2032-09-", b""), (b"/", b"a")),
        ((b"", b"/a", b""), (b"", b"/..", b""), (b"", b"1-", b"1"), (b"", b"a", b"$$")),
        (b"2032-09-01", b"/home/bob", b"-1", b"staff_u"),
    ),
    Reader(
        "accounts.given_rules",
        _rules,
        (
            (b"ALL=(ALL) NOPASSWD:", b"!"),
            (b"ALL=(", b") ALL"),
            (b"ALL", b"ALL"),
            (b"permit setenv", b"{ A=1 } bob"),
            (b"permit setenv {", b"} bob as root"),
            (b'"', b" ALL"),
        ),
        (
            (b"", b"ALL,", b"!"),
            (b"ALL=(", b"ALL , ", b"!"),
            (b"ALL=", b"NOPASSWD:", b"!"),
            (b"ALL=ALL", b",/a *", b"!"),
            (b"ALL=/a", b" a", b"!"),
            (b"permit ", b"nopass ", b"bob"),
            (b"permit ", b"setenv{", b"bob"),
            (b"permit ", b"setenv {A} ", b"bob"),
            (b"", b"permit bob cmd a%d\n", b""),
            (b"", b"eve a%d\n", b""),
        ),
        (b"ALL=(ALL:ALL) NOPASSWD: /bin/a b, /bin/c", b"permit nopass bob as root cmd a"),
    ),
    Reader(
        "disks.device_names",
        _device,
        (
            (b"", b""),
            (b"/dev/disk/azure/scsi1/lun", b"-part1"),
            (b"/dev/sd", b"1"),
            (b"/mnt", b"a"),
            (b"ephemeral0.", b""),
            (b"LABEL=", b""),
        ),
        (
            (b"", b"a:", b"\n"),
            (b"", b".1", b"x"),
            (b"", b".1", b"\n"),
            (b"", b"fail,", b"bind"),
            (b"/dev/sd", b"a", b"!"),
        ),
        (b"ephemeral0.1", b"sdc", b"host:/share", b"/dev/disk/azure/scsi1/lun0-part1"),
    ),
    Reader(
        "disks.mkfs",
        _mkfs,
        ((b"", b""), (b"%(", b"s"), (b"-E ", b"")),
        ((b"", b"%(label)s", b""), (b"", b"%(label", b""), (b"", b"-E ", b"")),
        (b"mkfs.%(filesystem)s -L %(label)s %(device)s", b"ext4"),
    ),
    Reader(
        "disks.partition_plan",
        _plan,
        ((b"", b""), (GUID[:8], GUID[8:]), (b"8", b"")),
        ((b"", b"83,", b"82"), (b"", b"8200,", GUID), (b"", GUID + b",", b"83")),
        (b"83,82", GUID + b",EF00"),
    ),
    Reader(
        "disks.swap_size",
        lambda data: swap_size.suggest_size(
            swap_size.read_memory_bytes(text(data)) or 0, GIB, None
        ),
        ((b"MemTotal:", b"1 kB\n"), (b"MemTotal: ", b" kB\n")),
        ((b"", b"MemTotal: \n", b""), (b"", b"A%d: 1 kB\n", b"")),
        (MEMINFO,),
    ),
)
