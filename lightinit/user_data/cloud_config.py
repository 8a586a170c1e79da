"""``#cloud-config``: recognised and kept. It has no effect yet."""

from __future__ import annotations

from lightinit.user_data.kind import Kind, start_of

NAME = "#cloud-config"


class CloudConfig(Kind):
    """A YAML document for cloud-init."""

    def recognise(self, data: bytes) -> str:
        """Recognise its first line. Source: cloud-init's documentation, "User data formats"."""
        if start_of(data).lower().startswith(NAME.encode("ascii")):
            return NAME
        return ""
