"""The metadata document of IMDS: bytes in, checked document out, and from it an Instance. It knows
no HTTP.

Null and absent are the same everywhere. A field that provisioning depends on has a strict type:
anything else is an error that names the place. In the others it is a warning, and what can be made
of it is taken. What is not known is kept as it came, for ``lightinit query``.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.model import Instance, SshKey, User

Document = Dict[str, Any]
# The place of what is around it (None at the top), and the key or number in it.
_Place = Tuple[Any, Any]

LIMIT_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_DIGITS = 30
MAX_TEXT = 256
MAX_WARNINGS = 20
_KINDS = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
}


def parse(
    data: bytes, limit_bytes: int = LIMIT_BYTES, warnings: Optional[List[str]] = None
) -> Document:
    """Read ``GET /metadata/instance`` with ``format=json``.

    What could not be written down again as JSON in UTF-8 is replaced: a number that is none, or
    beyond all bounds, by null; half a surrogate pair by ``?``. Of a key that comes twice the last
    counts.

    Args:
        data: the answer's body, UTF-8, with or without a byte-order mark.
        limit_bytes: how long it may be.
        warnings: where to note what was replaced, if anywhere.

    Raises:
        MalformedError: too long, not UTF-8, not JSON (HTML, say), no object, or too deep.
    """
    if len(data) > limit_bytes:
        raise MalformedError("imds document is too large", bytes=len(data), limit_bytes=limit_bytes)
    try:
        document = json.loads(_decode(data), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise MalformedError("imds document is not utf-8", at_byte=error.start) from None
    except RecursionError:
        raise MalformedError("imds document is too deep", max_depth=MAX_DEPTH) from None
    except json.JSONDecodeError as error:
        raise MalformedError(
            "imds document is not json", line=error.lineno, column=error.colno, error=error.msg
        ) from None
    if not isinstance(document, dict):
        raise MalformedError("imds document is not an object", found=_KINDS[type(document)])
    cleaned: Document = _clean(document, None, 1, [] if warnings is None else warnings)
    return cleaned


def parse_text(data: bytes) -> str:
    """Read a single value that was asked for with ``format=text``; it may be empty.

    Raises:
        MalformedError: not UTF-8, more than 256 characters, several lines, or markup (some proxy's
            own page, say).
    """
    try:
        text = _decode(data).strip()
    except UnicodeDecodeError as error:
        raise MalformedError("imds text is not utf-8", at_byte=error.start) from None
    if len(text) > MAX_TEXT or not text.isprintable() or text.startswith(("<", "{")):
        raise MalformedError("imds text is not a plain value", characters=len(text), limit=MAX_TEXT)
    return text


def newest_versions(body: bytes) -> Tuple[str, ...]:
    """The api-versions that a 400 answer offers instead, newest first; none when it offers none."""
    try:
        offered = parse(body).get("newest-versions")
    except MalformedError:
        return ()
    if not isinstance(offered, list):
        return ()
    return tuple(sorted({version for version in offered if _is_version(version)}, reverse=True))


def instance_from_document(
    document: Document, instance_id: str, warnings: Optional[List[str]] = None
) -> Instance:
    """What the document says about this VM.

    Args:
        document: as :func:`parse` gives it.
        instance_id: the id that semaphores hang on; the document's own ``vmId`` is another field.
        warnings: where to note the fields of the wrong type that provisioning does not depend on,
            if anywhere.

    Raises:
        MalformedError: a field that it depends on has the wrong type; ``path`` says which,
            ``found`` what it is instead.
    """
    compute = _Fields(document, "", [] if warnings is None else warnings).object("compute")
    profile = compute.object("osProfile")
    names = (profile.text("computerName"), compute.text("name"))
    return Instance(
        id=instance_id,
        platform="azure",
        hostnames=tuple(dict.fromkeys(name for name in names if name)),
        admin=_admin(profile, _keys(compute)),
        vm_id=compute.text("vmId"),
        location=compute.loose_text("location"),
        vm_size=compute.loose_text("vmSize"),
        resource_group=compute.loose_text("resourceGroupName"),
        subscription_id=compute.loose_text("subscriptionId"),
        scale_set=compute.loose_text("vmScaleSetName"),
        zone=compute.loose_text("zone"),
        tags=_tags(compute),
        user_data=compute.loose_text("userData"),
        raw={"imds": document},
    )


def ssh_keys(document: Document) -> Tuple[SshKey, ...]:
    """``compute.publicKeys``, which may be there although the document names no account.

    Args:
        document: as :func:`parse` gives it.

    Raises:
        MalformedError: as :func:`instance_from_document`.
    """
    return _keys(_Fields(document, "", []).object("compute"))


def missing_parts(document: Document, os_profile: bool = True) -> Tuple[str, ...]:
    """What a document that was read too early in boot lacks; none when it is complete.

    Args:
        document: as :func:`parse` gives it.
        os_profile: whether the api-version it was read with has an osProfile at all.

    Raises:
        MalformedError: as :func:`instance_from_document`.
    """
    instance = instance_from_document(document, "")
    compute = document.get("compute") or {}
    missing = []
    if not instance.hostnames:
        missing.append("host name")
    if os_profile and not compute.get("osProfile"):
        missing.append("osProfile")
    elif instance.admin is None or (os_profile and not compute["osProfile"].get("adminUsername")):
        missing.append("adminUsername")
    if (
        instance.admin is not None
        and instance.admin.password_login is False
        and not instance.admin.ssh_keys
    ):
        missing.append("ssh keys while password login is off")
    return tuple(missing)


def pool_type(document: Document) -> str:
    """``extended.compute.ppsType``: the pool in which the VM waits for an owner; "" for none
    (``None``, absent).
    """
    here: Any = document
    for name in ("extended", "compute", "ppsType"):
        here = here.get(name) if isinstance(here, dict) else None
    return (
        ""
        if not isinstance(here, str) or here.strip().lower() == "none"
        else here.strip()[:MAX_TEXT]
    )


def _decode(data: bytes) -> str:
    # Not with the codec utf-8-sig, which Python would have to import first.
    text = data.decode("utf-8")
    return text[1:] if text.startswith("\ufeff") else text


def _is_version(text: Any) -> bool:
    # As it goes into a URL, nothing but YYYY-MM-DD will do.
    return (
        isinstance(text, str)
        and text.isascii()
        and text.replace("-", "").isdigit()
        and [len(part) for part in text.split("-")] == [4, 2, 2]
    )


def _admin(profile: _Fields, keys: Tuple[SshKey, ...]) -> Optional[User]:
    """The admin account, None when nothing names it.

    Before api-version 2020-07-15 there is no osProfile, yet each public key has a path, and Azure
    puts the keys of a Linux VM nowhere but in the admin's home:
    ``/home/NAME/.ssh/authorized_keys``. So the path tells the name.
    """
    disabled = profile.boolean("disablePasswordAuthentication")
    name = profile.text("adminUsername")
    for key in keys:
        steps = key.path.split("/")
        if not name and steps[:2] == ["", "home"] and steps[3:] == [".ssh", "authorized_keys"]:
            name = steps[2]
    return User(name, keys, None if disabled is None else not disabled) if name else None


def _keys(compute: _Fields) -> Tuple[SshKey, ...]:
    found = (
        SshKey(key.text("keyData"), key.loose_text("path")) for key in compute.objects("publicKeys")
    )
    return tuple(key for key in found if key.text)


def _tags(compute: _Fields) -> Dict[str, str]:
    tags = {}
    for tag in compute.loose_objects("tagsList"):
        name = tag.loose_text("name")
        if name:
            tags[name] = tag.json_text("value")
    return tags


class _Fields:
    """An object of the document that knows its path, and gives its fields only in the type asked
    for.
    """

    def __init__(self, values: Mapping[str, Any], path: str, warnings: List[str]) -> None:
        self._values = values
        self._path = path
        self._warnings = warnings

    def text(self, name: str) -> str:
        """A string without white space around it; "" when absent."""
        return str(self._get(name, str) or "").strip()

    def loose_text(self, name: str) -> str:
        """As :meth:`text`, but a number is taken as its text, and anything else as absent; both are
        noted.
        """
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return (value or "").strip()
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        self._note(name, "string", value, "taken as its text" if is_number else "passed over")
        return str(value) if is_number else ""

    def json_text(self, name: str) -> str:
        """As :meth:`text`, but anything else is taken as its JSON text, and noted."""
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return (value or "").strip()
        self._note(name, "string", value, "taken as its text")
        return json.dumps(value, ensure_ascii=False)

    def boolean(self, name: str) -> Optional[bool]:
        """A boolean, also when written as a string; None when absent or empty."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else None
        if word not in ("true", "false", ""):
            raise self._wrong(name, "boolean", value)
        return None if word == "" else word == "true"

    def object(self, name: str) -> _Fields:
        """An object; an empty one when absent."""
        return _Fields(self._get(name, dict) or {}, self._path + name + ".", self._warnings)

    def objects(self, name: str) -> Iterable[_Fields]:
        """The objects of an array; nulls are passed over."""
        for place, value in enumerate(self._get(name, list) or []):
            if isinstance(value, dict):
                yield _Fields(value, "%s%s.%d." % (self._path, name, place), self._warnings)
            elif value is not None:
                raise self._wrong("%s.%d" % (name, place), "object", value)

    def loose_objects(self, name: str) -> Iterable[_Fields]:
        """As :meth:`objects`, but what is none is passed over, and noted."""
        values = self._values.get(name)
        if values is not None and not isinstance(values, list):
            self._note(name, "array", values, "passed over")
            return
        for place, value in enumerate(values or []):
            if isinstance(value, dict):
                yield _Fields(value, "%s%s.%d." % (self._path, name, place), self._warnings)
            elif value is not None:
                self._note("%s.%d" % (name, place), "object", value, "passed over")

    def _get(self, name: str, kind: type) -> Any:
        value = self._values.get(name)
        if value is not None and not isinstance(value, kind):
            raise self._wrong(name, _KINDS[kind], value)
        return value

    def _wrong(self, name: str, expected: str, value: Any) -> MalformedError:
        # The value itself stays out: it may be a secret in the wrong place.
        return MalformedError(
            "imds field has the wrong type",
            path=self._path + name,
            expected=expected,
            found=_KINDS[type(value)],
        )

    def _note(self, name: str, expected: str, value: Any, what: str) -> None:
        _note(
            self._warnings,
            "imds field %s has the wrong type (%s instead of %s) and is %s"
            % (self._path + name, _KINDS[type(value)], expected, what),
        )


