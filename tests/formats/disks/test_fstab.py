"""Lines of /etc/fstab and names of units."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from lightinit.formats.disks.fstab import Entry, is_ours, other_sources, set_entries, unit_name
from lightinit.formats.disks.mounts import Mount, parse_mounts, parse_swaps

DISK = Entry("LABEL=lightinit", "/mnt/resource", "ext4", "defaults,nofail", 2)
SWAP = Entry("/mnt/resource/swapfile", "none", "swap", "sw,noauto")
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
    other = Entry("LABEL=lightinit", "/scratch disk", "xfs", "noatime,nofail", 2)
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


def test_mounts_and_swaps() -> None:
    text = (
        "36 35 98:0 /mnt1 /mnt/a\\040b rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
        "37 35 8:17 / /mnt/resource rw - ext4 /dev/sdb1 rw\nnonsense\n38 35\n"
    )
    assert parse_mounts(text) == [
        Mount(
            "98:0", "/mnt/a b", "ext3", "/dev/root", ("rw", "noatime"), ("rw", "errors=continue")
        ),
        Mount("8:17", "/mnt/resource", "ext4", "/dev/sdb1", ("rw",), ("rw",)),
    ]
    swaps = (
        "Filename\tType\tSize\tUsed\n/a\\040b file 1048572 0 -2\n/gone\\040(deleted) file 12 0"
        " -3\n/x partition y\n"
    )
    assert parse_swaps(swaps) == [("/a b", 1048572), ("/gone", 12)] and parse_swaps("") == []
