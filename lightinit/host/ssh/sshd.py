"""sshd asked about its own configuration: what is in force, and whether it finds fault with it."""

from __future__ import annotations

import logging
import re
from typing import Optional

from lightinit.host.accounts.privileges import CANDIDATES
from lightinit.host.command import Completed
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.sshd")
LIMIT_S = 10.0
MAX_LINES = 3
# An address that no network has: what a configuration says about the rest of the world.
ANYWHERE = "192.0.2.1"
_LACKS_FOLDER = re.compile(
    r"^Missing privilege separation directory: (/(?:var/)?run/[\w.-]+)\s*$", re.MULTILINE
)
# What it says besides about options that it still takes, or takes no more and passes over.
_NO_FAULT = re.compile(r"(?i)\b(?:deprecated|unsupported) option\b|: terminating, ")
_LACKS_KEYS = re.compile(r"^sshd: no hostkeys available -- exiting\.\s*$", re.MULTILINE)


def ask(system: System, *options: str) -> Optional[Completed]:
    """Run sshd with ``options``, which let it end at once (``-t``, ``-T``); None when there is no
    sshd to run.

    Raises:
        ProvisioningError: it took too long.
    """
    sshd = system.tool("sshd")
    if sshd is None:
        return None
    argv = [sshd] + list(options)
    ended = system.run(argv, timeout_s=LIMIT_S)
    lacks = _LACKS_FOLDER.search(ended.stderr)
    if not ended.ok and lacks:  # its own unit makes it, but that comes after us
        system.make_dir(lacks.group(1))
        ended = system.run(argv, timeout_s=LIMIT_S)
    return ended


def effective(system: System, user: str) -> str:
    """What is in force for ``user`` (``sshd -T``), "" where sshd does not say: it does not without
    host keys.

    It is asked about a login from anywhere: what a Match block says about this host itself keeps
    nobody out, and lets nobody in.

    Raises:
        ProvisioningError: it took too long.
    """
    ended = ask(system, "-T", "-C", "user=%s,host=%s,addr=%s" % (user, ANYWHERE, ANYWHERE))
    if ended is None or ended.ok:
        return ended.stdout if ended is not None else ""
    LOG.info("sshd does not say what is in force: %s", ended.last_words)
    return ""


def find_fault(system: System, config: Optional[str] = None) -> str:
    """What sshd dislikes about ``config``, or about its own configuration; "" for nothing, or where
    there is no sshd.

    It reads all of it before it looks for its host keys, so that there are none yet is no fault of
    the configuration.

    Raises:
        ProvisioningError: it took too long.
    """
    ended = ask(system, "-t", *(("-f", system.path(config)) if config else ()))
    if ended is None or ended.ok or _LACKS_KEYS.search(ended.stderr):
        return ""
    lines = [
        line.strip()
        for line in ended.stderr.splitlines()
        if line.strip() and not _NO_FAULT.search(line)
    ]
    return "; ".join(lines[:MAX_LINES]) or ended.last_words


def find_fault_in(system: System, text: str) -> str:
    """As :func:`find_fault`, of a sshd_config that is not in its place yet."""
    if system.tool("sshd") is None:
        return ""
    candidate = CANDIDATES + "/sshd_config"
    system.make_dir(CANDIDATES, 0o700)
    system.write(candidate, text.encode("utf-8", "surrogateescape"), 0o600, durable=False)
    try:
        return find_fault(system, candidate)
    finally:
        system.remove(candidate)
