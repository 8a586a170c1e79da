"""Time zones' names, and the rule at the end of a compiled zone (RFC 8536)."""

from __future__ import annotations

import pytest

from lightinit.formats.timezone import is_zone, is_zone_name, read_posix_rule

ZONE = b"TZif2" + bytes(39) + b"TZif2" + bytes(39) + b"\nCET-1CEST,M3.5.0,M10.5.0/3\n"


@pytest.mark.parametrize(
    "name",
    [
        "UTC",
        "Europe/Berlin",
        "America/Argentina/Buenos_Aires",
        "Etc/GMT+5",
        "Etc/GMT-14",
        "America/Port-au-Prince",
        "EST5EDT",
        "posix/Asia/Tokyo",
    ],
)
def test_names_that_may_be(name: str) -> None:
    assert is_zone_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/UTC",
        "UTC/",
        "a//b",
        "..",
        "../UTC",
        "Europe/../UTC",
        ".",
        "zone.tab",
        "Europe Berlin",
        "UTC\n",
        "UTC\0",
        "Zürich",
        "x" * 65,
        "$(reboot)",
        "~",
    ],
)
def test_names_that_may_not_be(name: str) -> None:
    assert not is_zone_name(name)


def test_the_rule_stands_in_the_footer() -> None:
    assert is_zone(ZONE) and read_posix_rule(ZONE) == "CET-1CEST,M3.5.0,M10.5.0/3"
    assert read_posix_rule(ZONE[:-27] + b"<-03>3\n") == "<-03>3"


@pytest.mark.parametrize(
    "data",
    [
        b"TZif" + b"\0" + ZONE[5:],
        ZONE[:88] + b"\n\n",
        ZONE[:88],
        b"Europe/Berlin\n",
        b"",
        b"TZif2",
        ZONE[:-1] + b"\xff\n",
        ZONE + b"more",
    ],
)
def test_where_there_is_no_rule(data: bytes) -> None:
    assert read_posix_rule(data) == ""
