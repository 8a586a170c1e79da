"""Reads one mapping of a cloud-config: each value in the type that it must have, or a mistake."""

from __future__ import annotations

import difflib
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from lightinit.digits import read_digits
from lightinit.formats.cloud_config.mistakes import Mistake, Path, show_key

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
KINDS = (
    (bool, "a boolean"),
    (int, "a number"),
    (float, "a number"),
    (str, "text"),
    (bytes, "binary data"),
    (list, "a list"),
    (dict, "a mapping"),
)
# Looking for the nearest key takes long: no document needs it for more than some.
NEAREST = 20


class Section:
    """A mapping, and the mistakes that were found in it.

    Args:
        values: the mapping.
        path: where it is in the document.
        mistakes: where mistakes are added; shared with the sections above and below.
    """

    def __init__(
        self, values: Mapping[str, Any], path: Path = (), mistakes: Optional[List[Mistake]] = None
    ) -> None:
        self.values = values
        self.path = path
        self.mistakes: List[Mistake] = [] if mistakes is None else mistakes

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def wrong(self, key: Any, what: str, remedy: str, has_effect: bool = False) -> None:
        """Add a mistake at ``key``; None is the section itself."""
        path = self.path if key is None else (*self.path, key)
        self.mistakes.append(Mistake(path, what, remedy, 0, has_effect))

    def expected(self, key: Any, what: str, value: Any, remedy: str = "") -> None:
        """Add a mistake: the value has another type."""
        if not remedy:
            remedy = "write %s" % what
        self.wrong(key, "it is %s, and must be %s" % (kind_of(value), what), remedy)

    def know(self, known: Sequence[str], deprecated: Optional[Dict[str, str]] = None) -> None:
        """Complain of keys that nobody reads.

        Args:
            known: the keys.
            deprecated: old key -> what to write instead. They work.
        """
        for key in self.values:
            if deprecated and key in deprecated:
                self.wrong(key, "the key is deprecated", "write `%s`" % deprecated[key], True)
            elif key not in known:
                self.wrong(key, "the key is unknown here", self._nearest(key, known))

    def _nearest(self, key: str, known: Sequence[str]) -> str:
        near: List[str] = []
        if len(self.mistakes) < NEAREST:
            near = difflib.get_close_matches(key[:60], list(known), 1, 0.6)
        if near:
            return "did you mean `%s`?" % near[0]
        return "known are: %s" % ", ".join(known)

    # -- values

    def text(self, key: str, default: str = "") -> str:
        """A text; a number as it was written."""
        return self._as_text(key, self.values.get(key), default)

    def _as_text(self, key: Any, value: Any, default: str = "") -> str:
        if value is None:
            return default
        if isinstance(value, str):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return written(value)
        remedy = ""
        if isinstance(value, bool):
            remedy = "put it in quotes: without them, words such as yes, no, on are booleans"
        self.expected(key, "text", value, remedy)
        return default

    def line(self, key: str, default: str = "") -> str:
        """A text of one line."""
        text = self.text(key, default)
        if "\n" in text.rstrip("\n") or "\0" in text:
            self.wrong(key, "it has several lines, and must be one", "write one line")
            return default
        return text.rstrip("\n")

    def flag(self, key: str, default: Optional[bool] = None) -> Optional[bool]:
        """A boolean; a text such as ``"yes"`` counts, and is told."""
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if isinstance(value, (str, int)) and text in TRUE + FALSE:
            self.wrong(
                key, "it is %s; taken as a boolean" % kind_of(value), "write true or false", True
            )
            return text in TRUE
        self.expected(key, "true or false", value)
        return default

    def yes(self, key: str, default: bool = False) -> bool:
        """A boolean that is never unknown."""
        return bool(self.flag(key, default))

    def number(self, key: str) -> Optional[int]:
        """A whole number, or a text of decimal digits; None if there is none."""
        value = self.values.get(key)
        if isinstance(value, str) and read_digits(value) is not None:
            return read_digits(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return int(value)
        if value is not None:
            self.expected(key, "a whole number", value)
        return None

    def texts(self, key: str, comma: bool = False) -> Tuple[str, ...]:
        """A list of texts; a single text counts as one.

        Args:
            key: the key.
            comma: whether a single text is split at commas.
        """
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            text = self._as_text(key, value)
            parts = text.split(",") if comma else [text]
            return tuple(part.strip() if comma else part for part in parts if part.strip())
        inner = Section({}, (*self.path, key), self.mistakes)
        found = [inner._as_text(at, each) for at, each in enumerate(value)]
        return tuple(each for each in found if each)

    def section(self, key: str) -> Optional["Section"]:
        """The mapping under a key; None if there is none."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.expected(key, "a mapping", value, "write keys below it, indented")
            return None
        return Section(value, (*self.path, key), self.mistakes)

    def items(self, key: str) -> Iterator[Tuple[int, Any]]:
        """The items of a list, with their indexes."""
        value = self.values.get(key)
        if isinstance(value, list):
            yield from enumerate(value)
        elif value is not None:
            self.expected(key, "a list", value, "begin each item with `- `")

    def sections(self, key: str) -> Iterator["Section"]:
        """The mappings of a list. Another item is a mistake."""
        inner = Section({}, (*self.path, key), self.mistakes)
        for at, each in self.items(key):
            if isinstance(each, dict):
                yield Section(each, (*inner.path, at), self.mistakes)
            else:
                inner.expected(at, "a mapping", each, "write `- key: value`")


def kind_of(value: Any) -> str:
    """What a value is, for a message."""
    for kind, name in KINDS:
        if isinstance(value, kind):
            return name
    return "nothing"


def written(value: Any) -> str:
    """A number as it was written in the document, such as 0644 or 1.10."""
    return str(getattr(value, "written", value))


def shown(key: str) -> str:
    """A key for a message."""
    return "`%s`" % show_key(key)
