"""Which tests the samples of test-pythons and test-bare are."""

from __future__ import annotations

from typing import List, NamedTuple

from tests.lib.cases import first_cases


class Item(NamedTuple):
    """What is looked at of one of pytest's."""

    nodeid: str


def test_the_first_case_of_each_test_and_those_without_cases() -> None:
    names: List[str] = [
        "tests/a.py::test_cases[x]",
        "tests/a.py::test_cases[y[0]-z::z]",
        "tests/a.py::test_alone",
        "tests/b.py::test_cases[y]",
        "tests/a.py::test_cases[z]",
    ]
    kept = first_cases([Item(name) for name in names])
    assert [each.nodeid for each in kept] == [names[0], names[2], names[3]]
