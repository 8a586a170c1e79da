"""Certificates of authorities that are damaged."""

from __future__ import annotations

import base64

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.services import trust
from tests.lib.authorities import ONE

VERSION_3 = b"\xa0\x03\x02\x01\x02"


def test_a_version_that_does_not_exist_is_damage() -> None:
    """cryptography says so with an error of its own, which is no ValueError."""
    pytest.importorskip("cryptography")
    der = base64.b64decode("".join(ONE.strip().split("\n")[1:-1]))
    assert VERSION_3 in der
    damaged = base64.b64encode(der.replace(VERSION_3, VERSION_3[:-1] + b"\x07", 1)).decode()
    with pytest.raises(MalformedError):
        trust.read_authority("a\n%s\nb" % damaged, 0.0)
