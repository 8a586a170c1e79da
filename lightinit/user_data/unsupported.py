"""The formats of cloud-init that are recognised and kept, and have no effect.

A format that becomes supported moves to a file of its own.
"""

from __future__ import annotations

from lightinit.user_data.kind import Kind, start_of

# How they begin. Source: cloud-init's documentation, "User data formats". A name that another one
# begins with comes after it.
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
        """Tell the format by its first line, in upper or lower case."""
        start = start_of(data).lower()
        for name in NAMES:
            if start.startswith(name.encode("ascii")):
                return name
        if start.startswith(MIME):
            return "MIME"
        return ""
