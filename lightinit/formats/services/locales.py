"""Names of locales, the lists of those that a host can make, and the files that name the one in
use. Text in, text out. It knows no path.
"""

from __future__ import annotations

import re
from typing import Iterable, List, Optional

from lightinit.model import NamedTuple

# glibc has these without any file, the last one from 2.35 on.
ALWAYS_THERE = ("c", "posix", "c.utf8")
_LINE = re.compile(
    r"^[ \t]*(?:(?P<off>#)[ \t]*)?(?P<name>[A-Za-z0-9_.@-]+)[ \t]+(?P<set>[A-Z0-9-]+)[ \t]*$"
)
# A shell script that names the locale, as in /etc/profile.d. What a script computes is not touched.
_EXPORT = re.compile(
    r"^(?P<before>(?:export[ \t]+)?LANG=)(?P<quote>[\"']?)"
    r"(?P<value>\$\{LANG:-[A-Za-z0-9_.@-]*\}|[A-Za-z0-9_.@-]+)(?P=quote)[ \t]*$",
    re.MULTILINE,
)


class ListedLocale(NamedTuple):
    """A line of /etc/locale.gen and its like.

    Attributes:
        name: such as ``de_DE.UTF-8``.
        charset: such as ``UTF-8``.
        is_on: whether it is made. A line with a # in front of it is not.
    """

    name: str
    charset: str
    is_on: bool


def plain_name(name: str) -> str:
    """A name as glibc compares it: ``de_DE.UTF-8`` and ``de_DE.utf8`` are the same."""
    base, at, modifier = name.partition("@")
    language, dot, charset = base.partition(".")
    charset = re.sub(r"[^a-z0-9]", "", charset.lower())
    return (language.lower() + dot + charset + at + modifier.lower()).strip()


def has_locale(name: str, there: Iterable[str]) -> bool:
    """Whether a locale is among those that are there.

    Args:
        name: the locale.
        there: what `locale -a` prints.
    """
    wanted = plain_name(name)
    return wanted in ALWAYS_THERE or wanted in {plain_name(each) for each in there}


def read_list(text: str) -> List[ListedLocale]:
    """The locales in the text of /etc/locale.gen, of /usr/share/i18n/SUPPORTED, or of Void's
    /etc/default/libc-locales; also those that are switched off.
    """
    found = []
    for line in text.split("\n"):
        match = _LINE.match(line)
        if match is not None:
            found.append(ListedLocale(match["name"], match["set"], not match["off"]))
    return found


def find_listed(name: str, listed: Iterable[ListedLocale]) -> Optional[ListedLocale]:
    """The line for a locale. ``de_DE`` without a line of its own is taken as ``de_DE.UTF-8``."""
    by_name = {plain_name(each.name): each for each in listed}
    wanted = plain_name(name)
    base, at, modifier = wanted.partition("@")
    found = by_name.get(wanted) or by_name.get(base + ".utf8" + at + modifier)
    if found is None and base.endswith(".utf8"):
        # Some languages have no other charset, and no charset in their names: aa_ER UTF-8.
        found = by_name.get(base[: -len(".utf8")] + at + modifier)
        if found is not None and found.charset != "UTF-8":
            found = None
    return found


def switch_on(text: str, wanted: ListedLocale) -> str:
    """The text of such a list, with one locale switched on; its line is added if there is none."""
    lines = text.split("\n")
    line = "%s %s" % (wanted.name, wanted.charset)
    at = -1
    for number, each in enumerate(lines):
        match = _LINE.match(each)
        if match is not None and (match["name"], match["set"]) == (wanted.name, wanted.charset):
            if not match["off"]:
                return text
            at = number
    if at >= 0:
        lines[at] = line
        return "\n".join(lines)
    if text and not text.endswith("\n"):
        text += "\n"
    return text + line + "\n"


def edit_script(text: str, locale: str) -> str:
    """The shell script with ``LANG`` set to the locale, where the script sets it to a fixed text,
    or to one that the environment may replace (``${LANG:-C.UTF-8}``). Otherwise the same text.
    """

    def replace(match: "re.Match[str]") -> str:
        value = locale
        if match["value"].startswith("$"):
            value = "${LANG:-%s}" % locale
        return match["before"] + match["quote"] + value + match["quote"]

    return _EXPORT.sub(replace, text)


def sets_language(text: str) -> bool:
    """Whether :func:`edit_script` finds a place in this script."""
    return _EXPORT.search(text) is not None
