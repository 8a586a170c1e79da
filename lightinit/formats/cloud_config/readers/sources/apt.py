"""apt's sources and configuration: ``apt``, the keys that stood for it, and ``apt_pipelining``."""

from __future__ import annotations

import re
from typing import Any, List, Mapping, Optional, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section
from lightinit.formats.cloud_config.readers.sources import old_apt
from lightinit.model import NamedTuple

KEYS = ("apt", "apt_pipelining", *old_apt.KEYS)
KEYSERVER = "keyserver.ubuntu.com"
OF_APT = (
    "preserve_sources_list",
    "generate_mirrorlists",
    "disable_suites",
    "primary",
    "security",
    "add_apt_repo_match",
    "debconf_selections",
    "sources_list",
    "conf",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "proxy",
    "sources",
)
UNSUPPORTED = ("generate_mirrorlists", "add_apt_repo_match")
OF_A_SOURCE = ("source", "key", "keyid", "keyserver", "filename", "append")
OF_A_MIRROR = ("arches", "uri", "search", "search_dns", "key", "keyid", "keyserver")
_FILE = re.compile(r"[A-Za-z0-9_.-]+\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\"\\;\[\]]+\Z")
_KEYID = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{8,64}\Z")
_HOST = re.compile(r"(?:(?:hkps?|https?)://)?[A-Za-z0-9.-]+(?::[0-9]{1,5})?/?\Z")
_PPA = re.compile(r"[\w-]+:\w")


class GivenKey(NamedTuple):
    """A public key: armoured, or by its id or fingerprint, to be had from ``keyserver``."""

    text: str = ""
    id: str = ""
    keyserver: str = KEYSERVER


class GivenSource(NamedTuple):
    """One source of apt.

    Attributes:
        name: its key.
        source: the line for sources.list, with ``$RELEASE``, ``$MIRROR`` and ``$KEY_FILE``, or "".
        key: its key; None if there is none.
        filename: the file below sources.list.d, with its ending; or elsewhere, by its path.
        append: whether the line is added to a file that is there.
    """

    name: str
    source: str = ""
    key: Optional[GivenKey] = None
    filename: str = ""
    append: bool = True


class GivenMirror(NamedTuple):
    """A mirror for some architectures.

    Attributes:
        arches: their names, or ``default``.
        uri: where it is, or "".
        search: candidates; the first whose name is known counts.
        key: its key.
    """

    arches: Tuple[str, ...]
    uri: str = ""
    search: Tuple[str, ...] = ()
    key: Optional[GivenKey] = None


class GivenApt(NamedTuple):
    """What ``apt`` and ``apt_pipelining`` say.

    Attributes:
        preserve: whether the lists of the distribution stay as they are.
        sources_list: a new text for them, or "".
        primary, security: mirrors for them.
        disabled: suites that are not used.
        conf: text for apt.conf.d, or "".
        proxies: (protocol, URL).
        pipelining: how many requests are sent at once, or None.
        debconf: answers for debconf-set-selections, or "".
        sources: the further sources.
    """

    preserve: bool = False
    sources_list: str = ""
    primary: Tuple[GivenMirror, ...] = ()
    security: Tuple[GivenMirror, ...] = ()
    disabled: Tuple[str, ...] = ()
    conf: str = ""
    proxies: Tuple[Tuple[str, str], ...] = ()
    pipelining: Optional[int] = None
    debconf: str = ""
    sources: Tuple[GivenSource, ...] = ()


