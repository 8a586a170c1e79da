"""Language, trust and services."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.formats.cloud_config.readers.services import (
    GivenKeyboard,
    GivenResolver,
    GivenServices,
    GivenSyslog,
    GivenTrust,
    read_services,
)

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "values, expected",
    [
        ({}, GivenServices()),
        ({"locale": "de_DE.UTF-8"}, GivenServices("de_DE.UTF-8")),
        ({"locale": False}, GivenServices()),
        ({"locale": "no"}, GivenServices()),
        ({"locale": "C", "locale_configfile": "/etc/x"}, GivenServices("C", "/etc/x")),
        ({"keyboard": {"layout": "de"}}, GivenServices(keyboard=GivenKeyboard("de"))),
        (
            {
                "keyboard": {
                    "layout": "us,de",
                    "variant": "intl",
                    "options": "grp:alt",
                    "model": "x",
                }
            },
            GivenServices(keyboard=GivenKeyboard("us,de", "x", "intl", "grp:alt")),
        ),
        (
            {"ca_certs": {"remove_defaults": True, "trusted": ["\n" + PEM + PEM]}},
            GivenServices(trust=GivenTrust(True, (PEM, PEM))),
        ),
        ({"ca-certs": {"trusted": [PEM]}}, GivenServices(trust=GivenTrust(False, (PEM,)))),
        (
            {
                "manage_resolv_conf": True,
                "resolv_conf": {
                    "nameservers": ["10.0.0.1"],
                    "searchdomains": ["a.example"],
                    "domain": "example",
                    "options": {"rotate": True, "timeout": 1, "debug": False},
                },
            },
            GivenServices(
                resolver=GivenResolver(
                    ("10.0.0.1",),
                    ("a.example",),
                    "example",
                    (),
                    (("rotate", ""), ("timeout", "1")),
                )
            ),
        ),
        (
            {
                "rsyslog": {
                    "configs": ["*.* /a", {"filename": "1.conf", "content": "x"}],
                    "remotes": {"m": "10.0.0.1:10514"},
                    "service_reload_command": "auto",
                }
            },
            GivenServices(
                syslog=GivenSyslog(
                    (("20-cloud-config.conf", "*.* /a"), ("1.conf", "x")),
                    (("m", "10.0.0.1:10514"),),
                )
            ),
        ),
    ],
)
def test_services(values: Dict[str, Any], expected: GivenServices) -> None:
    assert read_services(values) == (expected, [])


@pytest.mark.parametrize(
    "values, says",
    [
        ({"locale": "../x"}, "locale: no locale has this name"),
        ({"locale_configfile": "/etc/x"}, "locale_configfile: it has no effect without `locale`"),
        ({"locale": "C", "locale_configfile": "x"}, "locale_configfile: it is no absolute path"),
        ({"locale": True}, "locale: it is a boolean, and must be text"),
        ({"keyboard": {"model": "x"}}, "keyboard.layout: no keyboard has this"),
        ({"keyboard": {"layout": "$(x)"}}, "keyboard.layout: no keyboard has this"),
        ({"resolv_conf": {"domain": "a"}}, "has no effect without `manage_resolv_conf: true`"),
        ({"manage_resolv_conf": True}, "manage_resolv_conf: there is no `resolv_conf`"),
        (
            {"manage_resolv_conf": True, "resolv_conf": {"nameservers": ["a\nb"]}},
            "resolv_conf: a word of it has blanks",
        ),
        ({"rsyslog": ["*.* @x"]}, "rsyslog: it is a list, and must be a mapping"),
    ],
)
def test_mistakes(values: Dict[str, Any], says: str) -> None:
    found, mistakes = read_services(values)
    assert says in str(mistakes[0]) and found == GivenServices()


def test_what_is_wrong_is_left_out() -> None:
    found, mistakes = read_services({"ca_certs": {"trusted": ["x", PEM], "remove-defaults": True}})
    assert found.trust == GivenTrust(True, (PEM,)) and len(mistakes) == 2
    configs = [{"filename": "../x", "content": "a"}, {"filename": "y"}, "b"]
    found, mistakes = read_services({"rsyslog": {"configs": configs}})
    assert found.syslog == GivenSyslog((("20-cloud-config.conf", "b"),)) and len(mistakes) == 2
