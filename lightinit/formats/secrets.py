"""Data for everyone's eyes: what smells of a secret is struck out of any JSON value. It knows no
document in particular.
"""

from __future__ import annotations

from typing import Any, Mapping

REDACTED = "redacted for non-root user"
# Compared with names in lower case, without anything but letters and digits.
SECRET_WORDS = (
    "passw",
    "passphrase",
    "userdata",
    "customdata",
    "secret",
    "token",
    "privatekey",
    "credential",
    "protectedsetting",
    "connectionstring",
    "accesskey",
    "accountkey",
    "sasuri",
)


def redact(document: Any) -> Any:
    """A copy for everyone's eyes: what has a name that smells of a secret is struck out, at any
    depth.

    Booleans, nulls and empty texts stay: they are no secrets, and ``disablePasswordAuthentication``
    should be seen. Of an object with ``name`` and ``value``, as tags are, the value is struck out
    when the name smells. A text is struck out, whatever its name, when it holds a private key, or
    is itself JSON that smells.

    Args:
        document: any JSON value.
    """
    if isinstance(document, Mapping):
        smelly_name = isinstance(document.get("name"), str) and is_secret_name(document["name"])
        return {
            key: _redact_value(
                value,
                is_secret_name(str(key))
                or (smelly_name and key == "value")
                or (key == "tags" and isinstance(value, str) and is_secret_name(value)),
            )
            for key, value in document.items()
        }
    if isinstance(document, (list, tuple)):
        return [redact(value) for value in document]
    if isinstance(document, str) and _is_secret_text(document):
        return REDACTED
    return document


def _redact_value(value: Any, smells: bool) -> Any:
    harmless = (
        value is None or isinstance(value, bool) or str(value).lower() in ("", "true", "false")
    )
    return REDACTED if smells and not harmless else redact(value)


def is_secret_name(name: str) -> bool:
    """Whether a name sounds like that of a secret. The one list of secret words decides, for every
    document that is kept or shown.
    """
    plain = "".join(filter(str.isalnum, name.lower()))
    return any(word in plain for word in SECRET_WORDS)


def has_private_key(text: str) -> bool:
    """Whether a text holds a private key in PEM."""
    return "PRIVATE KEY" in text.upper()


def _is_secret_text(text: str) -> bool:
    # As JSON stands what a tag had for its value when that was no text.
    return has_private_key(text) or (text.lstrip()[:1] in ("{", "[") and is_secret_name(text))
