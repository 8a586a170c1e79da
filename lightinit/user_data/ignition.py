"""Ignition: the format of Fedora CoreOS and Flatcar. It is recognised and refused."""

from __future__ import annotations

import json

from lightinit.user_data.kind import Kind, start_of

LIMIT_BYTES = 1024 * 1024


class Ignition(Kind):
    """A JSON document with the key ``ignition`` at its top. Source: Ignition's documentation,
    "Configuration specification".
    """

    is_refused = True
    types = {"application/vnd.coreos.ignition+json": "Ignition"}
    hint = "lightinit does not read Ignition: give a script or #cloud-config, or use an image of"
    hint += " Fedora CoreOS or Flatcar"

    def recognise(self, data: bytes) -> str:
        """Recognise the key. A document that is cut off is recognised by its words."""
        if not start_of(data).startswith(b"{") or b'"ignition"' not in data[:LIMIT_BYTES]:
            return ""
        try:
            found = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return "Ignition"
        if "ignition" in found:
            return "Ignition"
        return ""
