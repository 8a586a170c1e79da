"""A sample of the tests: one case of each."""

from __future__ import annotations

from typing import Any, Iterable, List, Set

PARAMETERS = "["


def first_cases(items: Iterable[Any]) -> List[Any]:
    """Of each test that has cases, only the first, in the same order.

    Args:
        items: pytest's, with their ``nodeid``: ``tests/test_a.py::test_a[case]``.
    """
    seen: Set[str] = set()
    kept = []
    for item in items:
        function = item.nodeid.partition(PARAMETERS)[0]
        if function not in seen:
            seen.add(function)
            kept.append(item)
    return kept
