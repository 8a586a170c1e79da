"""``#cloud-config``: modules apply it, each the keys that it knows (``lightinit/cloud_config``)."""

from __future__ import annotations

from lightinit.user_data.kind import Kind, begins_with

NAME = "#cloud-config"


class CloudConfig(Kind):
    """A YAML document."""

    has_effect = True
    warns = False
    is_applied = True
    is_text = True
    types = {"text/cloud-config": NAME}

    def recognise(self, data: bytes) -> str:
        """Recognise its first line. Source: cloud-init's documentation, "User data formats"."""
        return begins_with(data, NAME)
