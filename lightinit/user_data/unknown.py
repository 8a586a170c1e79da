"""Data of no known format. A program on the VM may want them, so they are kept without a word."""

from __future__ import annotations

from lightinit.errors import ProvisioningError
from lightinit.user_data.kind import ONLY_SCRIPTS, Kind, start_of


class Unknown(Kind):
    """Anything else. This kind stands last in the table."""

    warns = False

    def recognise(self, data: bytes) -> str:
        """Take everything."""
        return "other"

    def check(self, which: str, name: str, data: bytes) -> None:
        """Refuse the data as no script, and say what is before the ``#!`` if there is one."""
        why = "it does not begin with #!"
        if start_of(data).startswith(b"#!"):
            why = "a byte-order mark or white space is before its #!"
        raise ProvisioningError(
            "custom data is not a script", which=which, why=why, hint=ONLY_SCRIPTS
        )
