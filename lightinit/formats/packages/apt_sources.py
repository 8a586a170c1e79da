"""apt's lists of sources, sources.list(5): lines, and the paragraphs of deb822."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.formats.assignments import read_assignment
from lightinit.formats.blanks import BLANKS, words_of
from lightinit.model import NamedTuple

_LINE = re.compile(
    r"(?P<before>\s*(?P<type>deb|deb-src)\s+(?:\[[^\]\n]*\]\s*)?)(?P<uri>[^\s\[\]]+)(?P<gap>\s+)"
    r"(?P<suite>[^\s#]+)(?P<rest>[^\n]*)\Z",
    re.ASCII,  # for apt, a no-break space is part of a word
)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")
_FIELD = re.compile(r"(?P<name>[A-Za-z-]+):[ \t]*(?P<value>[^\n]*)\Z")
# What cloud-init calls suites: apt.disable_suites.
SHORT_SUITES = {
    "updates": "$RELEASE-updates",
    "backports": "$RELEASE-backports",
    "security": "$RELEASE-security",
    "proposed": "$RELEASE-proposed",
    "release": "$RELEASE",
}


class SourceLine(NamedTuple):
    """One line of a list: the text before its URI, the URI, the suite, the rest."""

    before: str
    uri: str
    gap: str
    suite: str
    rest: str

    @property
    def text(self) -> str:
        """The line again."""
        return self.before + self.uri + self.gap + self.suite + self.rest


def read_line(line: str) -> Optional[SourceLine]:
    """Take a line apart; None if it is no source, so that apt would refuse its whole file."""
    found = _LINE.match(line)
    if found is None:
        return None
    source = SourceLine(*found.group("before", "uri", "gap", "suite", "rest"))
    words = words_of(source.rest.partition("#")[0])
    if source.suite.endswith("/") == bool(words):
        return None  # a suite has components, a path has none
    return source


def find_wrong_line(text: str) -> int:
    """The number, from 1, of the first line that apt would refuse; 0 if there is none. Comments and
    empty lines are fine.
    """
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip(BLANKS)
        if bare and not bare.startswith("#") and read_line(line) is None:
            return number
    return 0


def is_deb822(text: str) -> bool:
    """Whether a list is made of paragraphs."""
    return re.search(r"^Types:", text, re.MULTILINE | re.IGNORECASE) is not None


def substitute(text: str, known: Mapping[str, str]) -> Tuple[str, List[str]]:
    """Replace ``$NAME`` and ``${NAME}``.

    Args:
        text: the text.
        known: the values; one that is "" is unknown.

    Returns:
        The text, where unknown names stay, and these names.
    """
    unknown: Dict[str, None] = {}

    def replace(found: "re.Match[str]") -> str:
        name = found.group(1) or found.group(2)
        if known.get(name):
            return known[name]
        unknown[name] = None
        return found.group(0)

    return _VARIABLE.sub(replace, text), list(unknown)


def read_release(text: str) -> str:
    """The code name of this release, as /etc/os-release has it, or ""."""
    for key in ("VERSION_CODENAME", "UBUNTU_CODENAME"):
        found = read_assignment(text, key)
        if found:
            return found
    return ""


def is_security(suite: str) -> bool:
    """Whether a suite is that of security updates: bookworm-security, buster/updates."""
    return suite.endswith(("-security", "/updates"))


def list_sources(text: str) -> List[Tuple[str, str]]:
    """(URI, suite) of each source, of either form; the first URI of a paragraph."""
    if is_deb822(text):
        return [
            (uri, suite)
            for paragraph in _paragraphs(text)
            for uri in _words(paragraph, "uris")[:1]
            for suite in _words(paragraph, "suites")
        ]
    found = [read_line(line) for line in text.split("\n")]
    return [(each.uri, each.suite) for each in found if each is not None]


def set_mirrors(text: str, mirrors: Mapping[Tuple[str, bool], str]) -> str:
    """A list with other mirrors. In a paragraph, the first URI and the first suite decide.

    Args:
        text: the list.
        mirrors: the old URI, without a slash at its end, and whether it is for security updates ->
            the new URI. What is not named stays, such as the repositories of others.
    """

    def of(uri: str, suite: str) -> str:
        return mirrors.get((uri.rstrip("/"), is_security(suite)), "")

    if is_deb822(text):

        def change(paragraph: List[str]) -> List[str]:
            uris, suites = _words(paragraph, "uris"), _words(paragraph, "suites")
            new = of("".join(uris[:1]), "".join(suites[:1]))
            return _set_field(paragraph, "uris", new) if new else paragraph

        return _each_paragraph(text, change)

    def with_mirror(line: str) -> str:
        source = read_line(line)
        if source is None:
            return line
        return source._replace(uri=of(source.uri, source.suite) or source.uri).text

    return _each_line(text, with_mirror)


def disable_suites(text: str, suites: Sequence[str]) -> str:
    """A list without some suites: their lines become comments."""
    if is_deb822(text):

        def change(paragraph: List[str]) -> List[str]:
            there = _words(paragraph, "suites")
            kept = [suite for suite in there if suite not in suites]
            if kept == there:
                return paragraph
            if not kept:
                return ["# suite disabled: " + line for line in paragraph]
            return _set_field(paragraph, "suites", " ".join(kept))

        return _each_paragraph(text, change)

    def disabled(line: str) -> str:
        source = read_line(line)
        if source is None or source.suite not in suites:
            return line
        return "# suite disabled: " + line

    return _each_line(text, disabled)


def _each_line(text: str, change: Callable[[str], str]) -> str:
    lines = [change(line) for line in text.split("\n")]
    return "\n".join(lines)


def _each_paragraph(text: str, change: Callable[[List[str]], List[str]]) -> str:
    return "\n\n".join("\n".join(change(each)) for each in _paragraphs(text)) + "\n"


def _paragraphs(text: str) -> List[List[str]]:
    found: List[List[str]] = [[]]
    for line in text.split("\n"):
        if line.strip(BLANKS):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [each for each in found if each]


def _words(paragraph: Sequence[str], name: str) -> List[str]:
    """The words of a field, with its further lines."""
    first, last = _place(paragraph, name)
    if first < 0:
        return []
    lines = [paragraph[first].partition(":")[2], *paragraph[first + 1 : last]]
    return words_of(" ".join(line for line in lines if not line.startswith("#")))


def _set_field(paragraph: Sequence[str], name: str, value: str) -> List[str]:
    first, last = _place(paragraph, name)
    if first < 0:
        return list(paragraph)
    comments = [line for line in paragraph[first + 1 : last] if line.startswith("#")]
    head = paragraph[first].partition(":")[0]
    return [*paragraph[:first], "%s: %s" % (head, value), *comments, *paragraph[last:]]


def _place(paragraph: Sequence[str], name: str) -> Tuple[int, int]:
    """The first line of a field, and the line after its last; -1 if it is not there."""
    for at, line in enumerate(paragraph):
        found = _FIELD.match(line)
        if found is not None and found.group("name").lower() == name:
            last = at + 1
            while last < len(paragraph) and paragraph[last][:1] in (" ", "\t", "#"):
                last += 1
            return at, last
    return -1, -1
