"""Data of no known format. They are kept without a warning: a program on the VM may read them."""

from __future__ import annotations

from lightinit.errors import ProvisioningError
from lightinit.user_data.kind import ONLY_SCRIPTS, Kind, start_of


class Unknown(Kind):
    """Any other data. This kind must be the last one in the table."""

    warns = False

    def recognise(self, data: bytes) -> str:
        """Recognise everything."""
        return "other"

    def check(self, which: str, name: str, data: bytes) -> None:
        """Refuse the data: they are not a script. The error says whether ``#!`` follows later."""
        why = "it does not begin with #!"
        if start_of(data).startswith(b"#!"):
            why = "a byte-order mark or white space is before its #!"
        raise ProvisioningError(
            "custom data is not a script", which=which, why=why, hint=ONLY_SCRIPTS
        )
