"""The base class of the kinds of user data. A kind that overrides nothing but ``recognise`` is
kept and has no effect.
"""

from __future__ import annotations

from typing import List

from lightinit.errors import ProvisioningError
from lightinit.host.system import System

ONLY_SCRIPTS = "give a script that begins with #!, or change `execute` so that it leaves this out"


class Kind:
    """One kind of user data.

    Attributes:
        has_effect: whether lightinit can execute or apply data of this kind.
        warns: whether a warning says that the data have no effect.
    """

    has_effect = False
    warns = True

    def recognise(self, data: bytes) -> str:
        """Return the name of the format of ``data``, or "" if they are of another kind."""
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
            hint=ONLY_SCRIPTS,
        )

    def check_machine(self, which: str, data: bytes) -> None:
        """Refuse data that need something that is missing on this machine. All data are checked
        before any are executed.

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
