"""Time: ``timezone`` and ``ntp``."""

from __future__ import annotations

import re
from typing import Any, List, Mapping, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.places import read_place
from lightinit.formats.cloud_config.readers.section import Section
from lightinit.formats.timezone import is_zone_name
from lightinit.model import NamedTuple

KEYS = ("timezone", "ntp")
# The names that work, with the client that each one means. The last ones are not cloud-init's.
CLIENTS = {
    "auto": "auto",
    "chrony": "chrony",
    "ntp": "ntp",
    "openntpd": "openntpd",
    "systemd-timesyncd": "systemd-timesyncd",
    "chronyd": "chrony",
    "ntpd": "ntp",
    "ntpsec": "ntp",
    "ntpd-openntpd": "openntpd",
    "timesyncd": "systemd-timesyncd",
    "busybox": "busybox",
}
OF_NTP = ("enabled", "servers", "pools", "peers", "allow", "ntp_client", "config")
OF_CONFIG = ("confpath", "check_exe", "packages", "service_name", "template")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_.:-]+\Z")
_NETWORK = re.compile(r"(?!-)[A-Za-z0-9_.:/-]+\Z")
_WORD = re.compile(r"(?!-)[A-Za-z0-9_.@+-]+\Z")


class GivenNtpConfig(NamedTuple):
    """How a client is configured, as ``config`` says it. "" and nothing: the client's own.

    Attributes:
        path: its configuration file.
        program: the program that must be there.
        packages: what has it.
        service: the name of its service.
        template: the text of the file; with ``## template:jinja`` in its first line, a template.
    """

    path: str = ""
    program: str = ""
    packages: Tuple[str, ...] = ()
    service: str = ""
    template: str = ""


class GivenNtp(NamedTuple):
    """What ``ntp`` says.

    Attributes:
        is_given: whether the key is there; empty, it means the distribution's own pools.
        enabled: whether the time is kept at all.
        servers: names or addresses of single servers.
        pools: names of pools.
        peers: names or addresses of servers that may ask this one in turn.
        allow: networks that may ask this one.
        client: ``auto``, or the client's name.
        config: how it is configured.
    """

    is_given: bool = False
    enabled: bool = True
    servers: Tuple[str, ...] = ()
    pools: Tuple[str, ...] = ()
    peers: Tuple[str, ...] = ()
    allow: Tuple[str, ...] = ()
    client: str = "auto"
    config: GivenNtpConfig = GivenNtpConfig()


class GivenClock(NamedTuple):
    """What a cloud-config says of time.

    Attributes:
        timezone: such as ``Europe/Berlin``, or "".
        ntp: the time servers.
    """

    timezone: str = ""
    ntp: GivenNtp = GivenNtp()


def read_clock(values: Mapping[str, Any]) -> Tuple[GivenClock, List[Mistake]]:
    """Read the time zone and the time servers.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    zone = given.line("timezone").strip()
    if zone and not is_zone_name(zone):
        given.wrong("timezone", "no time zone has this name", "such as Europe/Berlin or UTC")
        zone = ""
    return GivenClock(zone, _ntp(given)), given.mistakes


def _ntp(given: Section) -> GivenNtp:
    if "ntp" not in given:
        return GivenNtp()
    section = given.section("ntp")
    if section is None:
        return GivenNtp(given.values["ntp"] is None)
    section.know(OF_NTP)
    config = _config(section)
    client = section.line("ntp_client", "auto").strip()
    if client not in CLIENTS and not (config.path and config.template and _WORD.match(client)):
        section.wrong("ntp_client", "it is unknown; auto is taken", "one of " + ", ".join(CLIENTS))
        client = "auto"
    return GivenNtp(
        True,
        section.yes("enabled", True),
        _hosts(section, "servers"),
        _hosts(section, "pools"),
        _hosts(section, "peers"),
        _hosts(section, "allow", _NETWORK),
        CLIENTS.get(client, client),
        config,
    )


def _config(section: Section) -> GivenNtpConfig:
    config = section.section("config")
    if config is None:
        return GivenNtpConfig()
    config.know(OF_CONFIG)
    path = read_place(config, "confpath", "/etc/chrony/chrony.conf")
    service = config.line("service_name").strip()
    if service and not _WORD.match(service):
        config.wrong("service_name", "no service has this name", "such as chrony")
        service = ""
    program = config.line("check_exe").strip()
    return GivenNtpConfig(path, program, config.texts("packages"), service, config.text("template"))


def _hosts(section: Section, key: str, pattern: "re.Pattern[str]" = _HOST) -> Tuple[str, ...]:
    found = []
    for each in section.texts(key):
        if pattern.match(each):
            found.append(each)
        else:
            section.wrong(
                key, "an item is neither a name nor an address", "such as time.windows.com"
            )
    return tuple(found)
