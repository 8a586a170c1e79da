"""Checks a document: each key is known, and its value has the shape that it must have.

The readers do the checking, so that what is told here is what happens in a boot.
"""

from __future__ import annotations

import difflib
from typing import Any, List, Mapping, Tuple

from lightinit.formats.cloud_config.document import Document
from lightinit.formats.cloud_config.keys import KEYS, NOT, READERS, ConfigKey
from lightinit.formats.cloud_config.merge import read_rules
from lightinit.formats.cloud_config.mistakes import Mistake, with_lines
from lightinit.formats.cloud_config.readers.section import kind_of
from lightinit.formats.cloud_config.readers.users import OF_A_USER

# Looking for the nearest key takes longer than all else: no document needs it for more than some.
NEAREST = 20
ALL_KEYS = "docs/cloud-config.md lists all keys"


def check(document: Document) -> Tuple[Mistake, ...]:
    """All mistakes of a document, by line: those of the document itself, and of its keys.

    Args:
        document: from ``document.read``.
    """
    values = document.values
    found: List[Mistake] = []
    for key in values:
        found += check_key(key, values[key], near=len(found) < NEAREST)
    for keys, read in READERS:
        if any(key in values for key in keys):
            found += read(values)[1]
    found += read_rules(values)[1]
    told = [*document.mistakes, *with_lines(found, document.lines)]
    return tuple(sorted(dict.fromkeys(told), key=lambda each: each.line))


def check_key(
    name: str, value: Any, near: bool = True, table: Mapping[str, ConfigKey] = KEYS
) -> List[Mistake]:
    """What is wrong with one top-level key by itself.

    Args:
        name: the key.
        value: its value.
        near: whether the nearest key is looked for, if it is unknown.
        table: the known keys.
    """
    key = table.get(name)
    if key is None:
        remedy = _nearest(name) if near else ALL_KEYS
        return [Mistake((name,), "the key is unknown, and has no effect", remedy)]
    if value is None:
        return []
    if key.works == NOT:
        return [_unsupported(key)]
    found = []
    if key.is_deprecated:
        found.append(Mistake((name,), "the key is deprecated", _write(key), 0, True))
    if key.shape and kind_of(value) not in key.shape:
        what = "it is %s, and must be %s" % (kind_of(value), " or ".join(key.shape))
        found.append(Mistake((name,), what, "write %s" % key.shape[0]))
    return found


def nearest_key(name: str) -> str:
    """The key of cloud-init's schema that a misspelt one is most like, or "".

    Args:
        name: the unknown key.
    """
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    found = difflib.get_close_matches(plain[:60], sorted(KEYS), 1, 0.6)
    return "".join(found)


def _nearest(name: str) -> str:
    near, plain = nearest_key(name), name.replace("-", "_")
    if plain in OF_A_USER and plain != near:
        return "it is of an account: write it below `users`"
    if near:
        return "did you mean `%s`?" % near
    return ALL_KEYS


def _unsupported(key: ConfigKey) -> Mistake:
    remedy = "docs/cloud-config.md lists what works; a script can do it"
    if key.instead:
        remedy = _write(key)
    return Mistake((key.name,), "lightinit does not support this key; it has no effect", remedy)


def _write(key: ConfigKey) -> str:
    if key.instead in KEYS:
        return "write `%s`" % key.instead
    return key.instead or "see docs/cloud-config.md"


def supported(values: Mapping[str, Any]) -> List[str]:
    """The keys of a cloud-config that have an effect, in their order.

    Args:
        values: its keys.
    """
    return [name for name in values if name in KEYS and KEYS[name].works != NOT]


# -- the first line
# --------------------------------------------------------------------------------------------------

NAME = b"#cloud-config"
# Other kinds of user data, by how they begin; in lower case.
OTHERS: Tuple[Tuple[bytes, str], ...] = (
    (b"#!", "a script"),
    (b"#cloud-config-archive", "an archive of parts"),
    (b"#cloud-config-jsonp", "a JSON patch"),
    (b"#cloud-boothook", "a boot hook"),
    (b"#include", "a list of URLs"),
    (b"#part-handler", "a part handler"),
    (b"## template:", "a template"),
    (b"content-type:", "a MIME message"),
    (b"mime-version:", "a MIME message"),
)


def other_kind(data: bytes) -> str:
    """What user data are that are no cloud-config, or "" if they may be one.

    Args:
        data: the whole data.
    """
    start = _start(data)
    return next((name for begins, name in OTHERS if start.startswith(begins)), "")


def is_cloud_config(data: bytes) -> bool:
    """Whether data begin with what makes them a cloud-config, as cloud-init compares it.

    Args:
        data: the whole data.
    """
    return _start(data).startswith(NAME) and not other_kind(data)


def _start(data: bytes) -> bytes:
    return data[:4096].lstrip(b"\xef\xbb\xbf").lstrip().lower()
