"""The lines between two marks in a file of somebody else's."""

from __future__ import annotations

import pytest

from lightinit.formats.services.blocks import remove_blocks


@pytest.mark.parametrize(
    "text, left",
    [
        ("", ""),
        ("a\nb", "a\nb"),
        ("a\n<\nx\n>\nb\n", "a\nb\n"),
        ("<\n>\n", ""),
        ("<\nx\n>\na\n<\ny\n>\n", "a\n"),
        ("<\na\n", "<\na\n"),
        (">\na\n", ">\na\n"),
        ("<\na\n<\nx\n>\nb\n>\n", "<\na\nb\n>\n"),
        ("<\nx\n>", "<\nx\n>"),
        (" <\nx\n>\n", " <\nx\n>\n"),
        ("<\r\nx\n>\n", "<\r\nx\n>\n"),
        ("<\nx\x0c>\n>\na", "a"),
    ],
)
def test_only_whole_blocks_go(text: str, left: str) -> None:
    assert remove_blocks(text, "<", ">") == left
