"""Passwords: ``ssh_pwauth``, ``chpasswd`` in all its forms, and ``password``."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section
from lightinit.model import NamedTuple, repr_without

KEYS = ("ssh_pwauth", "chpasswd", "password")
TEXT, HASH, RANDOM = "text", "hash", "RANDOM"
# $id$salt$hash, as cloud-init tells hashes in the old form by; yescrypt (y, gy, 7) besides.
_HASH = re.compile(r"\$(?:1|2[abxy]|5|6|7|y|gy|sha1)\$[^$]*\$?[^$]*")
_FIELD = re.compile("[!-9;-~]{1,1000}")
HASH_REMEDY = "write a hash as `openssl passwd -6` prints it"
REMEDY = "write `users: [{name: NAME, password: HASH}]`"


class GivenPassword(NamedTuple):
    """The password of one account.

    Attributes:
        name: the account.
        kind: ``text``, ``hash`` or ``RANDOM`` (one is made up, and told on the console).
        password: "" with ``RANDOM``.
    """

    name: str
    kind: str
    password: str = ""

    def __repr__(self) -> str:
        return repr_without(self, "password")


class GivenPasswords(NamedTuple):
    """What a cloud-config says of passwords.

    Attributes:
        ssh_pwauth: whether sshd takes passwords; None leaves it as it is.
        expire: whether the accounts of ``passwords`` must change theirs at the first login.
        passwords: one for each account.
        default_password: that of the default user, used only if ``passwords`` is empty; "" if none
            is given. It may be a hash.
    """

    ssh_pwauth: Optional[bool] = None
    expire: bool = True
    passwords: Tuple[GivenPassword, ...] = ()
    default_password: str = ""

    def __repr__(self) -> str:
        return repr_without(self, "default_password")


def read_passwords(values: Mapping[str, Any]) -> Tuple[GivenPasswords, List[Mistake]]:
    """Read the passwords. An entry that is wrong is left out.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    found: Dict[str, GivenPassword] = {}
    expire = True
    section = given.section("chpasswd")
    if section is not None:
        section.know(("expire", "users"), {"list": "users"})
        expire = section.yes("expire", True)
        for each in [*_listed(section), *_of_users(section)]:
            found[each.name] = each
    passwords = GivenPasswords(
        _pwauth(given), expire, tuple(found.values()), given.line("password")
    )
    return passwords, given.mistakes


def is_hash(text: str) -> bool:
    """Whether a text is a password's hash, as crypt(5) writes it: without the colon, which ends a
    field of shadow.
    """
    return bool(_HASH.match(text)) and len(text) > 10 and _FIELD.fullmatch(text) is not None


def _pwauth(given: Section) -> Optional[bool]:
    value = given.values.get("ssh_pwauth")
    if isinstance(value, str) and value.strip().lower() == "unchanged":
        return None
    return given.flag("ssh_pwauth")


def _of_users(section: Section) -> List[GivenPassword]:
    found = []
    for each in section.sections("users"):
        each.know(("name", "password", "type"))
        name, kind = each.line("name").strip(), each.line("type", HASH).strip()
        password = each.line("password")
        if kind not in (TEXT, HASH, RANDOM):
            each.wrong("type", "it is neither text, hash nor RANDOM", "write one of these")
        elif not name or ":" in name or not name.isprintable():
            each.wrong("name", "no account can have this name", "write the account's name")
        elif kind == RANDOM:
            found.append(GivenPassword(name, RANDOM))
        elif not password:
            each.wrong("password", "it is missing", "write it, or `type: RANDOM`")
        else:
            if kind == HASH and not is_hash(password):
                each.wrong(
                    "password",
                    "it does not look like a hash; nobody could log in with it",
                    "%s, or `type: text`" % HASH_REMEDY,
                )
                continue
            found.append(GivenPassword(name, kind, password))
    return found


def _listed(section: Section) -> List[GivenPassword]:
    """The old form: lines ``NAME:PASSWORD``, as a list or as one text."""
    value = section.values.get("list")
    if value is None:
        return []
    if isinstance(value, str):
        section.wrong("list", "one text is deprecated", REMEDY, True)
        lines: List[Tuple[Any, str]] = [("list", line) for line in value.splitlines()]
    else:
        inner = Section({"list": value}, section.path, section.mistakes)
        lines = [("list", line) for line in inner.texts("list")]
    found = []
    for key, line in lines:
        name, colon, password = line.strip().partition(":")
        if not line.strip():
            continue
        if not colon or not name.isprintable() or not name or not password:
            section.wrong(key, "a line is not NAME:PASSWORD", REMEDY)
        elif password in ("R", RANDOM):
            found.append(GivenPassword(name, RANDOM))
        else:
            found.append(GivenPassword(name, HASH if is_hash(password) else TEXT, password))
    return found
