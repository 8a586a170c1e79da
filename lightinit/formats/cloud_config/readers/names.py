"""The host's names: ``hostname``, ``fqdn`` and what belongs to them."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section
from lightinit.formats.hostname import clean_hostname
from lightinit.model import NamedTuple

KEYS = (
    "hostname",
    "fqdn",
    "prefer_fqdn_over_hostname",
    "preserve_hostname",
    "manage_etc_hosts",
    "create_hostname_file",
)


class GivenNames(NamedTuple):
    """The names that a cloud-config gives.

    Attributes:
        hostname: the short name, or "" if none is given.
        fqdn: the name with its domain, or "".
        prefer_fqdn: whether the host's name is the ``fqdn``; None leaves it to the distribution.
        preserve: whether the image's name stays.
        etc_hosts: ``template`` (the whole file is written), ``localhost`` (only the host's own
            line), ``no``, or "" if nothing is said.
    """

    hostname: str = ""
    fqdn: str = ""
    prefer_fqdn: Optional[bool] = None
    preserve: bool = False
    etc_hosts: str = ""

    @property
    def name(self) -> str:
        """The name to set, or ""."""
        if self.prefer_fqdn and self.fqdn:
            return self.fqdn
        return self.hostname


def read_names(values: Mapping[str, Any]) -> Tuple[GivenNames, List[Mistake]]:
    """Read the names. A name with a domain under ``hostname`` counts as ``fqdn``.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    hostname, fqdn = _name(given, "hostname"), _name(given, "fqdn")
    if not fqdn and "." in hostname:
        fqdn, hostname = hostname, hostname.partition(".")[0]
    if fqdn and not hostname:
        hostname = fqdn.partition(".")[0]
    names = GivenNames(
        hostname,
        fqdn,
        given.flag("prefer_fqdn_over_hostname"),
        given.yes("preserve_hostname"),
        _etc_hosts(given),
    )
    if names.preserve and (hostname or fqdn):
        given.wrong(
            "preserve_hostname", "a name is given, and shall not be set", "remove one of the two"
        )
    return names, given.mistakes


def _name(given: Section, key: str) -> str:
    text = given.line(key).strip()
    if not text:
        return ""
    try:
        name, notes = clean_hostname(text)
    except MalformedError as error:
        given.wrong(key, "no host can have this name", error.details.get("why", "write letters"))
        return ""
    if notes:
        given.wrong(key, "the name is corrected: %s" % ", ".join(notes), "write it so", True)
    return name


def _etc_hosts(given: Section) -> str:
    value = given.values.get("manage_etc_hosts")
    if value == "localhost":
        return "localhost"
    if value == "template":
        given.wrong("manage_etc_hosts", "`template` is deprecated", "write true", True)
        return "template"
    flag = given.flag("manage_etc_hosts")
    if flag is None:
        return ""
    return "template" if flag else "no"
