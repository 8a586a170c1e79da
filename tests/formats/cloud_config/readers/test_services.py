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
                    "remotes": {
                        "m": "10.0.0.1:10514",
                        "tcp": "@@h.example # x",
                        "six": "kern.* @[fd00::1]:514",
                        "none": None,
                    },
                    "service_reload_command": "auto",
                }
            },
            GivenServices(
                syslog=GivenSyslog(
                    (("20-cloud-config.conf", "*.* /a"), ("1.conf", "x")),
                    (
                        ("m", "*.* @10.0.0.1:10514"),
                        ("tcp", "*.* @@h.example"),
                        ("six", "kern.* @[fd00::1]:514"),
                    ),
                )
            ),
        ),
        (
            {
                "rsyslog": {
                    "config_dir": "/opt/r",
                    "config_filename": "9.conf",
                    "service_reload_command": ["sv", "restart", "rsyslogd"],
                }
            },
            GivenServices(
                syslog=GivenSyslog((), (), "/opt/r", "9.conf", ("sv", "restart", "rsyslogd"))
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
        ({"locale_configfile": "/etc/../etc/passwd"}, "locale_configfile: a login needs what"),
        ({"locale_configfile": "x"}, "locale_configfile: it is no absolute path"),
        ({"locale": True}, "locale: it is a boolean, and must be text"),
        ({"keyboard": {"model": "x"}}, "keyboard.layout: no keyboard has this"),
        ({"keyboard": {"layout": "$(x)"}}, "keyboard.layout: no keyboard has this"),
        ({"resolv_conf": {"domain": "a"}}, "has no effect without `manage_resolv_conf: true`"),
        ({"manage_resolv_conf": True}, "manage_resolv_conf: there is no `resolv_conf`"),
        (
            {"manage_resolv_conf": True, "resolv_conf": {"nameservers": ["a\nb"]}},
            "resolv_conf: a word of it has blanks",
        ),
        ({"rsyslog": "*.* @x"}, "rsyslog: it is text, and must be a mapping"),
        ({"rsyslog_dir": "/x"}, "rsyslog_dir: it has no effect beside a mapping; below `rsyslog`"),
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


@pytest.mark.parametrize(
    "given, says",
    [
        ({"remotes": {"m": "a b c"}}, "rsyslog.remotes.m: no remote has this form"),
        ({"remotes": {"m": "@@@x"}}, "rsyslog.remotes.m: no remote has this form"),
        ({"remotes": {"m": "x:port"}}, "rsyslog.remotes.m: no remote has this form"),
        ({"config_dir": "/etc/ssh"}, "rsyslog.config_dir: a login needs what is there"),
        (
            {"config_dir": "/etc", "config_filename": "shadow"},
            "rsyslog.config_dir: a login needs what is there",
        ),
        ({"config_dir": "x"}, "rsyslog.config_dir: it is no absolute path"),
        ({"config_filename": "../x"}, "rsyslog.config_filename: it has a path as name"),
        ({"configs": [{"filename": "x"}]}, "rsyslog.configs[0]: it has no content"),
        ({"install_rsyslog": True}, "rsyslog.install_rsyslog: it has no effect; add rsyslog to"),
    ],
)
def test_mistakes_of_rsyslog(given: Dict[str, Any], says: str) -> None:
    found, mistakes = read_services({"rsyslog": given})
    assert says in str(mistakes[0]) and found.syslog == GivenSyslog()


def test_the_old_list_of_rsyslog_is_read_and_told() -> None:
    values = {"rsyslog": ["*.* /a"], "rsyslog_filename": "9.conf", "rsyslog_dir": "/opt/r"}
    found, mistakes = read_services(values)
    assert found.syslog == GivenSyslog((("9.conf", "*.* /a"),), (), "/opt/r", "9.conf")
    assert len(mistakes) == 3 and all(each.has_effect for each in mistakes)