def read_apt(values: Mapping[str, Any]) -> Tuple[GivenApt, List[Mistake]]:
    """Read both keys. What is wrong is left out.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    found = GivenApt(pipelining=_pipelining(given))
    old = old_apt.read_old(given)
    section = old or given.section("apt")
    if section is None:
        return found, given.mistakes
    found = _read_section(section, found)
    if old is not None:
        given.mistakes[:] = [old_apt.place_old(each) for each in given.mistakes]
    return found, given.mistakes


def _read_section(section: Section, found: GivenApt) -> GivenApt:
    section.know(OF_APT)
    for key in UNSUPPORTED:
        if section.values.get(key):
            section.wrong(key, "it is not supported", "write the file of apt by `write_files`")
    return found._replace(
        preserve=section.yes("preserve_sources_list"),
        sources_list=_list(section),
        primary=_mirrors(section, "primary"),
        security=_mirrors(section, "security"),
        disabled=section.texts("disable_suites"),
        conf=section.text("conf"),
        proxies=_proxies(section),
        debconf=_debconf(section),
        sources=_sources(section),
    )


def _pipelining(given: Section) -> Optional[int]:
    value = given.values.get("apt_pipelining")
    text = str(value).strip().lower()
    if value is None or text in ("none", "unchanged", "os"):
        return None
    if text == "false":
        return 0
    if not isinstance(value, bool) and text in ("0", "1", "2", "3", "4", "5"):
        return int(text)
    given.wrong("apt_pipelining", "it is no depth", "write false, os, or a number from 0 to 5")
    return None


def _list(section: Section) -> str:
    text = section.text("sources_list")
    if text.lower().startswith("## template"):
        section.wrong("sources_list", "a template is not supported", "use $MIRROR and $RELEASE")
        return ""
    return text


def _proxies(section: Section) -> Tuple[Tuple[str, str], ...]:
    found = {}
    for protocol, key in (
        ("http", "proxy"),
        ("http", "http_proxy"),
        ("https", "https_proxy"),
        ("ftp", "ftp_proxy"),
    ):
        url = section.line(key).strip()
        if url and not _URI.match(url) and url.upper() != "DIRECT":
            section.wrong(key, "it is no URL", "write `http://HOST:PORT/`")
        elif url:
            found[protocol] = url
    return tuple(found.items())


def _debconf(section: Section) -> str:
    sets = section.section("debconf_selections")
    if sets is None:
        return ""
    texts = []
    for name in sorted(sets.values):
        lines = [line for line in sets.text(name).split("\n") if line.strip()]
        kept = [line for line in lines if line.lstrip().startswith("#") or len(line.split()) >= 3]
        if len(kept) < len(lines):
            sets.wrong(name, "a line has no answer", "write `PACKAGE QUESTION TYPE ANSWER`")
        texts += kept
    return "".join(line + "\n" for line in texts)


def _mirrors(section: Section, key: str) -> Tuple[GivenMirror, ...]:
    found = []
    for mirror in section.sections(key):
        mirror.know(OF_A_MIRROR)
        if mirror.values.get("search_dns"):
            mirror.wrong("search_dns", "it is not supported", "write `uri` or `search`")
        arches = mirror.texts("arches")
        if not arches:
            mirror.wrong("arches", "it is missing", "write `arches: [default]`")
            continue
        uri = _uri(mirror, "uri", mirror.line("uri").strip())
        search = tuple(each for each in mirror.texts("search") if _uri(mirror, "search", each))
        found.append(GivenMirror(arches, uri, search, _key(mirror)))
    return tuple(found)


def _uri(section: Section, key: str, text: str) -> str:
    if text and not _URI.match(text):
        section.wrong(key, "it is no URI of a mirror", "write `http://HOST/PATH`")
        return ""
    return text


def _key(section: Section) -> Optional[GivenKey]:
    text = section.text("key")
    if text.strip():
        return GivenKey(text)
    keyid = "".join(section.line("keyid").split())
    if not keyid:
        return None
    if not _KEYID.match(keyid):
        section.wrong("keyid", "it is no id of a key", "write the fingerprint: 40 hex digits")
        return None
    server = section.line("keyserver").strip() or KEYSERVER
    if not _HOST.match(server):
        section.wrong("keyserver", "it is no name of a server", "such as `%s`" % KEYSERVER)
        return None
    return GivenKey("", keyid, server)


def _sources(section: Section) -> Tuple[GivenSource, ...]:
    named = section.section("sources")
    if named is None:
        return ()
    return tuple(each for name in named.values for each in _source(named, name))


def _source(named: Section, name: str) -> List[GivenSource]:
    section = named.section(name)
    if section is None:
        return []
    section.know(OF_A_SOURCE)
    filename = section.line("filename") or name
    parts = filename.split("/")
    if not _FILE.match(parts[-1]) or ".." in parts or (len(parts) > 1 and parts[0]):
        section.wrong("filename", "it cannot be a file of apt", "letters, digits, -, _ and .")
        return []
    if not filename.endswith(".list"):
        filename += ".list"
    line = section.text("source").strip()
    if _PPA.match(line):
        section.wrong("source", "a PPA is not supported", "write its line `deb URL SUITE`, and key")
        return []
    source = GivenSource(name, line, _key(section), filename, section.yes("append", True))
    if not source.source and source.key is None:
        section.wrong(None, "it has neither a source nor a key", "write `source: deb URL SUITE`")
        return []
    return [source]
