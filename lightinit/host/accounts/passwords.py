"""Sets an account's password with whatever tool the host has.

A tool gets the password on standard input, never as an argument. Some tools print a password that
they refuse, so the password is removed from all output before it is passed on.

It knows no format. The caller checks whether a password is set, and writes a hash into shadow.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import Callable, Iterator, List, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.accounts import files
from lightinit.host.accounts.tools import find_busybox
from lightinit.host.command import Completed
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.passwords")
TOOL_LIMIT_S = 60.0
# The tools silently cut longer passwords. Then the complete password would not be accepted.
OPENSSL_MAX_BYTES = 256
OTHERS_MAX_BYTES = 127
PIECE_CHARS = 4
STRUCK = "[...]"


class PasswordTarget(NamedTuple):
    """The account whose password is to be set.

    Attributes:
        name: its login name, which was checked.
        is_set: returns whether the account now has a new password, as a strong hash.
        put_hash: writes a hash (which is also a secret) into the account's line. The caller holds
            the lock of the account files.
    """

    name: str
    is_set: Callable[[], bool]
    put_hash: Callable[[str], None]


def set_password(system: System, target: PasswordTarget, password: str) -> str:
    """Set ``password`` with the first of the host's tools that succeeds.

    chpasswd without options asks PAM. PAM may be missing, or refuse a password that the platform
    accepted. With the option ``-c METHOD`` chpasswd does not ask PAM.

    Args:
        system: the live machine.
        target: the account.
        password: the password, which was checked: it has no line end and no NUL.

    Returns:
        The name of the tool that set it.

    Raises:
        ProvisioningError: every tool failed, or there is none.
    """
    files.clear_stale_locks(system)
    failed: List[str] = []
    for tool, attempt in _ways(system, target, password.encode("utf-8")):
        why = strike_out(_why_not_set(target, attempt), password)
        if not why:
            return tool
        LOG.info("password of %s: %s did not set it: %s", target.name, tool, why)
        failed.append("%s: %s" % (tool, why))
    if not failed:
        raise ProvisioningError(
            "no tool can set a password",
            user=target.name,
            hint="install chpasswd (package passwd, shadow or busybox) or openssl in the image",
        )
    raise ProvisioningError(
        "password could not be set",
        user=target.name,
        said="; ".join(failed),
        hint="look at PAM's configuration of chpasswd, and whether /etc/shadow is writable",
    )


def strike_out(text: str, password: str) -> str:
    """``text`` without ``password`` and without its pieces between spaces and colons."""
    pieces = [password, password.strip()]
    pieces += [piece for piece in re.split(r"[\s:]+", password) if len(piece) >= PIECE_CHARS]
    for piece in sorted(pieces, key=len, reverse=True):
        if piece:
            text = text.replace(piece, STRUCK)
    return re.sub(r"[^ -~]", "?", text)


# -- inner
# --------------------------------------------------------------------------------------------------


def _why_not_set(target: PasswordTarget, attempt: Callable[[], Completed]) -> str:
    """Try to set the password. Returns "" if it is set now, else why not. This text may contain the
    password.
    """
    try:
        ended = attempt()
        if not ended.ok:
            return ended.last_words
        if target.is_set():
            return ""
    except ProvisioningError as error:
        return str(error)
    return "no password is set, or its hash is weak"


def _ways(
    system: System, target: PasswordTarget, password: bytes
) -> Iterator[Tuple[str, Callable[[], Completed]]]:
    """(name, attempt) of all ways to set the password, best first."""

    def run(*argv: str, stdin: bytes) -> Callable[[], Completed]:
        return lambda: system.run(argv, stdin, TOOL_LIMIT_S)

    line = target.name.encode("ascii") + b":" + password + b"\n"
    chpasswd = system.tool("chpasswd")
    if chpasswd and find_busybox(system, "chpasswd"):
        # Its default may be DES, which uses only the first eight characters.
        yield "busybox chpasswd", run(chpasswd, "-c", "sha512", stdin=line)
    elif chpasswd:
        yield "chpasswd", run(chpasswd, stdin=line)
        yield "chpasswd -c SHA512", run(chpasswd, "-c", "SHA512", stdin=line)
    for tool, argv, max_bytes in _hashers(system):
        if len(password) <= max_bytes:
            yield tool, partial(_by_hash, system, target, argv, password)
    passwd = system.tool("passwd")
    if passwd and len(password) <= OTHERS_MAX_BYTES:
        argv = [passwd]
        if find_busybox(system, "passwd"):
            argv += ["-a", "sha512"]
        yield "passwd", run(*argv, target.name, stdin=2 * (password + b"\n"))
    if chpasswd and find_busybox(system, "chpasswd"):
        # Old versions have no -c, and some are built without SHA-2.
        yield "busybox chpasswd -m", run(chpasswd, "-m", stdin=line)


def _hashers(system: System) -> Iterator[Tuple[str, List[str], int]]:
    """(tool, command, limit in bytes): each command reads a password and prints its hash."""
    openssl, mkpasswd = system.tool("openssl"), system.tool("mkpasswd")
    if openssl:
        yield "openssl", [openssl, "passwd", "-6", "-stdin"], OPENSSL_MAX_BYTES
    if mkpasswd:
        method = "sha512" if find_busybox(system, "mkpasswd") else "sha-512"
        yield "mkpasswd", [mkpasswd, "-s", "-m", method], OTHERS_MAX_BYTES


def _by_hash(system: System, target: PasswordTarget, argv: List[str], password: bytes) -> Completed:
    ended = system.run(argv, password + b"\n", TOOL_LIMIT_S)
    crypted = ended.stdout.strip()
    if ended.ok and (not re.fullmatch(r"\$6\$[!-9;-~]+", crypted)):
        return Completed(1, "", "it printed no hash")
    if ended.ok:
        with files.lock_accounts(system):
            target.put_hash(crypted)
    # Standard output has the hash, which is a secret.
    return Completed(ended.returncode, "", ended.stderr)
