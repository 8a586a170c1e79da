"""Records: NamedTuples that are stored as JSON. When they are read, their types are checked.

Somebody may have edited such a file, or another version of lightinit may have written it. A value
of the wrong type must not cause an error later, in the middle of a step.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence, Type, TypeVar

Record = TypeVar("Record")


def read_record(
    kind: Type[Record], data: Any, nested: Dict[str, Any], needed: Sequence[str] = ()
) -> Record:
    """Make a record from parsed JSON.

    Args:
        kind: the NamedTuple. Fields with a default may be missing.
        data: the JSON object.
        nested: for each field whose value is another record: the function that reads it.
        needed: fields that must not be missing, although they have a default.

    Raises:
        ValueError: the data are not an object, or a field is missing, unknown or of a wrong type.
    """
    if not isinstance(data, dict):
        raise ValueError("not an object")
    lacking = [name for name in needed if name not in data]
    if lacking:
        raise ValueError("field %s is missing" % lacking[0])
    known = {name: _annotation(value) for name, value in kind.__annotations__.items()}
    values: Dict[str, Any] = {}
    for name, value in data.items():
        if name not in known:
            raise ValueError("unknown field %s" % ascii(name[:40]))
        if value is None and not known[name].startswith("Optional"):
            continue  # an administrator's own datasource may leave a value out in this way
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
    """Return a function that reads a list of records, and returns them as a tuple."""

    def read(value: Any) -> Any:
        if not isinstance(value, list):
            raise ValueError("not a list of %s" % kind.__name__)
        return tuple(read_record(kind, each, {}) for each in value)

    return read


def to_data(value: Any) -> Any:
    """A record, and each record in it, as a dict for JSON. Other values stay."""
    if hasattr(value, "_asdict"):
        return {name: to_data(each) for name, each in value._asdict().items()}
    if isinstance(value, (list, tuple)):
        return [to_data(each) for each in value]
    return value


def _annotation(value: Any) -> str:
    """The text of an annotation. NamedTuple wraps it into a ForwardRef."""
    return str(getattr(value, "__forward_arg__", value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15


# For each annotation of a field: a function that says whether a JSON value has that type.
READERS: Dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "bool": lambda value: isinstance(value, bool),
    "float": _is_number,
    "Optional[bool]": lambda value: value is None or isinstance(value, bool),
    "Tuple[str, ...]": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "Dict[str, str]": lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
    "Dict[str, Any]": lambda value: isinstance(value, dict),
}
