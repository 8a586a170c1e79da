"""Octal escapes."""

from __future__ import annotations

from lightinit.formats.disks.octal import escape, unescape


def test_both_ways() -> None:
    assert escape("a b\t\n\\#ü") == "a\\040b\\011\\012\\134\\043ü"
    assert unescape(escape("a b\t\n\\#ü")) == "a b\t\n\\#ü"
    assert unescape("\\04 \\x") == "\\04 \\x"
