"""What an agent has changed in a root: the upper directory of an overlay against what is below it.

What both agents may choose freely is left out: the numbers of accounts, the salt of a hash, the
order of keys. Files with a line for each account or group are taken line by line.
"""

from __future__ import annotations

import ctypes
import os
import re
import stat
import time
from typing import Dict, Iterator, List, Optional, Tuple

# Mode, owner, content: as text, each byte a character.
Change = List[str]
# For each file with a line for an account or a group: the fields with lists of names, which have no
# order.
TABLES: Dict[str, Tuple[int, ...]] = {
    "/etc/passwd": (),
    "/etc/shadow": (),
    "/etc/group": (3,),
    "/etc/gshadow": (2, 3),
    "/etc/subuid": (),
    "/etc/subgid": (),
}
# The passwords in the documents. Their hashes have a salt.
PASSWORDS = ("Correct-Horse-1", "Battery-Staple-2", "fallback-Word-3")
HASHED = {"1": "MD5", "5": "SHA-256", "6": "SHA-512", "y": "yescrypt", "2b": "bcrypt"}
NONE = ("!", "*", "!*", "!!", "")
# Backups, and a program of cloud-init that the other machines do not have.
OF_NOBODY = (
    *(path + "-" for path in TABLES),
    "/var/lib/dpkg/status-old",
    "/usr/bin/cloud-init-per",
)
PASSED_OVER = (
    "/etc/cloud",
    "/etc/lightinit",
    "/var/lib/cloud",
    "/var/lib/lightinit",
    "/var/log",
    "/var/cache",
    "/var/lib/apt",
    "/mnt",
    "/root/.cache",
    "/tmp",
    # Asked of sudo and sshd: what they do may be in any file.
    "/etc/sudoers.d",
    "/etc/ssh/sshd_config.d",
)


class Changes:
    """Looks for changes.

    Args:
        root: the machine's root as it is now.
        upper: the upper directory of its overlay.
        below: the root without that.
        data: the user data: a hash or a number in it is compared as it is.
    """

    def __init__(self, root: str, upper: str, below: str, data: str) -> None:
        self._upper, self._below, self._data = upper, below.rstrip("/"), data
        self._users = read_names(root + "/etc/passwd")
        self._groups = read_names(root + "/etc/group")

    def collect(self) -> Dict[str, Change]:
        """Each path that has changed, with what it is now; a change that was undone is none."""
        found: Dict[str, Change] = {}
        for path in walk(self._upper):
            before = self._describe(self._below, path)
            after = self._describe(self._upper, path)
            if path in TABLES and before is not None and after is not None:
                found.update(self._compare_tables(path, before, after))
            elif after != before:
                found[path] = after or ["gone", "", ""]
        return found

    def _describe(self, root: str, path: str) -> Optional[Change]:
        """What is there: mode, owner, content; None for nothing, or for the mark of an overlay that
        says so.
        """
        try:
            status = os.lstat(root + path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        content = ""
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(root + path)
            content = os.path.normpath(os.path.join(os.path.dirname(path), target))
        elif stat.S_ISREG(status.st_mode):
            with open(root + path, "rb") as stream:
                content = stream.read().decode("latin-1")
        elif stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            return None
        if path.endswith("/authorized_keys"):
            content = "".join(sorted(content.splitlines(True)))
        if path.startswith("/etc/ssh/ssh_host_") and not self._is_given(content):
            content = describe_key(content)
        owner = self._users.get(str(status.st_uid), str(status.st_uid))
        group = self._groups.get(str(status.st_gid), str(status.st_gid))
        return ["%o" % status.st_mode, "%s:%s" % (owner, group), content]

    def _compare_tables(self, path: str, before: Change, after: Change) -> Dict[str, Change]:
        """Each line that has changed, by ``PATH NAME``."""
        found: Dict[str, Change] = {}
        if before[:2] != after[:2]:
            found[path] = after[:2] + [""]
        old = {line.partition(":")[0]: line for line in before[2].splitlines()}
        new = {line.partition(":")[0]: line for line in after[2].splitlines()}
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                line = self._tidy(path, new[name]) if name in new else "gone"
                found["%s %s" % (path, name)] = ["", "", line]
        return found

    def _tidy(self, path: str, line: str) -> str:
        """A line without salts and numbers, and with lists in order."""
        fields = line.split(":")
        for number in TABLES[path]:
            if number < len(fields):
                fields[number] = ",".join(sorted(fields[number].split(",")))
        if path == "/etc/shadow":
            fields[1] = describe_hash(fields[1], self._data)
            if fields[2].isdigit() and abs(int(fields[2]) - time.time() / 86400.0) < 2:
                fields[2] = "today"
        elif path == "/etc/passwd":
            fields[3] = self._groups.get(fields[3], fields[3])
            fields[2] = self._number(fields[2])
        elif path == "/etc/group":
            fields[2] = self._number(fields[2])
        elif path in ("/etc/subuid", "/etc/subgid"):
            fields[1] = "free"
        return ":".join(fields)

    def _is_given(self, content: str) -> bool:
        """Whether a text is in the user data, with any indentation."""
        return "".join(content.split()) in "".join(self._data.split())

    def _number(self, text: str) -> str:
        """A number that the user data give; or that it is free."""
        return text if re.search(r"\b%s\b" % text, self._data) else "free"


def read_names(path: str) -> Dict[str, str]:
    """Number -> name, of a file such as passwd."""
    with open(path, encoding="utf-8") as stream:
        rows = [line.split(":") for line in stream]
    return {row[2]: row[0] for row in reversed(rows)}


def walk(upper: str) -> Iterator[str]:
    """The paths in an upper directory, without the agents' own."""
    for folder, folders, names in os.walk(upper):
        here = folder[len(upper) :]
        folders[:] = [each for each in folders if here + "/" + each not in PASSED_OVER]
        for name in folders + names:
            if here + "/" + name not in OF_NOBODY:
                yield here + "/" + name


def describe_key(content: str) -> str:
    """A new host key without what is random."""
    if "PRIVATE KEY" in content:
        return "a private key"
    words = content.split(" ", 2)
    return " ".join([words[0], "a key"] + words[2:])


def describe_hash(field: str, data: str) -> str:
    """What a field of shadow means: no password, one of PASSWORDS, a hash of the user data, or the
    kind of hash.
    """
    if field in NONE:
        return "no password"
    locked, crypted = "", field
    if field.startswith("!"):
        locked, crypted = "locked ", field.lstrip("!")
    if crypted in data:
        return locked + "the hash in the user data"
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    for password in PASSWORDS:
        if library.crypt(password.encode(), crypted.encode()) == crypted.encode():
            return "%shash of %s" % (locked, password)
    kind = crypted.split("$")[1] if crypted.startswith("$") else ""
    return "%shash by %s" % (locked, HASHED.get(kind, "an unknown method"))
