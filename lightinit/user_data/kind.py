"""What a kind of user data can do. The defaults are those of a kind that is recognised and kept,
but has no effect.
"""

from __future__ import annotations

from typing import List

from lightinit.errors import ProvisioningError
from lightinit.host.system import System

ONLY_SCRIPTS = "give a script that begins with #!, or set `execute` so that it leaves this one out"


class Kind:
    """One kind of user data.

    Attributes:
        has_effect: whether lightinit can execute or apply data of this kind.
        warns: whether somebody who gave such data must hear that they have no effect.
    """

    has_effect = False
    warns = True

    def recognise(self, data: bytes) -> str:
        """Return the name of the format that ``data`` have, or "" if they are of another kind."""
        raise NotImplementedError

    def check(self, which: str, name: str, data: bytes) -> None:
        """Refuse data that cannot be executed, by what is in them. It does not look at the machine.

        Args:
            which: ``custom data`` or ``user data``, for the error.
            name: the format, as :meth:`recognise` gave it.
            data: the data.

        Raises:
            ProvisioningError: the data cannot be executed.
        """
        raise ProvisioningError(
            "custom data has a format that is not supported",
            which=which,
            format=name,
            hint=ONLY_SCRIPTS,
        )

    def check_machine(self, which: str, data: bytes) -> None:
        """Refuse data for which this machine lacks something. Nothing is executed before this was
        asked for all data.

        Raises:
            ProvisioningError: the machine lacks something.
        """

    def make_command(self, system: System, data: bytes, path: str) -> List[str]:
        """Return the command that executes the data.

        Args:
            system: the machine.
            data: the data.
            path: the file that holds them, with mode 0700.
        """
        raise NotImplementedError


def start_of(data: bytes) -> bytes:
    """The beginning of data without a byte-order mark and white space. MIME archives often have an
    empty line first.
    """
    return data[:4096].lstrip(b"\xef\xbb\xbf").lstrip()