def _note(warnings: List[str], text: str) -> None:
    if len(warnings) < MAX_WARNINGS:
        warnings.append(text)
    elif len(warnings) == MAX_WARNINGS:
        warnings.append("imds document has further odd values, which are not listed")


def _clean(value: Any, place: Optional[_Place], depth: int, warnings: List[str]) -> Any:
    """A copy without what could not be written down again: numbers that are none, halves of
    surrogate pairs.

    Raises:
        MalformedError: the nesting is bottomless.
    """
    if depth > MAX_DEPTH:
        raise MalformedError("imds document is too deep", max_depth=MAX_DEPTH)
    if isinstance(value, dict):
        return {
            _clean_text(key, place, warnings): _clean(inner, (place, key), depth + 1, warnings)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _clean(inner, (place, number), depth + 1, warnings)
            for number, inner in enumerate(value)
        ]
    if isinstance(value, str):
        return _clean_text(value, place, warnings)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        _note(
            warnings, "imds field %s has an impossible number, which is passed over" % _path(place)
        )
        return None
    return value


def _clean_text(text: str, place: Optional[_Place], warnings: List[str]) -> str:
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        _note(warnings, "imds field %s has half a surrogate pair, which is replaced" % _path(place))
        return text.encode("utf-8", "replace").decode("utf-8")


def _path(place: Optional[_Place]) -> str:
    """``place`` with dots; short and on one line, since its names are the other side's."""
    steps: List[str] = []
    while place is not None:
        place, step = place
        steps.append("".join(letter if letter.isprintable() else "?" for letter in str(step)[:64]))
    return ".".join(reversed(steps)) or "(outermost)"


def _integer(digits: str) -> float:
    # Before Python 3.11 the time to read a number grows with the square of its length.
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)
