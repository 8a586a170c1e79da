"""``#cloud-config-archive``: a YAML list of pieces.

Source: cloud-init's documentation, "User data formats".
"""

from __future__ import annotations

from typing import List

from lightinit.user_data.kind import Kind, begins_with
from lightinit.user_data.pieces import Around, Piece, name_child, read_headers

NAME = "#cloud-config-archive"


class Archive(Kind):
    """An archive."""

    is_container = True
    types = {"text/cloud-config-archive": NAME}

    def recognise(self, data: bytes) -> str:
        """Recognise its first line."""
        return begins_with(data, NAME)

    def expand(self, piece: Piece, around: Around) -> List[Piece]:
        """Return its entries. An entry of an unknown kind and without a type is a cloud-config."""
        from lightinit.formats.cloud_config import document
        from lightinit.formats.user_parts import archive

        read = document.read_list(piece.data)
        for mistake in read.mistakes:
            around.warn("%s: %s" % (piece.name, mistake))
        found = []
        for index, entry in enumerate(archive.read(read.items), 1):
            child = name_child(piece, index, entry.headers.get("filename", ""))
            if entry.problem:
                around.warn("%s is left out: %s" % (child.name, entry.problem))
                continue
            child = read_headers(child, entry.content_type, entry.headers)
            found.append(child._replace(data=entry.content, default_type=archive.CLOUD_CONFIG))
        return found
