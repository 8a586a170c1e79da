"""Records: dataclasses that were written as JSON, and are read back with their types checked.

Anybody may have edited such a file, and another version of lightinit may have written it. A record
that has a value of another type must not fail later, in the middle of a step.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Callable, Dict, Sequence, Type, TypeVar

Record = TypeVar("Record")


def read_record(
    kind: Type[Record], data: Any, nested: Dict[str, Any], needed: Sequence[str] = ()
) -> Record:
    """Make a record of what JSON gave.

    Args:
        kind: the dataclass. Fields with a default may be missing.
        data: the object.
        nested: by field: what reads its value, for a field whose value is another record.
        needed: fields that must be there, although they have a default.

    Raises:
        ValueError: it is no object, lacks a field, has an unknown one, or one of another type.
    """
    if not isinstance(data, dict):
        raise ValueError("not an object")
    lacking = [name for name in needed if name not in data]
    if lacking:
        raise ValueError("field %s is missing" % lacking[0])
    known = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    values: Dict[str, Any] = {}
    for name, value in data.items():
        if name not in known:
            raise ValueError("unknown field %s" % ascii(name[:40]))
        if value is None and not known[name].startswith("Optional"):
            continue  # a datasource of a site may leave a value out so
        if name in nested:
            values[name] = nested[name](value)
        elif known[name] not in READERS or not READERS[known[name]](value):
            raise ValueError("field %s is no %s" % (name, known[name]))
        elif isinstance(value, list):
            values[name] = tuple(value)
        else:
            values[name] = value
    try:
        return kind(**values)
    except TypeError as error:  # a field is missing
        raise ValueError(str(error)) from None


def read_list(kind: Type[Record]) -> Callable[[Any], Any]:
    """What reads a list of records, as a tuple."""

    def read(value: Any) -> Any:
        if not isinstance(value, list):
            raise ValueError("not a list of %s" % kind.__name__)
        return tuple(read_record(kind, each, {}) for each in value)

    return read


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15


# By the annotation of a field: whether a value from JSON is of that type.
READERS: Dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "bool": lambda value: isinstance(value, bool),
    "float": _is_number,
    "Optional[bool]": lambda value: value is None or isinstance(value, bool),
    "Tuple[str, ...]": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "Dict[str, str]": lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
    "Dict[str, Any]": lambda value: isinstance(value, dict),
}
