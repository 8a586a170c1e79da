"""The tree of values below meta-data/: what a listing names, and what a value is.

Bytes in, values out. It knows no HTTP. Source: AWS's documentation, "Access instance metadata" and
"Instance metadata categories"; that a value of several lines is a list of them is cloud-init's.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List

from lightinit.errors import MalformedError
from lightinit.model import NamedTuple

MAX_NAMES = 500
# A tag that the metadata show has letters, digits and + - = . , _ : @ in its key.
_NAME = re.compile(r"[A-Za-z0-9+=.,_:@~-]{1,256}\Z")
KEYS = "public-keys"
# Folders that some services list without the slash.
FOLDERS = (KEYS, "placement", "block-device-mapping")
# No part of the agent needs a credential, so none is fetched.
SECRET = ("security-credentials", "identity-credentials", "managed-ssh-keys")
Tree = Dict[str, Any]


class ListedName(NamedTuple):
    """A name in a listing.

    Attributes:
        name: what it is called in the tree.
        path: where its value is, below the folder that was listed.
        is_folder: whether it is listed itself.
    """

    name: str
    path: str
    is_folder: bool = False


def parse_listing(body: bytes, folder: str) -> List[ListedName]:
    """The names in a folder's listing.

    A name in a form that no path needs is passed over, and so are credentials.

    Args:
        body: the answer: a name on each line, folders with a slash at their end; public keys as
            ``0=NAME``.
        folder: the folder's path below meta-data/, without a slash at its end, such as
            ``placement``; "" for meta-data/ itself.

    Raises:
        MalformedError: it is no listing: not text, or too many names.
    """
    text = decode_text(body, folder)
    lines = [line.strip() for line in text.split("\n")]
    found: Dict[str, ListedName] = {}
    for line in lines:
        entry = _entry(line, folder)
        if entry is not None:
            found.setdefault(entry.name, entry)
    if len(found) > MAX_NAMES:
        raise MalformedError("metadata listing is too long", path=folder, names=len(found))
    return list(found.values())


def _entry(line: str, folder: str) -> Any:
    name = line.rstrip("/")
    if folder == KEYS:
        number, equals, name = line.partition("=")
        if not equals or not re.match(r"[0-9]{1,6}\Z", number):
            return None
        # A key's name may be anything: it is only shown, and not a part of the path.
        return ListedName(name[:256] or number, number + "/openssh-key")
    if not _NAME.match(name) or name in (".", "..") or name in SECRET:
        return None
    return ListedName(name, name, line.endswith("/") or (not folder and name in FOLDERS))


def parse_value(body: bytes, path: str) -> Any:
    """A value: its text; a list of lines if it has several.

    Raises:
        MalformedError: it is not text.
    """
    text = decode_text(body, path).rstrip("\n")
    if "\n" in text:
        return [line.rstrip("\r") for line in text.split("\n")]
    return text.rstrip("\r")


def decode_text(body: bytes, path: str) -> str:
    """The text of an answer.

    Raises:
        MalformedError: it is not UTF-8, or has a zero byte.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError("metadata value is not text", path=path, at_byte=error.start) from None
    if "\0" in text:
        raise MalformedError("metadata value is not text", path=path, at_byte=text.index("\0"))
    return text


def find_text(tree: Tree, *path: str) -> str:
    """The value at a path of the tree, "" if there is none; of several lines, the first."""
    here: Any = tree
    for name in path:
        if not isinstance(here, dict):
            return ""
        here = here.get(name)
    if isinstance(here, list):
        here = here[0] if here else ""
    return here.strip() if isinstance(here, str) else ""
