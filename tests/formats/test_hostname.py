"""Host names that are allowed, and files that hold one alone."""

from __future__ import annotations

from typing import List

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.hostname import (
    clean_hostname,
    edit_plain,
    read_plain,
    short_names_first,
)


@pytest.mark.parametrize(
    "given, cleaned",
    [
        ("vm1", "vm1"),
        ("VM-1", "VM-1"),
        ("1vm", "1vm"),
        ("  vm1\n", "vm1"),
        ("vm1.example.org", "vm1.example.org"),
        ("12345", "12345"),
        ("web.01", "web.01"),
        ("01.web", "01.web"),
        ("vm1.example.org.", "vm1.example.org"),
        ("vm1-", "vm1"),
        ("vm1-.example", "vm1.example"),
        ("a" * 63, "a" * 63),
        ("a" * 64, "a" * 63),
        ("a" * 62 + "-" + "b" * 10, "a" * 62),
        ("vm1." + "d" * 63, "vm1"),
        ("vm1." + "d" * 60, "vm1." + "d" * 60),
    ],
)
def test_a_name_is_cleaned(given: str, cleaned: str) -> None:
    name, notes = clean_hostname(given)
    assert name == cleaned
    assert bool(notes) == (cleaned != given.strip())


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        ".",
        "-",
        "-vm",
        "vm_1",
        "vm 1",
        "vm..1",
        ".vm",
        "vm\n1",
        "v\0m",
        "caf\u00e9",
        "\u0661",
        "vm/1",
        "vm;x",
        "$(x)",
        "10.0.0.4",
        "10.4",
        "1.2.3.4.5",
        "localhost",
        "LOCALHOST",
        "localhost.localdomain",
        "vm1.-x",
        "\ud800",
    ],
)
def test_a_name_is_refused(given: str) -> None:
    with pytest.raises(MalformedError) as caught:
        clean_hostname(given)
    assert caught.value.reason == "host name is not valid"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "before, after",
    [
        ("", "vm1\n"),
        ("old\n", "vm1\n"),
        ("old", "vm1\n"),
        ("# the name\nold\n", "# the name\nvm1\n"),
        ("vm1", "vm1"),
        ("# c\n\nvm1\n", "# c\n\nvm1\n"),
    ],
)
def test_a_plain_file(before: str, after: str) -> None:
    assert edit_plain(before, "vm1") == after
    assert read_plain(after) == "vm1"


@pytest.mark.parametrize(
    "given, ordered",
    [
        (["vm1"], ("vm1",)),
        (["vm1.novalocal", "vm1"], ("vm1", "vm1.novalocal")),
        (["a.b.org", "c"], ("a", "a.b.org", "c")),
        (["web.01", "", "10.0.0.7", ".org"], ("web.01", "10.0.0.7", ".org")),
    ],
)
def test_the_part_before_the_domain_comes_first(given: List[str], ordered: object) -> None:
    assert short_names_first(given) == ordered
