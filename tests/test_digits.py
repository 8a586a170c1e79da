"""Whole numbers in text that others wrote: never an exception."""

from __future__ import annotations

import os
import re
from typing import Optional

import pytest

from lightinit.digits import ID_MOST, read_digits

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.mark.parametrize(
    "text, number",
    [
        ("0", 0),
        ("007", 7),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("\u00b2", None),  # a superscript: isdigit says yes, int raises
        ("\u0663", None),  # a digit of another script: int takes it
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        (" 1", None),
        ("1_0", None),
        ("1\0", None),
        ("0x10", None),
        ("\udcff", None),
    ],
)
def test_what_is_a_number(text: str, number: Optional[int]) -> None:
    """N4: a superscript two as a gid in /etc/group, and its kind."""
    assert read_digits(text) == number


def test_the_largest_id() -> None:
    assert read_digits("4294967294", ID_MOST) == ID_MOST
    assert read_digits("4294967295", ID_MOST) is None


def test_nothing_checks_by_isdigit_and_reads_by_int() -> None:
    """N4: that is how a superscript gets through the check."""
    pattern = re.compile(r"\.is(?:digit|numeric|decimal)\(\)")
    allowed = {
        "lightinit/digits.py": 1,
        "lightinit/formats/accounts/admin_account.py": 1,  # reads no number
        "lightinit/formats/azure/imds.py": 1,  # reads no number
        "lightinit/formats/hostname.py": 1,  # labels are ASCII by then
        "lightinit/host/network/http_headers.py": 2,  # with isascii
        "lightinit/settings/__init__.py": 1,  # with isascii, and a ValueError is told
    }
    found = {}
    for base in ("lightinit", "modules"):
        for folder, folders, names in os.walk(os.path.join(HERE, base)):
            folders[:] = [name for name in folders if name not in ("emulator", "modules")]
            for name in names:
                path = os.path.relpath(os.path.join(folder, name), HERE)
                if name.endswith(".py"):
                    with open(os.path.join(HERE, path), encoding="utf-8") as handle:
                        count = len(pattern.findall(handle.read()))
                    if count:
                        found[path] = count
    assert found == allowed
