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
# A number, which may have the key's name or a slash after it.
_LISTED_KEY = re.compile(r"([0-9]{1,6})(?:/|=(.*))?\Z")
# A line of authorized_keys without options: base64 of a length begins with AAAA.
_KEY = re.compile(r"(?:ssh|sk-ssh|sk-ecdsa|ecdsa)-[!-~]{1,60}[ \t]+AAAA")
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
        may_be_value: whether it was listed without a slash all the same.
    """

    name: str
    path: str
    is_folder: bool = False
    may_be_value: bool = False


def parse_listing(body: bytes, folder: str) -> List[ListedName]:
    """The names in a folder's listing.

    A name in a form that no path needs is passed over, and so are credentials.

    Args:
        body: the answer: a name on each line, folders with a slash at their end; public keys as
            ``0=NAME``, ``0/`` or ``0``.
        folder: the folder's path below meta-data/, without a slash at its end, such as
            ``placement``; "" for meta-data/ itself.

    Raises:
        MalformedError: it is no listing: not text, or too many names. Of keys, whose names may be
            anything, no list is refused: without them nobody may be able to log in.
    """
    text = decode_leniently(body) if folder == KEYS else decode_text(body, folder)
    lines = [line.strip() for line in text.split("\n")]
    found: Dict[str, ListedName] = {}
    for line in lines:
        entry = _entry(line, folder)
        if entry is None:
            continue
        if folder == KEYS and entry.name in found:  # two keys of the same name
            entry = entry._replace(name="%s %s" % (entry.path.partition("/")[0], entry.name))
        found.setdefault(entry.name, entry)
    if len(found) > MAX_NAMES and folder != KEYS:
        raise MalformedError("metadata listing is too long", path=folder, names=len(found))
    return list(found.values())


def _entry(line: str, folder: str) -> Any:
    name = line.rstrip("/")
    if folder == KEYS:
        match = _LISTED_KEY.match(line)
        if not match:
            return None
        # A key's name may be anything: it is only shown, and not a part of the path.
        number, name = match.groups()
        return ListedName((name or number)[:256], number + "/openssh-key")
    if not _NAME.match(name) or name in (".", "..") or name in SECRET:
        return None
    if line.endswith("/"):
        return ListedName(name, name, True)
    return ListedName(name, name) if folder else guess_entry(name)


def guess_entry(name: str) -> ListedName:
    """A name at the top of the tree that was listed without a slash, or not at all."""
    return ListedName(name, name, name in FOLDERS, name in FOLDERS)


def find_odd_keys(body: bytes) -> List[str]:
    """The lines of a list of public keys that name none."""
    lines = [line.strip() for line in decode_leniently(body).split("\n")]
    return [line for line in lines if line and not _LISTED_KEY.match(line)]


def find_keys(body: bytes) -> List[str]:
    """The public keys in an answer that should list them. Some private clouds, such as CloudStack,
    give the keys themselves.
    """
    lines = [line.strip() for line in decode_leniently(body).split("\n")]
    return [line for line in lines if _KEY.match(line)][:MAX_NAMES]


def parse_value(body: bytes, path: str, lenient: bool = False) -> Any:
    """A value: its text; a list of lines if it has several.

    Args:
        body: the answer.
        path: below meta-data/, for the error.
        lenient: whether what is not text is replaced, as in the comment of an old key.

    Raises:
        MalformedError: it is not text.
    """
    text = (decode_leniently(body) if lenient else decode_text(body, path)).rstrip("\n")
    if "\n" in text:
        return [line.rstrip("\r") for line in text.split("\n")]
    return text.rstrip("\r")


def decode_leniently(body: bytes) -> str:
    """The text of an answer, with what is no text replaced."""
    return body.decode("utf-8", "replace").replace("\0", "\ufffd")


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
