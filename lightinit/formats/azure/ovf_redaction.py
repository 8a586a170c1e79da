"""A copy of the provisioning document without its secrets, in UTF-8. Every other byte is unchanged.
It knows no device.

The copy must never hold the password or the custom data. If that is not certain, the result is a
fixed stub instead of a copy. Namespaces are ignored, so that a prefix cannot hide a secret.
"""

from __future__ import annotations

import re
from typing import Dict, List, Tuple

from lightinit.errors import MalformedError
from lightinit.formats import xml
from lightinit.formats.secrets import has_private_key, is_secret_name

REDACTED = "REDACTED"
STUB = (
    b'<?xml version="1.0" encoding="utf-8"?>\n'
    b"<Environment><!-- left out: what is secret in it could not be told apart --></Environment>\n"
)
# These names have a secret word, but booleans in these elements are kept.
BOOLEAN_NAMES = ("disablesshpasswordauthentication",)
# The value of such an attribute is a name, as in `<Property key="password" value="..."/>`.
KEY_ATTRIBUTES = ("key", "name", "id")
BOOLEANS = ("", "true", "false", "1", "0", "yes", "no", "on", "off")
MAX_SECRETS = 100  # for each of them the whole result is searched
# A shorter text may occur by chance. The platform accepts no shorter password.
SHORTEST_SECRET = 6
PROBE = 64

# Each pattern is tried only where the previous one ended, so the time is linear. A search would
# start again at each byte of a long name.
_TAG_NAME = re.compile(rb"""<[^\s/>]+""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=<>"'/]+)\s*=\s*("[^"]*"|'[^']*')""")
_TAG_END = re.compile(rb"""\s*/?>""")
_ENCODING = re.compile(r"""\A(<\?xml[^>]{1,60}encoding\s{0,8}=\s{0,8}["'])[^"'>]{1,40}""")


def redact(data: bytes) -> bytes:
    """Replace the secrets of a document with ``REDACTED``.

    A secret is: the content and the attributes of an element that has a secret word in its name or
    in the value of an attribute; an attribute with a secret word in its name; a comment or a
    processing instruction with a secret word; a text that is markup or JSON with a secret word.

    Args:
        data: any document, well-formed or not.

    Returns:
        The document without its secrets. If it is not well-formed, or the result still holds a
        secret, the result is a fixed document with nothing of ``data``.
    """
    from xml.parsers import expat

    try:
        data = _to_utf8(data)
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


def _to_utf8(data: bytes) -> bytes:
    """The document in UTF-8. One that is in it already stays as it is."""
    if len(data) > xml.LIMIT_BYTES:
        raise MalformedError("xml document is too large", limit_bytes=xml.LIMIT_BYTES)
    text = xml.decode(data)
    if text.encode("utf-8") == data:
        return data
    return _ENCODING.sub(r"\1utf-8", text, 1).encode("utf-8")


def _remains(secret: str, left: _Marker, result: bytes) -> bool:
    # Its beginning is enough. Before Python 3.10 the search for a long text takes quadratic time.
    secret = secret.strip()[:PROBE]
    if len(secret) < SHORTEST_SECRET or secret == REDACTED:
        return False
    return secret.encode("utf-8") in result or any(secret in text for text in left.kept)


def _is_secret_text(text: str) -> bool:
    """Whether a text is a document with a secret word. A CDATA section may hold one."""
    return has_private_key(text) or (
        ("<" in text or text.lstrip()[:1] in ("{", "[")) and is_secret_name(text)
    )


class _Open:
    """An open element: its name, the place where its content begins, its text, and whether it is a
    secret.
    """

    __slots__ = ("begin", "name", "secret", "text")

    def __init__(self, name: str, begin: int, secret: bool) -> None:
        self.name = name
        self.begin = begin
        self.secret = secret
        self.text: List[str] = []


class _Marker:
    """Reads a document and finds the bytes to cut.

    Attributes:
        cuts: (begin, end, replacement), in no order. A cut may lie within another one; otherwise
            they do not overlap.
        secrets: the texts that are cut.
        kept: the texts and attribute values that stay.
    """

    def __init__(self, data: bytes) -> None:
        self.cuts: List[Tuple[int, int, bytes]] = []
        self.secrets: List[str] = []
        self.kept: List[str] = []
        self._data = data
        self._open: List[_Open] = []
        from xml.parsers import expat

        parser = self._parser = expat.ParserCreate("utf-8")
        parser.ordered_attributes = False
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.CommentHandler = self._comment
        parser.ProcessingInstructionHandler = self._instruction
        parser.Parse(data, True)

    def result(self) -> bytes:
        """Return the document with all cuts made."""
        parts, at = [], 0
        for begin, end, instead in sorted(self.cuts, key=lambda cut: (cut[0], -cut[1])):
            if begin >= at:  # otherwise it lies within the last cut
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
        given, end = _read_tag(self._data, self._parser.CurrentByteIndex)
        names = {key: value for key, value in attributes.items() if not _is_namespace(key)}
        secret = is_secret_name(_local(name)) or any(
            is_secret_name(value) for value in names.values()
        )
        for found in given:
            key = found.group(1).decode("utf-8")
            if key not in names:
                continue
            value = names[key]
            harmless = value.strip().lower() in BOOLEANS or _local(key).lower() in KEY_ATTRIBUTES
            if is_secret_name(_local(key)) or (not harmless and (secret or self._within_secret())):
                self._cut(found.start(2) + 1, found.end(2) - 1, value)
            else:
                self.kept.append(value)
        self._open.append(_Open(_local(name), end, secret or self._within_secret()))

    def _characters(self, text: str) -> None:
        self._open[-1].text.append(text)
        for each in reversed(self._open[:-1]):
            if not each.secret:
                break
            each.text.append(text)  # an inner element is part of the secret

    def _end(self, _name: str) -> None:
        closed = self._open.pop()
        end = self._parser.CurrentByteIndex
        text = "".join(closed.text)
        boolean = closed.name.lower() in BOOLEAN_NAMES and text.strip().lower() in BOOLEANS
        if (closed.secret and not boolean) or _is_secret_text(text):
            if self._within_secret():
                self.secrets.append(text)  # the outer element is cut
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


def _read_tag(data: bytes, begin: int) -> Tuple[List["re.Match[bytes]"], int]:
    """Return the attributes of the tag that begins at ``begin``, and its end."""
    name = _TAG_NAME.match(data, begin)
    attributes = []
    if name is not None:
        at = name.end()
        while True:
            found = _ATTRIBUTE.match(data, at)
            if found is None:
                break
            attributes.append(found)
            at = found.end()
        end = _TAG_END.match(data, at)
        if end is not None:
            return attributes, end.end()
    raise MalformedError("xml document is not well-formed", error="a tag has no end")
