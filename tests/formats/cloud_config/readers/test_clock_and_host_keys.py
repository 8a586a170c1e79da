"""``timezone`` and ``ntp``."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.formats.cloud_config.readers.clock import (
    GivenClock,
    GivenNtp,
    GivenNtpConfig,
    read_clock,
)


@pytest.mark.parametrize(
    "values, expected",
    [
        ({}, GivenClock()),
        (
            {"timezone": "America/Argentina/Buenos_Aires"},
            GivenClock("America/Argentina/Buenos_Aires"),
        ),
        ({"timezone": "Etc/GMT+5"}, GivenClock("Etc/GMT+5")),
        ({"ntp": None}, GivenClock("", GivenNtp(True))),
        ({"ntp": {"enabled": False}}, GivenClock("", GivenNtp(True, False))),
        (
            {"ntp": {"servers": ["a.example", "10.0.0.1"], "pools": "p", "ntp_client": "chrony"}},
            GivenClock(
                "", GivenNtp(True, True, ("a.example", "10.0.0.1"), ("p",), client="chrony")
            ),
        ),
        (
            {"ntp": {"ntp_client": "chronyd", "peers": ["fd00::1"], "allow": "10.0.0.0/8"}},
            GivenClock("", GivenNtp(True, True, (), (), ("fd00::1",), ("10.0.0.0/8",), "chrony")),
        ),
        (
            {
                "ntp": {
                    "ntp_client": "mine",
                    "config": {
                        "confpath": "/etc/mine",
                        "check_exe": "mined",
                        "packages": ["mine"],
                        "service_name": "mine",
                        "template": "x",
                    },
                }
            },
            GivenClock(
                "",
                GivenNtp(
                    True,
                    client="mine",
                    config=GivenNtpConfig("/etc/mine", "mined", ("mine",), "mine", "x"),
                ),
            ),
        ),
    ],
)
def test_clock(values: Dict[str, Any], expected: GivenClock) -> None:
    assert read_clock(values) == (expected, [])


@pytest.mark.parametrize(
    "values, says",
    [
        ({"timezone": "../etc/passwd"}, "timezone: no time zone has this name"),
        ({"timezone": "/UTC"}, "timezone: no time zone has this name"),
        ({"ntp": {"servers": ["a b", "c"]}}, "ntp.servers: an item is neither a name"),
        ({"ntp": {"ntp_client": "clock"}}, "ntp.ntp_client: it is unknown"),
        (
            {"ntp": {"server": ["a"]}},
            "ntp.server: the key is unknown here; did you mean `servers`?",
        ),
        ({"ntp": {"config": {"confpath": "/etc/pam.d/sshd"}}}, "ntp.config.confpath: a login"),
        ({"ntp": {"config": {"confpath": "a"}}}, "ntp.config.confpath: it is no absolute path"),
        ({"ntp": {"config": {"service_name": "a b"}}}, "ntp.config.service_name: no service has"),
        ({"ntp": {"config": {"path": "/a"}}}, "ntp.config.path: the key is unknown here"),
        ({"ntp": {"ntp_client": "mine", "config": {"confpath": "/a"}}}, "ntp.ntp_client: it is"),
        ({"ntp": ["a"]}, "ntp: it is a list, and must be a mapping"),
    ],
)
def test_mistakes_of_the_clock(values: Dict[str, Any], says: str) -> None:
    found, mistakes = read_clock(values)
    assert says in str(mistakes[0])
    assert not found.timezone and not set(found.ntp.servers) - {"c"}
