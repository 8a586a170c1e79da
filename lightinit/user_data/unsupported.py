"""The formats of cloud-init that are recognised and kept, and have no effect.

A format that becomes supported gets its own file.
"""

from __future__ import annotations

from lightinit.user_data.kind import Kind, begins_with

# Source: cloud-init's documentation, "User data formats".
TYPES = {
    "text/cloud-config-jsonp": "#cloud-config-jsonp",
    "text/part-handler": "#part-handler",
    "text/upstart-job": "#upstart-job",
}


class Unsupported(Kind):
    """A format that only cloud-init understands. A part handler is Python that cloud-init
    imports.
    """

    is_refused = True
    types = TYPES
    hint = "give a script that begins with #!; part handlers and upstart jobs are not run"

    def recognise(self, data: bytes) -> str:
        """Recognise the format by its first line, in upper or lower case."""
        return begins_with(data, *TYPES.values())
