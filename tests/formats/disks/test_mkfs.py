"""The commands that make file systems."""

from __future__ import annotations

import pytest

from lightinit.formats.disks.mkfs import fill_in, make_command, why_not


@pytest.mark.parametrize(
    "kind, label, options, words",
    [
        ("ext4", "a", (), "-q -F -E nodiscard -L a /dev/x"),
        ("ext4", "", ("-E", "lazy_itable_init=0"), "-q -F -E lazy_itable_init=0 /dev/x"),
        ("xfs", "", ("-m", "reflink=0"), "-q -f -K -m reflink=0 /dev/x"),
        ("vfat", "EFI", (), "-n EFI /dev/x"),
        ("swap", "s", (), "-f -L s /dev/x"),
        ("nilfs2", "s", (), "-L s /dev/x"),
    ],
)
def test_a_command(kind: str, label: str, options: object, words: str) -> None:
    command = make_command("/sbin/mk", kind, label, options, "/dev/x")  # type: ignore[arg-type]
    assert command == ["/sbin/mk", *words.split()]


@pytest.mark.parametrize(
    "kind, label, why",
    [
        ("ext4", "a" * 17, "at most 16"),
        ("xfs", "\u00e4" * 7, "has 14 bytes"),
        ("vfat", "a" * 12, "at most 11"),
        ("", "", "not the name of one"),
        ("../ext4", "", "not the name of one"),
        ("ext4", "-x", "begins with a hyphen"),
        ("btrfs", "a\nb", "not printable"),
        ("ext4", "a" * 16, ""),
    ],
)
def test_what_cannot_be_made(kind: str, label: str, why: str) -> None:
    assert why in why_not(kind, label) and bool(why) == bool(why_not(kind, label))


def test_a_users_command() -> None:
    text = "mkfs -t %(filesystem)s -L %(label)s %(device)s 5%% %d"
    assert fill_in(text, "l%%", "xfs", "/dev/x") == "mkfs -t xfs -L l%% /dev/x 5% %d"
