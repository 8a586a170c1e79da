"""An account's password, set with whatever tool the host has. It goes to the tool on standard
input, never as an argument.

It knows no format: whether a password is set, and how a hash gets into its file, are the caller's
to say. Tools say what they dislike, so nothing of what they print is passed on before the password
is struck out of it.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import partial
from typing import Callable, Iterator, List, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.accounts import files
from lightinit.host.accounts.tools import find_busybox
from lightinit.host.command import Completed
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.passwords")
TOOL_LIMIT_S = 60.0
# Longer ones are cut without a word, and then the whole password would not open the account.
OPENSSL_MAX_BYTES = 256
OTHERS_MAX_BYTES = 127
PIECE_CHARS = 4
STRUCK = "[...]"


@dataclass(frozen=True)
class Account:
    """Whose password is set, and how to look at it.

    Attributes:
        name: a checked login name.
        is_set: whether the account has a new password by now, as a strong hash.
        put_hash: puts a hash (a secret too) into the account's line; called under the lock of the
            account files.
    """

    name: str
    is_set: Callable[[], bool]
    put_hash: Callable[[str], None]


def set_password(system: System, account: Account, password: str) -> str:
    """Set ``password`` with the first of the host's tools that does it.

    A chpasswd that asks PAM may refuse a password that the platform has accepted, or have no PAM to
    ask; the same chpasswd, told a method, asks nobody.

    Args:
        system: the live machine.
        account: whose it is.
        password: checked: it has no line end and no NUL.

    Returns:
        The tool that did it.

    Raises:
        ProvisioningError: none did, or there is none.
    """
    files.clear_stale_locks(system)
    failed: List[str] = []
    for tool, attempt in _ways(system, account, password.encode("utf-8")):
        try:
            ended = attempt()
            why = (
                ended.last_words
                if not ended.ok
                else ""
                if account.is_set()
                else "no password is set, or its hash is weak"
            )
        except ProvisioningError as error:
            why = str(error)
        if not why:
            return tool
        why = strike_out(why, password)
        LOG.info("password of %s: %s did not set it: %s", account.name, tool, why)
        failed.append("%s: %s" % (tool, why))
    if not failed:
        raise ProvisioningError(
            "no tool can set a password",
            user=account.name,
            hint="put chpasswd (package passwd, shadow or busybox) or openssl into the image",
        )
    raise ProvisioningError(
        "password could not be set",
        user=account.name,
        said="; ".join(failed),
        hint="look for PAM's configuration of chpasswd, and for /etc/shadow being writable",
    )


def strike_out(text: str, password: str) -> str:
    """``text`` without ``password``: neither whole nor in pieces between spaces and colons."""
    pieces = [password, password.strip()]
    pieces += [piece for piece in re.split(r"[\s:]+", password) if len(piece) >= PIECE_CHARS]
    for piece in sorted(pieces, key=len, reverse=True):
        if piece:
            text = text.replace(piece, STRUCK)
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


# -- inner
# --------------------------------------------------------------------------------------------------


def _ways(
    system: System, account: Account, password: bytes
) -> Iterator[Tuple[str, Callable[[], Completed]]]:
    """What may set the password, best first."""

    def run(*argv: str, stdin: bytes) -> Callable[[], Completed]:
        return lambda: system.run(argv, stdin, TOOL_LIMIT_S)

    line = account.name.encode("ascii") + b":" + password + b"\n"
    chpasswd = system.tool("chpasswd")
    if chpasswd and find_busybox(system, "chpasswd"):
        # Left to itself it may take DES, by which only the first eight characters count.
        yield "busybox chpasswd", run(chpasswd, "-c", "sha512", stdin=line)
    elif chpasswd:
        yield "chpasswd", run(chpasswd, stdin=line)
        yield "chpasswd -c SHA512", run(chpasswd, "-c", "SHA512", stdin=line)
    for tool, argv, max_bytes in _hashers(system):
        if len(password) <= max_bytes:
            yield tool, partial(_by_hash, system, account, argv, password)
    passwd = system.tool("passwd")
    if passwd and len(password) <= OTHERS_MAX_BYTES:
        options = ["-a", "sha512"] if find_busybox(system, "passwd") else []
        yield "passwd", run(passwd, *options, account.name, stdin=2 * (password + b"\n"))


def _hashers(system: System) -> Iterator[Tuple[str, List[str], int]]:
    """(tool, its command, how many bytes it takes): each reads a password, and prints its hash."""
    openssl, mkpasswd = system.tool("openssl"), system.tool("mkpasswd")
    if openssl:
        yield "openssl", [openssl, "passwd", "-6", "-stdin"], OPENSSL_MAX_BYTES
    if mkpasswd:
        method = "sha512" if find_busybox(system, "mkpasswd") else "sha-512"
        yield "mkpasswd", [mkpasswd, "-s", "-m", method], OTHERS_MAX_BYTES


def _by_hash(system: System, account: Account, argv: List[str], password: bytes) -> Completed:
    ended = system.run(argv, password + b"\n", TOOL_LIMIT_S)
    crypted = ended.stdout.strip()
    if ended.ok and (not re.fullmatch(r"\$6\$[!-9;-~]+", crypted)):
        return Completed(1, "", "it printed no hash")
    if ended.ok:
        with files.lock_accounts(system):
            account.put_hash(crypted)
    # What it printed is a secret.
    return Completed(ended.returncode, "", ended.stderr)
