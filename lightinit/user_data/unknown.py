"""Data of no known format. They are kept without a warning: a program on the VM may read them."""

from __future__ import annotations

from lightinit.errors import ProvisioningError
from lightinit.user_data.kind import ONLY_SCRIPTS, Kind


class Unknown(Kind):
    """Any other data. This kind must be the last one in the table."""

    warns = False
    recognises_all = True
    is_refused = True
    hint = "say what it is: in its first line (#!, #cloud-config) or by its Content-Type"

    def recognise(self, data: bytes) -> str:
        """Recognise everything."""
        return "other"

    def check(self, which: str, name: str, data: bytes) -> None:
        """Refuse the data: they are not a script."""
        raise ProvisioningError(
            "custom data is not a script",
            which=which,
            why="it does not begin with #!",
            hint=ONLY_SCRIPTS,
        )
