"""Time: ``timezone`` and ``ntp``."""

from __future__ import annotations

import re
from typing import Any, List, Mapping, NamedTuple, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section
from lightinit.formats.timezone import is_zone_name

KEYS = ("timezone", "ntp")
CLIENTS = ("auto", "chrony", "ntp", "ntpdate", "openntpd", "ntpd", "systemd-timesyncd", "timesyncd")
OF_NTP = ("enabled", "servers", "pools", "peers", "allow", "ntp_client", "config")
_HOST = re.compile(r"[A-Za-z0-9_.:-]+\Z")


class GivenNtp(NamedTuple):
    """What ``ntp`` says.

    Attributes:
        is_given: whether the key is there; empty, it means the distribution's own pools.
        enabled: whether the time is kept at all.
        servers: names or addresses of single servers.
        pools: names of pools.
        client: ``auto``, or the program's name.
    """

    is_given: bool = False
    enabled: bool = True
    servers: Tuple[str, ...] = ()
    pools: Tuple[str, ...] = ()
    client: str = "auto"


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
    for key in ("peers", "allow", "config"):
        if section.values.get(key):
            section.wrong(key, "it is not supported", "write the program's file by `write_files`")
    client = section.line("ntp_client", "auto").strip()
    if client not in CLIENTS:
        section.wrong("ntp_client", "it is unknown; auto is taken", "one of " + ", ".join(CLIENTS))
        client = "auto"
    return GivenNtp(
        True,
        section.yes("enabled", True),
        _hosts(section, "servers"),
        _hosts(section, "pools"),
        client,
    )


def _hosts(section: Section, key: str) -> Tuple[str, ...]:
    found = []
    for each in section.texts(key):
        if _HOST.match(each):
            found.append(each)
        else:
            section.wrong(
                key, "an item is neither a name nor an address", "such as time.windows.com"
            )
    return tuple(found)
