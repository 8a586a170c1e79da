"""``lightinit query``: shows the instance's data at a dotted path."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, List

from lightinit.commands import terminal
from lightinit.digits import read_digits
from lightinit.errors import EXIT_NO_PERMISSION, EXIT_NOT_RUN, EXIT_OK, RefusedError
from lightinit.host.log import printable
from lightinit.host.system import System
from lightinit.settings import nearest
from lightinit.state import CURRENT, DETECTION, INSTANCE_LIMIT_BYTES, read_json

USER_DATA, PLATFORM = "userdata", "platform"


def run(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit query``."""
    if arguments.path == USER_DATA:
        from lightinit.commands import parts

        return parts.run(system)
    text = render(look_up(load(system, arguments.secrets), arguments.path))
    if sys.stdout.isatty():
        # The platform's data must not send control sequences to a terminal. Programs get them
        # unchanged.
        text = "\n".join(map(printable, text.split("\n")))
    terminal.show(text)
    if arguments.path == PLATFORM:
        for line in explain_platform(system):
            terminal.note(line)
    return EXIT_OK


def explain_platform(system: System) -> List[str]:
    """Why this datasource was taken in the last boot that looked for one, and why the others were
    not; nothing if the settings name it.
    """
    record = read_json(system, "%s/%s.json" % (CURRENT, DETECTION)) or {}
    taken, lines = record.get("datasource"), []
    for sign in record.get("signs") or []:
        if isinstance(sign, dict):
            word = "taken" if sign.get("name") == taken else "not taken"
            lines.append("%s %s: %s" % (word, sign.get("name"), sign.get("why")))
    return sorted(lines, key=lambda line: not line.startswith("taken"))


def load(system: System, secrets: bool) -> Any:
    """Return the instance's data.

    Args:
        system: the machine.
        secrets: whether to read the file with secrets, which only root can read.

    Raises:
        RefusedError: there are no data yet, or the caller may not read them.
    """
    path = CURRENT + "/instance-public.json"
    if secrets:
        path = CURRENT + "/instance.json"
    try:
        system.read(path, INSTANCE_LIMIT_BYTES)
    except PermissionError:
        raise RefusedError(
            "secrets are for root",
            EXIT_NO_PERMISSION,
            path=path,
            hint="run as root, or leave --secrets out",
        ) from None
    except OSError:
        pass
    data = read_json(system, path, INSTANCE_LIMIT_BYTES)
    if data is None:
        raise RefusedError(
            "no instance data",
            EXIT_NOT_RUN,
            path=path,
            hint="the fetch stage writes them; see: lightinit status --long",
        )
    return data


def look_up(data: Any, path: str) -> Any:
    """Return what is at the dotted ``path``; a number is an index into a list.

    Raises:
        RefusedError: there is nothing; the hint names what exists.
    """
    here: List[str] = []
    for part in [part for part in path.split(".") if part]:
        if isinstance(data, dict) and part in data:
            data = data[part]
        elif isinstance(data, list) and read_digits(part, len(data) - 1) is not None:
            data = data[int(part)]
        else:
            raise RefusedError(
                "no such path",
                path=path,
                at=".".join(here) or "the top",
                lacks=part,
                hint=_hint(part, data),
            )
        here.append(part)
    return data


def render(data: Any) -> str:
    """Return text unchanged, and everything else as JSON."""
    if isinstance(data, str):
        return data
    return json.dumps(data, indent=1, sort_keys=True)


def _keys(data: Any) -> List[str]:
    if isinstance(data, dict):
        return list(data)
    if isinstance(data, list):
        return [str(index) for index in range(len(data))]
    return []


def _hint(part: str, data: Any) -> str:
    if data in (None, "", [], {}):
        return "there is nothing in it: the platform gave none"
    known = _keys(data)
    close = nearest(part, known)
    if close:
        return "did you mean %s?" % close
    return "available: %s" % (" ".join(known[:40]) or "nothing")
