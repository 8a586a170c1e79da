"""Builds the values of a document from the events of PyYAML's parser, within bounds."""

from __future__ import annotations

import base64
import re
from typing import Any, Dict, List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.cloud_config.mistakes import Mistake, Path
from lightinit.model import NamedTuple

# Aliases count as what they stand for.
NODES = 50000
CHARACTERS = 4 * 1024 * 1024
DEPTH = 40
# No number that somebody means is longer. Reading one takes more time than its length.
NUMBER_CHARACTERS = 100
YAML = "tag:yaml.org,2002:"
TEXT_TAGS = ("str", "timestamp", "value", "merge", "python/unicode", "python/str")
# In YAML 1.1 these are no text, if they are not in quotes.
KEY_KINDS = {"bool": "a boolean", "int": "a number", "float": "a number", "null": "null"}
QUOTE = "put the whole text in quotes"
SURROGATE = re.compile("[\ud800-\udfff]")


TOO_DEEP = "more than %d levels" % DEPTH


def beyond_bounds(line: int, why: str) -> MalformedError:
    """The error for a document that goes beyond one of the bounds."""
    return MalformedError(
        "cloud-config is too large", line=line, why=why, hint="let a script do what is large"
    )


class WrittenInt(int):
    """A number that was written in another way than Python writes it, such as ``0644``.

    Attributes:
        written: as it was written.
    """

    written = ""


class WrittenFloat(float):
    """A number that was written in another way than Python writes it, such as ``1.10``.

    Attributes:
        written: as it was written.
    """

    written = ""


class Dropped:
    """What stands where a value was that cannot be used."""


class Size(NamedTuple):
    """What a value costs: its nodes, characters and levels."""

    nodes: int = 1
    characters: int = 0
    levels: int = 0


class Collection:
    """A list or mapping that has begun.

    Args:
        value: the list or dict.
        path: where it is.
        before: the nodes and characters of the document before it.
        anchor: its anchor, or None.
        is_good: whether it can be used.
    """

    def __init__(
        self, value: Any, path: Path, before: Size, anchor: Optional[str], is_good: bool
    ) -> None:
        self.value = value
        self.path = path
        self.before = before
        self.anchor = anchor
        self.is_good = is_good
        self.key: Any = None
        self.merged: List[Dict[str, Any]] = []
        self.levels = 1


