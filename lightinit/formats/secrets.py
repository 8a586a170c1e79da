"""The secret words, and the redaction of JSON values that every user may read. It knows no
particular document.
"""

from __future__ import annotations

from typing import Any, Mapping

REDACTED = "redacted for non-root user"
# If a name contains one of these, its value is a secret. Only letters and digits are compared, in
# lower case.
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
    "adminpass",
    "randomseed",
)


def redact(document: Any) -> Any:
    """Copy a value and replace its secrets with ``REDACTED``, at any depth.

    A secret is: a value whose key has a secret word; the ``value`` of an object whose ``name`` has
    one, as in a tag; a text that holds a private key or a URL with a password, or is JSON with a
    secret word. Booleans, null and empty texts are no secrets, so ``disablePasswordAuthentication``
    stays visible.

    Args:
        document: any JSON value.

    Returns:
        The copy.
    """
    if isinstance(document, Mapping):
        name = document.get("name")
        has_secret_name = isinstance(name, str) and is_secret_name(name)
        return {
            key: _redact_value(
                value,
                is_secret_name(str(key))
                or (has_secret_name and key == "value")
                or (key == "tags" and isinstance(value, str) and is_secret_name(value)),
            )
            for key, value in document.items()
        }
    if isinstance(document, (list, tuple)):
        return [redact(value) for value in document]
    if isinstance(document, str) and _is_secret_text(document):
        return REDACTED
    return document


def _redact_value(value: Any, is_secret: bool) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("", "true", "false"):
        return value
    if is_secret:
        return REDACTED
    return redact(value)


def is_secret_name(name: str) -> bool:
    """Whether a name has a secret word. All documents that are stored or shown use this rule."""
    plain = "".join(filter(str.isalnum, name.lower()))
    return any(word in plain for word in SECRET_WORDS)


def has_private_key(text: str) -> bool:
    """Whether a text holds a private key in PEM."""
    return "PRIVATE KEY" in text.upper()


def has_url_password(text: str) -> bool:
    """Whether a text holds a URL with a password: ``scheme://USER:PASSWORD@HOST``."""
    for rest in text.split("://")[1:]:
        user, at, _ = rest.partition("/")[0].partition("@")
        if at and ":" in user:
            return True
    return False


def _is_secret_text(text: str) -> bool:
    if has_private_key(text) or has_url_password(text):
        return True
    # The value of a tag is JSON text if the platform did not give a text.
    return text.lstrip()[:1] in ("{", "[") and is_secret_name(text)
