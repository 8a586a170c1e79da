"""Renders jinja templates in a separate process, with limits: a template may loop for ever.

Source of the text for a missing variable: cloud-init's documentation, "Instance metadata".
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Mapping, Tuple

from lightinit.errors import LibraryError, MalformedError, ProvisioningError
from lightinit.host.command import run_command
from lightinit.model import NamedTuple

LIMIT_S = 20.0
RENDERER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "render.py")


class Rendered(NamedTuple):
    """What a template becomes.

    Attributes:
        text: it.
        missing: the names of variables that it lacks.
    """

    text: str
    missing: Tuple[str, ...] = ()


def render_template(text: str, variables: Mapping[str, Any], first_line: int = 1) -> Rendered:
    """Render a template.

    Args:
        text: the template, without the line that says that it is one.
        variables: as JSON can have them.
        first_line: the number of its first line in the document, for errors.

    Raises:
        LibraryError: python3-jinja2 is not installed.
        MalformedError: the template has a mistake, or asks for too much.
        ProvisioningError: the renderer cannot be run.
    """
    given = {"path": sys.path, "text": text, "variables": variables}
    command = [sys.executable, "-I", "-S", "-B", RENDERER]
    try:
        ended = run_command(command, json.dumps(given).encode("utf-8"), LIMIT_S)
    except ProvisioningError as error:
        if error.reason != "command took too long":
            raise
        raise MalformedError("template takes too long", limit_s=LIMIT_S) from None
    try:
        answer = json.loads(ended.stdout)
    except ValueError:
        raise MalformedError(
            "template cannot be rendered",
            why="the renderer ended with status %d" % ended.returncode,
            hint="it may take 10 s of processor time and 512 MiB of memory",
        ) from None
    if answer.get("lacks"):
        raise LibraryError(
            "python library is missing",
            library="jinja2",
            hint="install the package python3-jinja2 in the image",
        )
    if "why" in answer:
        place = {"line": answer["line"] + first_line - 1} if answer["line"] else {}
        raise MalformedError("template cannot be rendered", why=answer["why"], **place)
    return Rendered(str(answer["text"]), tuple(str(each) for each in answer["missing"]))
