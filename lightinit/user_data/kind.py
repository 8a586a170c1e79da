"""The base class of the kinds of user data. A kind that overrides nothing but ``recognise`` is
kept and has no effect.
"""

from __future__ import annotations

from typing import List, Mapping

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.user_data.pieces import Around, Piece

ONLY_SCRIPTS = "give a script that begins with #!"


class Kind:
    """One kind of user data.

    Attributes:
        has_effect: whether lightinit can execute or apply data of this kind.
        warns: whether a warning says that the data have no effect.
        is_container: whether :meth:`expand` makes other pieces of it.
        recognises_all: whether it is the kind of what no other kind recognises.
        is_refused: whether a part of this kind is left out, with a warning.
        is_applied: whether modules take their settings from it.
        is_executed: whether :meth:`make_command` executes it.
        is_text: whether a byte-order mark, white space before the first line, and CR LF are
            removed.
        types: its MIME types -> the name of the format.
        hint: what to do instead, for a kind that is refused.
    """

    has_effect = False
    warns = True
    is_container = False
    recognises_all = False
    is_refused = False
    is_applied = False
    is_executed = False
    is_text = False
    types: Mapping[str, str] = {}
    hint = ONLY_SCRIPTS

    def recognise(self, data: bytes) -> str:
        """Return the name of the format of ``data``, or "" if they are of another kind."""
        raise NotImplementedError

    def expand(self, piece: Piece, around: Around) -> List[Piece]:
        """Return the pieces of a container.

        Args:
            piece: the container.
            around: what may be used.

        Raises:
            LightinitError: it is damaged, or needs something that is missing.
        """
        raise NotImplementedError

    def check(self, which: str, name: str, data: bytes) -> None:
        """Refuse data that cannot be executed. This does not look at the machine.

        Args:
            which: ``custom data`` or ``user data``, for the error.
            name: the format, from :meth:`recognise`.
            data: the data.

        Raises:
            ProvisioningError: the data cannot be executed.
        """
        raise ProvisioningError(
            "custom data has a format that is not supported",
            which=which,
            format=name,
            hint=self.hint,
        )

    def check_machine(self, which: str, data: bytes) -> None:
        """Refuse data that need something that is missing on this machine.

        Args:
            which: ``custom data`` or ``user data``, for the error.
            data: the data.

        Raises:
            ProvisioningError: the machine lacks something.
        """

    def make_command(self, system: System, data: bytes, path: str) -> List[str]:
        """Return the command that executes the data.

        Args:
            system: the machine.
            data: the data.
            path: the file that holds the data, with mode 0700.
        """
        raise NotImplementedError


def start_of(data: bytes) -> bytes:
    """Return the beginning of data without a byte-order mark and white space. A MIME archive often
    begins with an empty line.
    """
    return data[:4096].lstrip(b"\xef\xbb\xbf").lstrip()


def begins_with(data: bytes, *names: str) -> str:
    """Return the first of ``names`` that the data begin with, in upper or lower case, or "". If a
    name is the beginning of another one, it must come after that one.
    """
    start = start_of(data).lower()
    for name in names:
        if start.startswith(name.encode("ascii")):
            return name
    return ""
