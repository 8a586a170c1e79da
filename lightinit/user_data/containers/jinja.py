"""``## template: jinja``: a template of another kind of user data.

Source of the names: cloud-init's documentation, "Instance metadata".
"""

from __future__ import annotations

from typing import List

from lightinit.errors import MalformedError
from lightinit.libraries import sha256
from lightinit.user_data.kind import Kind, begins_with
from lightinit.user_data.pieces import Around, Piece

NAMES = ("## template: jinja", "## template:jinja")


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
        from lightinit.host.scripts.template import render_template

        data = piece.data.lstrip(b"\xef\xbb\xbf").lstrip()
        first_line = piece.data.count(b"\n") - data.count(b"\n") + 1
        if self.recognise(data[:32]):
            data = data.partition(b"\n")[2]
            first_line += 1
        try:
            text = data.replace(b"\r\n", b"\n").decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("template is not text", hint="save it as UTF-8 text") from None
        rendered = render_template(text, around.variables(), first_line)
        if rendered.missing:
            around.warn(
                "%s: variables are missing: %s; see: lightinit query"
                % (piece.name, ", ".join(rendered.missing))
            )
        return [
            piece._replace(
                data=rendered.text.encode("utf-8", "replace"),
                content_type="",
                depth=piece.depth + 1,
                identity=piece.identity or sha256(piece.data).hexdigest(),
            )
        ]
