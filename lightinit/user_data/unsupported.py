"""The formats of cloud-init that are recognised and kept, and have no effect.

A format that becomes supported gets its own file.
"""

from __future__ import annotations

from lightinit.user_data.kind import Kind, start_of

# The beginnings of the formats. Source: cloud-init's documentation, "User data formats". If a name
# is the beginning of another one, it comes after that one.
NAMES = (
    "#cloud-config-archive",
    "#cloud-config-jsonp",
    "#cloud-boothook",
    "#include-once",
    "#include",
    "#part-handler",
    "#upstart-job",
    "## template: jinja",
    "## template:jinja",
)
MIME = (b"content-type:", b"mime-version:")


class Unsupported(Kind):
    """A format that only cloud-init understands."""

    def recognise(self, data: bytes) -> str:
        """Recognise the format by its first line, in upper or lower case."""
        start = start_of(data).lower()
        for name in NAMES:
            if start.startswith(name.encode("ascii")):
                return name
        if start.startswith(MIME):
            return "MIME"
        return ""
