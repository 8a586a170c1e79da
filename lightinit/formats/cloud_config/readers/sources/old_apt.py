"""The keys that stood for ``apt`` before it was there, such as ``apt_sources`` and ``apt_proxy``.
Many documents still have them.

Source: cloud-init 22.4.2, which turns them into ``apt``, and passes over them beside it.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from lightinit.digits import read_digits
from lightinit.formats.cloud_config.mistakes import Mistake, Path
from lightinit.formats.cloud_config.readers.section import Section

# Old key -> the key below `apt`.
OPTIONS = {
    "apt_proxy": "proxy",
    "apt_http_proxy": "http_proxy",
    "apt_https_proxy": "https_proxy",
    "apt_ftp_proxy": "ftp_proxy",
    "apt_preserve_sources_list": "preserve_sources_list",
    "apt_custom_sources_list": "sources_list",
}
# Old key -> the key of a mirror in `primary`.
OF_A_MIRROR = {"apt_mirror": "uri", "apt_mirror_search": "search"}
SOURCES = "apt_sources"
KEYS = (*OPTIONS, *OF_A_MIRROR, SOURCES)
# What to write instead, below `apt`.
INSTEAD = {**OPTIONS, **dict.fromkeys(OF_A_MIRROR, "primary"), SOURCES: "sources"}
# The file of those sources of a list that name none.
FILE = "cloud_config_sources.list"
_HEAD = "apt source"  # before the number of one without a name


def read_old(given: Section) -> Optional[Section]:
    """The section that the old keys stand for; None if there are none, or ``apt`` is beside them.

    Args:
        given: the keys of a cloud-config.
    """
    found = [key for key in KEYS if given.values.get(key) not in (None, "")]
    if found and given.values.get("apt") is not None:
        for key in found:
            given.wrong(key, "it has no effect beside `apt`", "write it below `apt`")
        found = []
    if not found:
        return None
    values: Dict[str, Any] = {
        new: given.values[old] for old, new in OPTIONS.items() if old in found
    }
    mirror = {new: given.values[old] for old, new in OF_A_MIRROR.items() if old in found}
    if mirror:
        values["primary"] = [{"arches": ["default"], **mirror}]
    if SOURCES in found:
        values["sources"] = _sources(given)
    return Section(values, ("apt",), given.mistakes)


def _sources(given: Section) -> Dict[str, Any]:
    """The sources by their names. A list has none: those that name no file are in one file."""
    value = given.values[SOURCES]
    if isinstance(value, dict):
        return value
    sources: Dict[str, Any] = {}
    inner = Section({}, (SOURCES,), given.mistakes)
    for at, each in given.items(SOURCES):
        if not isinstance(each, dict):
            inner.expected(at, "a mapping", each, "write `- source: deb URL SUITE`")
            continue
        # A name without a value is a heading: `- docker:`, then `source:` at the same indentation.
        source = {key: text for key, text in each.items() if text is not None}
        sources["%s %d" % (_HEAD, at)] = {"filename": FILE, **source}
    return sources


def place_old(mistake: Mistake) -> Mistake:
    """The mistake with the path that the document has.

    Args:
        mistake: one in the section that :func:`read_old` has made.
    """
    path = mistake.path
    if path[:2] == ("apt", "sources"):
        names: Path = path[2:3]
        head, _, number = "".join(map(str, names)).rpartition(" ")
        at = read_digits(number) if head == _HEAD else None
        if at is not None:
            names = (at,)
        path = (SOURCES, *names, *path[3:])
    elif path[:2] == ("apt", "primary"):
        named = [old for old, new in OF_A_MIRROR.items() if new in path[3:4]]
        path = (*named, *path[4:])
    elif path[:1] == ("apt",):
        path = (*(old for old, new in OPTIONS.items() if new in path[1:2]), *path[2:])
    return mistake._replace(path=path)
