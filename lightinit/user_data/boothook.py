"""``#cloud-boothook``: a script that runs early, at each boot.

Source: cloud-init's documentation, "User data formats".
"""

from __future__ import annotations

from typing import List

from lightinit.user_data.kind import Kind, begins_with
from lightinit.user_data.pieces import PER_BOOT, Around, Piece

NAME = "#cloud-boothook"


class Boothook(Kind):
    """It is made a script: what follows its first line."""

    warns = False
    is_container = True
    types = {"text/cloud-boothook": NAME}

    def recognise(self, data: bytes) -> str:
        """Recognise its first line."""
        return begins_with(data, NAME)

    def expand(self, piece: Piece, around: Around) -> List[Piece]:
        """Return the script."""
        data = piece.data.lstrip(b"\xef\xbb\xbf").lstrip()
        if self.recognise(data[: len(NAME)]):
            data = data[len(NAME) :].lstrip()
        return [
            piece._replace(
                data=data, content_type="text/x-shellscript", frequency=PER_BOOT, told_as=NAME
            )
        ]
