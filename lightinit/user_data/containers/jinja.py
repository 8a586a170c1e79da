"""``## template: jinja``: a template of another kind of user data. A separate process renders it,
with limits: a template may loop for ever.

Source of the names and of the text for a missing variable: cloud-init's documentation, "Instance
metadata".
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, List, Mapping

from lightinit.errors import LibraryError, MalformedError, ProvisioningError
from lightinit.user_data.kind import Kind, begins_with
from lightinit.user_data.pieces import Around, Piece

NAMES = ("## template: jinja", "## template:jinja")
LIMIT_S = 20.0
RENDERER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "render.py")


class Jinja(Kind):
    """A template."""

    is_container = True
    types = {"text/jinja2": NAMES[0]}

    def recognise(self, data: bytes) -> str:
        """Recognise its first line."""
        return begins_with(data, *NAMES)

    def expand(self, piece: Piece, around: Around) -> List[Piece]:
        """Return what the template becomes. Missing variables are a warning.

        The identity is the template's own: a new kernel, say, must not execute it again.
        """
        import hashlib

        data = piece.data.lstrip(b"\xef\xbb\xbf").lstrip()
        if self.recognise(data[:32]):
            data = data.partition(b"\n")[2]
        try:
            text = data.replace(b"\r\n", b"\n").decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("template is not text", hint="save it as UTF-8 text") from None
        answer = _render(text, around.variables())
        missing = answer.get("missing")
        if missing:
            around.warn(
                "%s: variables are missing: %s; see: lightinit query"
                % (piece.name, ", ".join(str(each) for each in missing))
            )
        return [
            piece._replace(
                data=str(answer["text"]).encode("utf-8", "replace"),
                content_type="",
                depth=piece.depth + 1,
                identity=piece.identity or hashlib.sha256(piece.data).hexdigest(),
            )
        ]


def _render(text: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Run the renderer.

    Raises:
        LibraryError: python3-jinja2 is not installed.
        MalformedError: the template has a mistake, or asks for too much.
        ProvisioningError: the renderer cannot be run.
    """
    from lightinit.host.command import run_command

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
        raise MalformedError("template cannot be rendered", why=answer["why"], line=answer["line"])
    return dict(answer)
