"""Reads the YAML of a cloud-config with python3-yaml (PyYAML), which is imported only here.

PyYAML's parser gives events; the values are built here from them, without recursion, so that the
document's size, depth and aliases are bounded before anything is built, and each value's line is
known. Values are what YAML 1.1 says, as cloud-init has them, but for two: a number in base 60 such
as ``12:30`` and a date stay text, which is what people mean.
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from lightinit import libraries
from lightinit.errors import LibraryError, MalformedError
from lightinit.formats.cloud_config.mistakes import Mistake, Path
from lightinit.model import NamedTuple

LIMIT_BYTES = 1024 * 1024
VERSION_DIGITS = 9  # of a version that %YAML names
PACKAGE = "python3-yaml"
INSTALL = "install the package %s (py3-yaml, python-yaml or pyyaml elsewhere)" % PACKAGE


class Document(NamedTuple):
    """A document that was read.

    Attributes:
        values: its keys, if it is a mapping: text, numbers, booleans, None, bytes (``!!binary``),
            lists and dicts whose keys are text.
        items: its items, if it is a list.
        lines: path -> line, from 1. What came by an alias has none: ask ``mistakes.line_of``.
        mistakes: what is wrong in it, with lines. What is wrong is left out, the rest is there.
    """

    values: Dict[str, Any]
    items: List[Any]
    lines: Dict[Path, int]
    mistakes: Tuple[Mistake, ...]

    def __repr__(self) -> str:
        return "Document(%d keys, %d items)" % (len(self.values), len(self.items))


def read(data: bytes) -> Document:
    """Read a document that is a mapping, as a ``#cloud-config`` is.

    Args:
        data: the whole document; its first line is a comment for YAML.

    Raises:
        LibraryError: python3-yaml is missing or does not work.
        MalformedError: nothing of it can be used: it is no YAML, no mapping, or too large.
    """
    value, lines, mistakes = _load(data)
    if value is None:
        mistakes.append(Mistake((), "the document is empty", "write keys such as `runcmd:`", 1))
        value = {}
    if not isinstance(value, dict):
        raise _wrong_top(value, lines, "begin with a key such as `runcmd:` at the left edge")
    return Document(value, [], lines, tuple(mistakes))


def read_list(data: bytes) -> Document:
    """Read a document that is a list, as a ``#cloud-config-archive`` is.

    Args and Raises: as for :func:`read`.
    """
    value, lines, mistakes = _load(data)
    if value is None:
        mistakes.append(Mistake((), "the document is empty", "write items that begin with `- `", 1))
        value = []
    if not isinstance(value, list):
        raise _wrong_top(value, lines, "begin each item with `- ` at the left edge")
    return Document({}, value, lines, tuple(mistakes))


def _wrong_top(value: Any, lines: Dict[Path, int], hint: str) -> MalformedError:
    found = "a single value"
    if isinstance(value, (dict, list)):
        found = "a list" if isinstance(value, list) else "a mapping"
    return MalformedError(
        "cloud-config has another shape", line=lines.get((), 1), found=found, hint=hint
    )


def _load(data: bytes) -> Tuple[Any, Dict[Path, int], List[Mistake]]:
    if len(data) > LIMIT_BYTES:
        raise MalformedError(
            "cloud-config is too large",
            bytes=len(data),
            limit=LIMIT_BYTES,
            hint="let a script fetch what is large",
        )
    text = _decode(data)
    try:
        yaml = libraries.load("yaml", "SafeLoader", "YAMLError", "ScalarNode", "AliasEvent")
    except LibraryError as error:
        if error.is_missing:
            error.details["hint"] = INSTALL
        raise
    return libraries.use("yaml", lambda: _parse(yaml, text))


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _no_text(1, "it is UTF-16")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _no_text(line, "a byte there is not UTF-8") from None
    if "\0" in text:
        raise _no_text(text.count("\n", 0, text.index("\0")) + 1, "a zero byte is there")
    return text


def _no_text(line: int, why: str) -> MalformedError:
    return MalformedError(
        "cloud-config is not text", line=line, why=why, hint="save it as UTF-8 text"
    )


def _parse(yaml: Any, text: str) -> Tuple[Any, Dict[Path, int], List[Mistake]]:
    from lightinit.formats.cloud_config.building import DEPTH, TOO_DEEP, ValueBuilder, beyond_bounds
    from lightinit.formats.cloud_config.syntax import beyond_numbers, explain

    class BoundedLoader(yaml.SafeLoader):
        """The scanner reads ahead, and its time grows with the square of what is open."""

        def fetch_flow_collection_start(self, token: Any) -> None:
            if self.flow_level > DEPTH:
                raise beyond_bounds(self.line + 1, TOO_DEEP)
            super().fetch_flow_collection_start(token)

        def scan_yaml_directive_number(self, start_mark: Any) -> Any:
            if not self.prefix(VERSION_DIGITS + 1).strip("0123456789"):
                raise ValueError  # as Python does, or it takes long
            return super().scan_yaml_directive_number(start_mark)

    try:
        loader = BoundedLoader(text)
        try:
            builder = ValueBuilder(yaml, loader)
            while True:
                event = loader.get_event()
                if event is None or isinstance(event, yaml.StreamEndEvent):
                    break
                if isinstance(event, yaml.DocumentStartEvent) and builder.is_complete:
                    builder.tell_second_document(event.start_mark.line + 1)
                    break
                builder.take(event)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise explain(error, text) from None
    except (ValueError, OverflowError):
        raise beyond_numbers(loader.line + 1) from None
    return builder.value, builder.lines, builder.mistakes