class ValueBuilder:
    """Takes one event after the other.

    Args:
        yaml: the library.
        loader: its loader, which knows what YAML 1.1 says a plain text is.

    Attributes:
        value: the document's value, once ``is_complete``.
        lines: path -> line, from 1.
        mistakes: what cannot be used, and what surprises.
        is_complete: whether the document's value has ended.
    """

    def __init__(self, yaml: Any, loader: Any) -> None:
        self._yaml, self._loader = yaml, loader
        self._stack: List[Collection] = []
        self._anchors: Dict[str, Tuple[Any, Size]] = {}
        self._nodes = self._characters = 0
        self.value: Any = None
        self.is_complete = False
        self.lines: Dict[Path, int] = {}
        self.mistakes: List[Mistake] = []

    def take(self, event: Any) -> None:
        """Take the next event.

        Raises:
            MalformedError: the document is beyond the bounds.
        """
        yaml, line = self._yaml, event.start_mark.line + 1
        if isinstance(event, yaml.NodeEvent) and not self._wants_key():
            self._note_line(line)
        if isinstance(event, yaml.ScalarEvent):
            self._count(line, Size(1, len(event.value)))
            self._scalar(event, line)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._count(line, Size(1, 0, 1))
            self._begin(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end(line)

    def tell_second_document(self, line: int) -> None:
        """Say that only the first of several documents is used."""
        self._mistake(line, "another document begins; only the first is read", "remove the `---`")

    # -- bounds

    def _count(self, line: int, size: Size) -> None:
        self._nodes += size.nodes
        self._characters += size.characters
        why = ""
        if self._nodes > NODES:
            why = "more than %d values, counting aliases" % NODES
        elif self._characters > CHARACTERS:
            why = "more than %d characters, counting aliases" % CHARACTERS
        elif len(self._stack) + size.levels > DEPTH:
            why = TOO_DEEP
        if why:
            raise beyond_bounds(line, why)

    # -- values

    def _here(self) -> Path:
        """The path of the value that comes next."""
        if not self._stack:
            return ()
        top = self._stack[-1]
        if isinstance(top.value, list):
            return (*top.path, len(top.value))
        if isinstance(top.key, str):
            return (*top.path, top.key)
        return top.path

    def _note_line(self, line: int) -> None:
        """Note where a list's item or the document's value begins; a key has its own line."""
        if not self._stack or isinstance(self._stack[-1].value, list):
            self.lines[self._here()] = line

    def _wants_key(self) -> bool:
        if not self._stack:
            return False
        return self._stack[-1].key is None and isinstance(self._stack[-1].value, dict)

    def _scalar(self, event: Any, line: int) -> None:
        tag, text = event.tag, self._whole(event.value, line)
        if tag is None or tag == "!":
            tag = YAML + "str"
            if len(text) <= NUMBER_CHARACTERS:
                tag = self._loader.resolve(self._yaml.ScalarNode, text, event.implicit)
        kind = tag[len(YAML) :] if tag.startswith(YAML) else tag
        if self._wants_key():
            value = self._key(kind, text, line)
        else:
            value = self._convert(kind, text, line)
        if event.anchor:
            self._anchors[event.anchor] = (value, Size(1, len(text)))
        self._put(value, line, is_merge=kind == "merge")

    def _whole(self, text: str, line: int) -> str:
        """A text without surrogates, which no file can hold. JSON writes other characters as pairs
        of them.
        """
        if not SURROGATE.search(text):
            return text
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if "\ufffd" in joined:
            what = "half a surrogate pair is no character"
            self._mistake(line, what, "write the character itself", has_effect=True)
        return joined

    def _key(self, kind: str, text: str, line: int) -> str:
        if kind in KEY_KINDS:
            self._mistake(
                line,
                "a key is %s for YAML; it is taken as text" % KEY_KINDS[kind],
                "put it in quotes",
                has_effect=True,
            )
        return text

    def _convert(self, kind: str, text: str, line: int) -> Any:
        if kind in TEXT_TAGS:
            return text
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return self._loader.bool_values[text.lower()]
            if kind == "binary":
                return self._binary("".join(text.split()).encode("ascii"), line)
            if kind in ("int", "float") and len(text) <= NUMBER_CHARACTERS:
                return self._number(kind, text, line)
        except (ValueError, KeyError, IndexError):
            pass
        self._mistake(line, "its tag (!...) is unknown, or its value is none of that kind", QUOTE)
        return Dropped

    def _binary(self, text: bytes, line: int) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            decoded = base64.b64decode(text)
        what = "characters that are not base64 are passed over"
        self._mistake(line, what, "as `base64` prints it", has_effect=True)
        return decoded

    def _number(self, kind: str, text: str, line: int) -> Any:
        if ":" in text:
            self._mistake(
                line,
                "without quotes, digits with colons are a number in base 60; taken as text",
                "put it in quotes",
                has_effect=True,
            )
            return text
        node = self._yaml.ScalarNode(YAML + kind, text)
        if kind == "int":
            whole: int = self._loader.construct_yaml_int(node)
            if str(whole) == text:
                return whole
            written = WrittenInt(whole)
            written.written = text
            return written
        real = WrittenFloat(self._loader.construct_yaml_float(node))
        real.written = text
        return real

    def _alias(self, event: Any, line: int) -> None:
        value, size = self._anchors.get(event.anchor, (Dropped, Size()))
        self._count(line, size)
        if value is Dropped:
            self._mistake(
                line,
                "a text without quotes begins with *: for YAML, a name that is not known there",
                "put the whole text in quotes",
            )
        self._put(_copy(value), line, size.levels)

    # -- collections

    def _begin(self, event: Any, line: int) -> None:
        is_mapping = isinstance(event, self._yaml.MappingStartEvent)
        good = (None, "!", YAML + ("map" if is_mapping else "seq"))
        is_good = event.tag in good
        if not is_good:
            self._mistake(line, "its tag (!...) is unknown", "remove the tag")
        value: Any = {} if is_mapping else []
        before = Size(self._nodes - 1, self._characters)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._stack.append(Collection(value, self._here(), before, event.anchor, is_good))

    def _end(self, line: int) -> None:
        done = self._stack.pop()
        value = done.value
        if done.merged:
            value = {}
            for each in [*done.merged, done.value]:
                value.update(each)
        if not done.is_good:
            value = Dropped
        if done.anchor:
            size = Size(
                self._nodes - done.before.nodes,
                self._characters - done.before.characters,
                done.levels,
            )
            self._anchors[done.anchor] = (value, size)
        self._put(value, line, done.levels)

    def _put(self, value: Any, line: int, levels: int = 0, is_merge: bool = False) -> None:
        """Put a value that has ended into what it belongs to."""
        if not self._stack:
            self.value, self.is_complete = value, True
            if value is Dropped:
                self.value = None
            return
        top = self._stack[-1]
        top.levels = max(top.levels, levels + 1)
        if isinstance(top.value, list):
            if value is not Dropped:
                top.value.append(value)
        elif top.key is None:
            top.key = self._as_key(top, value, line, is_merge)
        else:
            self._put_under(top, value, line)

    def _as_key(self, top: Collection, value: Any, line: int, is_merge: bool) -> Any:
        if is_merge:
            return Merge
        if not isinstance(value, str):
            self._mistake(
                line,
                "a list or mapping stands where a key must be, as {{ }} without quotes does",
                "put the whole text in quotes",
            )
            return Dropped
        path = (*top.path, value)
        if value in top.value:
            self.mistakes.append(
                Mistake(
                    path,
                    "the key is there already, in line %d; the last one is used"
                    % self.lines.get(path, 0),
                    "remove one, or put both values under one key",
                    line,
                )
            )
        self.lines[path] = line
        return value

    def _put_under(self, top: Collection, value: Any, line: int) -> None:
        key, top.key = top.key, None
        if key is Dropped or value is Dropped:
            return
        if key is not Merge:
            top.value[key] = value
            return
        maps = value if isinstance(value, list) else [value]
        if not all(isinstance(each, dict) for each in maps):
            self._mistake(line, "<< takes only mappings, by their aliases", "write <<: *NAME")
            return
        top.merged += reversed(maps)

    def _mistake(self, line: int, what: str, remedy: str, has_effect: bool = False) -> None:
        self.mistakes.append(Mistake(self._here(), what, remedy, line, has_effect))


class Merge:
    """What stands for the key ``<<``."""


def _copy(value: Any) -> Any:
    """A copy for an alias; as deep as the bound says at most."""
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_copy(each) for each in value]
    return value
