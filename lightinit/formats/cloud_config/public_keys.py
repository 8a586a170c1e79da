"""``ssh_authorized_keys``, of an account or of the default user."""

from __future__ import annotations

from typing import Any, List, Tuple

from lightinit.formats.cloud_config.readers.section import Section
from lightinit.formats.ssh.given_keys import read_given

KEY = "ssh_authorized_keys"
REMEDY = "give the one line of a .pub file: type, base64, comment"


def read_keys(given: Section) -> Tuple[str, ...]:
    """Public keys: a list, one text, or a mapping whose values are keys. What sshd would not take
    is left out.

    Args:
        given: the account, or the document.
    """
    value = given.values.get(KEY)
    if value is None:
        return ()
    if isinstance(value, dict):
        value = list(value.values())
    items: Any = dict(enumerate(value if isinstance(value, list) else [value]))
    inner = Section(items, (*given.path, KEY), given.mistakes)
    found: List[str] = []
    for at in items:
        for text in inner.texts(at):
            found += _read(inner, at, text)
    return tuple(found)


def _read(inner: Section, at: int, text: str) -> List[str]:
    """The keys of one text, each one line; or the text, if a certificate is in it."""
    if "-----BEGIN" in text and "PRIVATE KEY" in text:
        what = "a private key is there, which must stay secret"
        inner.wrong(at, what, "give the public key")
        return []
    read = read_given(text)
    for error in read.refused:
        inner.wrong(at, error.reason, error.details.get("hint", REMEDY))
    if read.certificates:
        return [text]
    return [key.line.decode("utf-8", "replace") for key in read.keys]
