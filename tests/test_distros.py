"""docs/distros.md: a section for each distribution, with the same rows, and nothing that the tree
does not have.
"""

from __future__ import annotations

import os
import re
from typing import Dict, List

import pytest

from lightinit import __version__
from tests.lib.scratch import HERE

SECTIONS = (
    "Alpine",
    "Void",
    "Arch",
    "Gentoo",
    "NixOS",
    "Slackware",
    "Devuan",
    "Buildroot and Yocto",
    "openSUSE with wicked",
    "Flatcar and other read-only /usr",
)
ROWS = ["install", "DHCP client", "SSH server", "init", "root", "tested"]


def read(path: str) -> str:
    with open(os.path.join(HERE, path), encoding="utf-8") as handle:
        return handle.read()


PAGE = read("docs/distros.md")


def sections() -> Dict[str, str]:
    parts = re.split(r"^## (.*)\n", PAGE, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def test_the_sections_are_the_list() -> None:
    assert list(sections()) == ["Every image", *SECTIONS]
    # The table at the top has each of them, with a link that leads to it.
    for name in SECTIONS:
        anchor = re.sub(r"[^a-z -]", "", name.lower()).replace(" ", "-")
        assert "| [%s](#%s) |" % (name, anchor) in PAGE


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_has_all_rows_and_a_recipe(name: str) -> None:
    text = sections()[name]
    assert re.findall(r"^\| ([^|]+?) \| ", text, flags=re.M) == ROWS
    steps: List[str] = re.findall(r"^(\d+)\. ", text, flags=re.M)
    assert steps == [str(number + 1) for number in range(len(steps))] and len(steps) >= 4


def test_what_it_names_is_there() -> None:
    paths = set(re.findall(r"(?<![\w/])(?:packaging|tests|etc/udhcpc)/[\w./-]*\w", PAGE))
    assert len(paths) > 12
    for path in paths:
        assert os.path.exists(os.path.join(HERE, path)), path
    known = set(re.findall(r"^init-(\S+)", read("packaging/files"), flags=re.M))
    assert set(re.findall(r"INIT=([a-z0-9-]+)", PAGE)) <= known
    assert set(re.findall(r"lightinit[-_](\d+\.\d+\.\d+)", PAGE)) == {__version__}


def test_the_first_pages_lead_to_it() -> None:
    first_screen = "\n".join(read("README.md").splitlines()[:30])
    for word in " ".join(SECTIONS).replace("/usr", "").split():
        if word[0].isupper() or word == "openSUSE":
            assert word in first_screen, word
    assert "docs/distros.md" in first_screen
    assert "| [distros.md](distros.md) |" in read("docs/README.md")
