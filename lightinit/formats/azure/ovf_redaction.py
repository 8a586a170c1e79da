"""The provisioning document with its secrets struck out, and else byte for byte as it came. It
knows no device.

A copy that is kept must never hold the password or the custom data. What cannot be told for sure is
no copy at all, but a fixed stub. Names decide, not namespaces: a secret is one under any prefix.
"""

from __future__ import annotations

import re
from typing import Dict, List, Tuple
from xml.parsers import expat

from lightinit.errors import MalformedError
from lightinit.formats import xml
from lightinit.formats.secrets import has_private_key, is_secret_name

REDACTED = "REDACTED"
STUB = (
    b'<?xml version="1.0" encoding="utf-8"?>\n'
    b"<Environment><!-- left out: what is secret in it could not be told apart --></Environment>\n"
)
# It smells of a password, and should be seen; only while it says what it may say.
BOOLEAN_NAMES = ("disablesshpasswordauthentication",)
# These say which thing it is, as in `<Property key="password" value="..."/>`.
KEY_ATTRIBUTES = ("key", "name", "id")
BOOLEANS = ("", "true", "false", "1", "0", "yes", "no", "on", "off")
# A secret of fewer characters is found in any text by chance. The platform takes no password
# shorter than this.
MAX_SECRETS = 100  # each is looked for in the whole result
SHORTEST_SECRET = 6

_ATTRIBUTE = re.compile(rb"""([^\s=<>"'/]+)(\s*=\s*)("[^"]*"|'[^']*')""")


def redact(data: bytes) -> bytes:
    """Strike out what is secret in a document.

    Struck out is the content of each element whose name, or one of whose attributes, smells of a
    secret, its attributes too; attributes whose names smell; comments and processing instructions
    that mention a secret; and text that is itself markup or JSON which does.

    Args:
        data: a document, whole or broken, of any kind.

    Returns:
        It with ``REDACTED`` in their places; everything else is as it was. When it is not
        well-formed, or a secret can still be found in what would remain, a fixed document with
        nothing of ``data``.
    """
    try:
        xml.parse(data, None)
        marked = _Marker(data)
        result = marked.result()
        left = _Marker(result)
    except (MalformedError, expat.ExpatError):
        return STUB
    if (
        left.cuts
        or len(marked.secrets) > MAX_SECRETS
        or any(_remains(secret, left, result) for secret in marked.secrets)
    ):
        return STUB
    return result


def _remains(secret: str, left: _Marker, result: bytes) -> bool:
    secret = secret.strip()
    if len(secret) < SHORTEST_SECRET or secret == REDACTED:
        return False
    return secret.encode("utf-8") in result or any(secret in text for text in left.kept)


def _is_secret_text(text: str) -> bool:
    """Whether text holds a document of its own that smells, as a CDATA section may."""
    return has_private_key(text) or (
        ("<" in text or text.lstrip()[:1] in ("{", "[")) and is_secret_name(text)
    )


class _Open:
    """An element that is open: its name, where its content begins, its own text, and whether it is
    a secret.
    """

    __slots__ = ("begin", "name", "secret", "text")

    def __init__(self, name: str, begin: int, secret: bool) -> None:
        self.name = name
        self.begin = begin
        self.secret = secret
        self.text: List[str] = []


class _Marker:
    """Walks over a document and notes what is to be cut, by byte.

    Attributes:
        cuts: (begin, end, what is put there), in no order; none overlaps another unless it lies
            within.
        secrets: the texts that are cut.
        kept: the texts and attribute values that stay.
    """

    def __init__(self, data: bytes) -> None:
        self.cuts: List[Tuple[int, int, bytes]] = []
        self.secrets: List[str] = []
        self.kept: List[str] = []
        self._data = data
        self._open: List[_Open] = []
        parser = self._parser = expat.ParserCreate("utf-8")
        parser.ordered_attributes = False
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.CommentHandler = self._comment
        parser.ProcessingInstructionHandler = self._instruction
        parser.Parse(data, True)

    def result(self) -> bytes:
        """The document without what is to be cut."""
        parts, at = [], 0
        for begin, end, instead in sorted(self.cuts, key=lambda cut: (cut[0], -cut[1])):
            if begin >= at:  # else it lies within one that is cut already
                parts += [self._data[at:begin], instead]
                at = end
        return b"".join(parts + [self._data[at:]])

    def _cut(self, begin: int, end: int, secret: str) -> None:
        self.secrets.append(secret)
        if self._data[begin:end] != REDACTED.encode():
            self.cuts.append((begin, end, REDACTED.encode()))

    def _within_secret(self) -> bool:
        return bool(self._open) and self._open[-1].secret

    def _start(self, name: str, attributes: Dict[str, str]) -> None:
        begin = self._parser.CurrentByteIndex
        end = _end_of_tag(self._data, begin)
        names = {key: value for key, value in attributes.items() if not _is_namespace(key)}
        secret = is_secret_name(_local(name)) or any(
            is_secret_name(value) for value in names.values()
        )
        for found in _ATTRIBUTE.finditer(self._data, begin + 1, end):
            key = found.group(1).decode("utf-8")
            if key not in names:
                continue
            value = names[key]
            harmless = value.strip().lower() in BOOLEANS or _local(key).lower() in KEY_ATTRIBUTES
            if is_secret_name(_local(key)) or (not harmless and (secret or self._within_secret())):
                self._cut(found.start(3) + 1, found.end(3) - 1, value)
            else:
                self.kept.append(value)
        self._open.append(_Open(_local(name), end, secret or self._within_secret()))

    def _characters(self, text: str) -> None:
        self._open[-1].text.append(text)
        for each in reversed(self._open[:-1]):
            if not each.secret:
                break
            each.text.append(text)  # what lies in an element within a secret is part of that secret

    def _end(self, _name: str) -> None:
        closed = self._open.pop()
        end = self._parser.CurrentByteIndex
        text = "".join(closed.text)
        boolean = closed.name.lower() in BOOLEAN_NAMES and text.strip().lower() in BOOLEANS
        if (closed.secret and not boolean) or _is_secret_text(text):
            if self._within_secret():
                self.secrets.append(text)  # what is around it is cut
            elif end > closed.begin and self._data[closed.begin - 2 : closed.begin] != b"/>":
                self._cut(closed.begin, end, text)
        else:
            self.kept.append(text)

    def _comment(self, text: str) -> None:
        if is_secret_name(text) or _is_secret_text(text):
            begin = self._parser.CurrentByteIndex
            self._cut(begin + len("<!--"), self._data.index(b"-->", begin + len("<!--")), text)
        else:
            self.kept.append(text)

    def _instruction(self, target: str, text: str) -> None:
        if text and (is_secret_name(target) or is_secret_name(text) or _is_secret_text(text)):
            begin = self._parser.CurrentByteIndex
            inner = begin + len("<?") + len(target.encode("utf-8")) + 1
            self._cut(inner, self._data.index(b"?>", inner), text)
        else:
            self.kept.append(text)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _is_namespace(key: str) -> bool:
    return key == "xmlns" or key.startswith("xmlns:")


def _end_of_tag(data: bytes, begin: int) -> int:
    """Where the tag that begins at ``begin`` has ended; a ``>`` within quotes does not end it."""
    quote = b""
    for at in range(begin, len(data)):
        letter = data[at : at + 1]
        if quote:
            if letter == quote:
                quote = b""
        elif letter in (b'"', b"'"):
            quote = letter
        elif letter == b">":
            return at + 1
    raise MalformedError("xml document is not well-formed", error="a tag without an end")
