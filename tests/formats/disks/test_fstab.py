"""Lines of /etc/fstab and names of units."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from lightinit.formats.disks.fstab import (
    FstabLine,
    add_option,
    are_options,
    has_ours,
    is_ours,
    other_sources,
    set_entries,
    unit_name,
    why_not_mount_point,
)

DISK = FstabLine("LABEL=lightinit", "/mnt/resource", "ext4", "defaults,nofail", 2)
SWAP = FstabLine("/mnt/resource/swapfile", "none", "swap", "sw,noauto")
LINES = (
    "LABEL=lightinit /mnt/resource ext4 defaults,nofail 0 2 # lightinit\n"
    "/mnt/resource/swapfile none swap sw,noauto 0 0 # lightinit\n"
)
OTHERS = (
    "# made by the installer\nUUID=1  /\text4 defaults 0 1\n\n/dev/sdc1 /data xfs nofail 0 2 # mine"
)


@pytest.mark.parametrize("before", ["", OTHERS, OTHERS + "\n", OTHERS + "\n\n"])
def test_ours_come_last_and_go_again(before: str) -> None:
    after = set_entries(before, [DISK, SWAP])
    assert LINES in after and set_entries(after, [DISK, SWAP]) == after
    assert after.replace(LINES, "").rstrip("\n") == before.rstrip("\n")
    assert set_entries(after, []).rstrip("\n") == before.rstrip("\n")
    assert set_entries(before, []) == before


def test_a_changed_line_stays_in_its_place_and_others_stay_byte_for_byte() -> None:
    text = (
        "a /a x defaults\n"
        + LINES
        + "b  /b\tx  defaults\n# LABEL=lightinit /x ext4 y 0 0 # lightinit\n"
    )
    other = FstabLine("LABEL=lightinit", "/scratch disk", "xfs", "noatime,nofail", 2)
    assert (
        set_entries(text, [other])
        == "a /a x defaults\nLABEL=lightinit /scratch\\040disk xfs noatime,nofail 0 2 #"
        " lightinit\nb  /b\tx  defaults\n# LABEL=lightinit /x ext4 y 0 0 # lightinit\n"
    )
    doubled = LINES + "c /c x d\n" + LINES
    assert set_entries(doubled, [DISK, SWAP]) == LINES + "c /c x d\n"


def test_whose_line_it_is() -> None:
    assert (
        is_ours(LINES.split("\n")[0])
        and not is_ours("a /a x y # lightinit of mine")
        and not is_ours("# lightinit")
    )
    assert has_ours(OTHERS + "\n" + LINES) and not has_ours(OTHERS)
    text = "x /mnt/resource ext4 d\n# y /mnt/resource e\nz /mnt/a\\040b/ ext4\n" + LINES
    assert other_sources(text, "/mnt/resource") == ["x"] and other_sources(text, "/mnt/a b") == [
        "z"
    ]


@pytest.mark.parametrize(
    "path, name",
    [
        ("/mnt/resource", "mnt-resource.mount"),
        ("/", "-.mount"),
        ("/a-b/c d", "a\\x2db-c\\x20d.mount"),
        ("/.x/.y", "\\x2ex-.y.mount"),
        ("/srv/ü~@:_", "srv-\\xc3\\xbc\\x7e\\x40:_.mount"),
        ("/a\\b", "a\\x5cb.mount"),
    ],
)
def test_names_of_units(path: str, name: str) -> None:
    assert unit_name(path, "mount") == name
    if shutil.which("systemd-escape"):
        said = subprocess.run(
            ["systemd-escape", "--path", "--suffix=mount", path],
            stdout=subprocess.PIPE,
            check=True,
            env=dict(os.environ, LC_ALL="C.UTF-8"),
        )
        assert said.stdout.decode().strip() == name


@pytest.mark.parametrize(
    "place, why",
    [
        ("/mnt/resource", ""),
        ("/processes", ""),
        ("/", "not a plain absolute path"),
        ("//", "not a plain absolute path"),
        ("mnt", "not a plain absolute path"),
        ("/mnt/", "not a plain absolute path"),
        ("/mnt/../x", "not a plain absolute path"),
        ("/mnt/a\nb", "not printable"),
        ("/proc/x", "it is below /proc"),
        ("/dev", "it is below /dev"),
    ],
)
def test_mount_points(place: str, why: str) -> None:
    found = why_not_mount_point(place)
    assert why in found and bool(found) == bool(why)


def test_options() -> None:
    assert are_options("noatime,x-a=b") and not are_options("a b") and not are_options("")
    assert not are_options("x#y") and not are_options("a\n")
    assert add_option("noatime", "nofail") == "noatime,nofail"
    assert add_option("nofail,ro", "nofail") == "nofail,ro"
