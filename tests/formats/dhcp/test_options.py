"""Values of a lease: dates and routes as text."""

from __future__ import annotations

import random
from typing import Tuple

import pytest

from lightinit.formats.dhcp import options as lease_options
from lightinit.model import Route


def test_dates_against_the_standard_library() -> None:
    import calendar
    import time

    chance = random.Random(2026)
    for _ in range(500):
        seconds = chance.randrange(0, 1 << 33)
        parts = time.gmtime(seconds)
        text = time.strftime("%w %Y/%m/%d %H:%M:%S", parts)
        assert lease_options.time_from_date(text) == calendar.timegm(parts)


@pytest.mark.parametrize(
    ("text", "routes"),
    [
        ("8 10 10 0 0 1", (Route("10.0.0.0/8", "10.0.0.1"),)),
        ("17 10 1 128 10 0 0 1", (Route("10.1.128.0/17", "10.0.0.1"),)),
        ("25 10 1 2 128 10 0 0 1", (Route("10.1.2.128/25", "10.0.0.1"),)),
        ("10.0.0.0/8 10.0.0.1", (Route("10.0.0.0/8", "10.0.0.1"),)),
        ("10.0.0.0/8,10.0.0.1 bad/7,1 11.0.0.0/33,1.2.3.4", (Route("10.0.0.0/8", "10.0.0.1"),)),
        ("200a0a0a0a0a000001", (Route("10.10.10.10/32", "10.0.0.1"),)),
        ("", ()),
        ("33 1 2 3 4 5 6 7 8 9", ()),
        ("32 168 63 129 16 10 0 0", ()),
        ("300 1 1 1 1", ()),
        ("\xb2 1", ()),
        ("8 10 10 0 0 1 32", ()),
    ],
)
def test_routes_as_text(text: str, routes: Tuple[Route, ...]) -> None:
    assert lease_options.routes_from_text(text) == routes
