"""Texts with placeholders."""

from __future__ import annotations

from typing import Tuple

import pytest

from lightinit.formats.user_parts.placeholders import fill_in

VALUES = {"version": "1.0", "UPTIME": "9.5"}


@pytest.mark.parametrize(
    "text, becomes, unknown",
    [
        ("v$version.", "v1.0.", ()),
        ("${version}x $UPTIME", "1.0x 9.5", ()),
        ("$versions ${a} $a $$ $", "$versions ${a} $a $$ $", ("versions", "a")),
        ("${version", "${version", ()),
        ("$5 and {{version}}", "$5 and {{version}}", ("5",)),
        ("", "", ()),
    ],
)
def test_what_has_a_value_is_filled_in(text: str, becomes: str, unknown: Tuple[str, ...]) -> None:
    assert fill_in(text, VALUES) == (becomes, unknown)
