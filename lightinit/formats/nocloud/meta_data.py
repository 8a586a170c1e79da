"""Reads a seed's meta-data (YAML or JSON), and what in them names and describes the instance.

Source: cloud-init's documentation, "NoCloud", and what its readers take.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

from lightinit.errors import LibraryError, MalformedError
from lightinit.formats.instance_id import describe_usable, make_usable
from lightinit.formats.json_document import read_json_object
from lightinit.formats.nocloud import plain
from lightinit.libraries import sha256
from lightinit.model import NamedTuple

if TYPE_CHECKING:
    from lightinit.formats.cloud_config.mistakes import Mistake

INSTANCE_ID, KEYS = "instance-id", "public-keys"
NAMES = (INSTANCE_ID, "local-hostname", "hostname")
NOTE_NO_ID = (
    "the seed has no instance-id: it is made of a checksum of meta-data and user-data; so a change"
    " in them makes a new instance"
)
PREFIX = "nocloud-"


class MetaData(NamedTuple):
    """Meta-data that were read.

    Attributes:
        values: by key; what JSON can hold.
        texts: values as they are written, for keys where YAML would make a number of an id or name.
        warnings: one sentence each.
    """

    values: Dict[str, Any] = {}
    texts: Dict[str, str] = {}
    warnings: Tuple[str, ...] = ()


def read(data: bytes) -> MetaData:
    """Read a whole document; an empty one has no values.

    Raises:
        MalformedError: nothing of it can be used.
        LibraryError: PyYAML does not work.
    """
    found = _read(_decode(data))
    return found._replace(warnings=found.warnings + _tell_no_texts(found.values))


def _read(text: str) -> MetaData:
    data = text.encode("utf-8")
    if not text.strip():
        return MetaData()
    if text.lstrip().startswith("<") and not text.lstrip().startswith("<<"):
        raise MalformedError(
            "meta-data are not usable", why="they look like HTML", hint="check where they are from"
        )
    if text.lstrip().startswith("{"):
        found = _read_json(data)
        if found is not None:
            return MetaData(found)
    return _read_yaml(data, text)


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedError(
            "meta-data are not usable",
            line=data.count(b"\n", 0, error.start) + 1,
            why="a byte there is not UTF-8",
            hint="save them as UTF-8 text",
        ) from None
    return text.rstrip("\0")  # some tools fill a block


def _read_json(data: bytes) -> Optional[Dict[str, Any]]:
    """The object; None if it is no JSON: YAML may begin with a brace, too."""
    try:
        return read_json_object(data, "meta-data")
    except MalformedError:
        return None


def _read_yaml(data: bytes, text: str) -> MetaData:
    from lightinit.formats.cloud_config import building, document

    texts = {name: plain.find_value(text, name) for name in NAMES}
    known = {name: value for name, value in texts.items() if value is not None}
    try:
        found = document.read(data)
    except LibraryError as error:
        if not error.is_missing:
            raise
        lines = plain.read_lines(text)
        return MetaData(dict(lines), known)
    except MalformedError as error:
        try:  # PyYAML refuses a tab after a colon, for example
            return MetaData(dict(plain.read_lines(text)), known)
        except MalformedError:
            pass
        details = dict(error.details)
        why = [error.reason.replace("cloud-config", "the document"), details.pop("why", "")]
        details.pop("hint", None)
        raise MalformedError(
            "meta-data are not usable",
            why=": ".join(filter(None, why)),
            hint="write lines `key: value`, or JSON",
            **details,
        ) from None
    # As JSON it is kept, so it must be one that can be written.
    written = json.dumps(found.values, default=_as_text).encode("ascii")
    values = read_json_object(written, "meta-data", 2 * building.CHARACTERS)
    warnings = ["meta-data: %s" % str(each) for each in found.mistakes if not _is_usual(each)]
    return MetaData(values, known, tuple(warnings))


def _tell_no_texts(values: Mapping[str, Any]) -> Tuple[str, ...]:
    """A warning for each name or id that is a list or a mapping."""
    found = [name for name in NAMES if isinstance(values.get(name), (list, dict))]
    return tuple("meta-data: %s is not used: it is no text" % name for name in found)


def _is_usual(mistake: Mistake) -> bool:
    """Whether it is none here: keys with numbers as names, as in EC2's metadata."""
    return mistake.path[:1] == ("public-keys",) and mistake.what.startswith("a key is ")


def _as_text(value: Any) -> str:
    return bytes(value).decode("utf-8", "replace")


def text_of(found: MetaData, key: str) -> str:
    """A value as text, as it is written; "" if it is missing, empty, a list or a mapping."""
    value = found.values.get(key)
    # Of a text, YAML knows more, such as that it goes on in the next line.
    if key in found.texts and not isinstance(value, str):
        return found.texts[key]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value).strip()
    return ""


def has_content(user_data: bytes) -> bool:
    """Whether user data say anything: some tools give a seed the first line of a cloud-config, and
    perhaps an empty mapping, since there must be a file.
    """
    lines = [line.strip() for line in user_data.splitlines()]
    return user_data.startswith(b"#!") or any(
        line not in (b"", b"{}", b"---") and not line.startswith(b"#") for line in lines
    )


def settle_id(named: str, machine: str, meta_data: bytes, user_data: bytes) -> Tuple[str, str]:
    """The instance id for what a seed says. It can name a folder.

    Args:
        named: the seed's instance-id, "" for none.
        machine: DMI's product_uuid, "" if unknown. Only root can read it: so an id that is made of
            the files does not let others test what is in them.
        meta_data: the file.
        user_data: the file.

    Returns:
        The id, and a warning if it is not the seed's own, else "".
    """
    if not named:
        said = b"\0".join([machine.encode("ascii"), meta_data, user_data])
        seen = sha256(said).hexdigest()
        return PREFIX + seen[:16], NOTE_NO_ID
    return make_usable(named), describe_usable(named)


def read_keys(value: Any) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """The public keys of ``public-keys``: text, a list of texts, or a mapping of names to either,
    or to ``{openssh-key: …}`` as in EC2's metadata.

    Returns:
        The keys; and warnings, one sentence each.
    """
    found: List[str] = []
    warnings: List[str] = []
    for each in _flatten(value):
        if isinstance(each, str):
            lines = [line.strip() for line in each.splitlines()]
            found += [line for line in lines if line and not line.startswith("#")]
        elif each is not None:
            warnings.append("meta-data: public-keys has an entry that is no text; it is ignored")
    return tuple(dict.fromkeys(found)), tuple(dict.fromkeys(warnings))


def _flatten(value: Any) -> List[Any]:
    """The values of a mapping or list, and of those in it: two levels, as cloud-init reads."""
    items = [value]
    for _ in range(3):
        flat: List[Any] = []
        for item in items:
            if isinstance(item, Mapping):
                flat += [item["openssh-key"]] if "openssh-key" in item else list(item.values())
            elif isinstance(item, list):
                flat += item
            else:
                flat.append(item)
        items = flat
    return items
