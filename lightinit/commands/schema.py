"""``lightinit schema FILE``: checks user data without running them: a ``#cloud-config``, or each of
several parts. Of a script, it says whether it is one.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import List, Optional, Tuple

from lightinit.commands import terminal
from lightinit.errors import EXIT_FAILED, EXIT_NO_INPUT, EXIT_OK, MalformedError, RefusedError
from lightinit.formats.cloud_config import document, schema
from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.state import CURRENT, State, current_instance
from lightinit.user_data.checking import check_parts
from lightinit.user_data.parts import unwrap

# More than a document may have, so that one that is too large is told as such.
READ_BYTES = 2 * document.LIMIT_BYTES
FIRST_LINE = "begin the first line with #cloud-config, or it is no cloud-config for the platform"


def run(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit schema``."""
    name, data = arguments.file, _read(arguments.file)
    if name == "-":
        name = "standard input"
    parts = check_parts(system, name, data, _find_instance(system))
    if parts is None:
        mistakes = check(data)
        lost = sum(not each.has_effect for each in mistakes)
        for each in mistakes:
            terminal.show("%s:%d: %s" % (name, each.line, each._replace(line=0)))
    else:
        lost = sum(not found.has_effect for found in parts)
        for found in parts:
            terminal.show(found.text)
    if lost:
        terminal.show("%s: %d without effect, and all else is valid" % (name, lost))
        return EXIT_FAILED
    terminal.show("%s: valid" % name)
    return EXIT_OK


def check(data: bytes) -> Tuple[Mistake, ...]:
    """All that is wrong with a document, by line.

    Args:
        data: the file; it may be packed by gzip or base64, as a boot takes it.

    Raises:
        LibraryError: python3-yaml is missing or does not work.
    """
    found: List[Mistake] = []
    try:
        data = unwrap(data, READ_BYTES)
        kind = schema.other_kind(data)
        if kind:
            what = "it is %s, and no cloud-config; only that is checked" % kind
            return (Mistake((), what, "see docs/cloud-config.md", 1),)
        if not schema.is_cloud_config(data):
            found = [Mistake((), "the first line is not #cloud-config", FIRST_LINE, 1)]
        return (*found, *schema.check(document.read(data)))
    except MalformedError as error:
        return (*found, _as_mistake(error))


def _find_instance(system: System) -> Optional[Instance]:
    """This machine's instance, for templates; None if there is none that may be read."""
    recorded = current_instance(system)
    if recorded is None or not os.access(system.path(CURRENT + "/instance.json"), os.R_OK):
        return None
    return State(system, recorded).load_instance()


def _as_mistake(error: MalformedError) -> Mistake:
    """What nothing of the document can be used for."""
    facts = dict(error.details)
    line, hint = int(facts.pop("line", "1")), facts.pop("hint", "correct it")
    what = ", ".join(
        [error.reason, *("%s=%s" % item for item in facts.items() if item[0] != "why")]
    )
    if "why" in facts:
        what = "%s: %s" % (what, facts["why"])
    return Mistake((), what, hint, line)


def _read(name: str) -> bytes:
    try:
        if name == "-":
            return sys.stdin.buffer.read(READ_BYTES)
        with open(name, "rb") as file:
            return file.read(READ_BYTES)
    except OSError as error:
        raise RefusedError(
            "document cannot be read",
            EXIT_NO_INPUT,
            file=name,
            error=(error.strerror or str(error)).lower(),
            hint="give the path of a #cloud-config",
        ) from None
