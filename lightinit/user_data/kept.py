"""Keeps custom data, user data and vendor data in files. It knows no settings, and executes
nothing.
"""

from __future__ import annotations

from typing import Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats import user_data as encoding
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple
from lightinit.user_data import find_kind
from lightinit.user_data.kind import Kind

FOLDER = "/var/lib/lightinit/instance"
VENDOR_DATA = "vendor data"


class Kept(NamedTuple):
    """Custom data, user data or vendor data that are kept in a file.

    Attributes:
        name: ``custom data``, ``user data`` or ``vendor data``, for messages.
        path: the path of the file on the VM.
        data: the content of the file.
        problem: why the data could not be decoded. None: they were decoded.
    """

    name: str
    path: str
    data: bytes
    problem: Optional[MalformedError] = None

    @property
    def kind(self) -> Kind:
        """The kind of the data."""
        return find_kind(self.data)[0]

    @property
    def format(self) -> str:
        """The name of their format."""
        return find_kind(self.data)[1]


def list_documents(instance: Instance) -> Tuple[Tuple[str, str], ...]:
    """The name and the text of what the platform may give, in the order in which it counts: the
    operator's, then the owner's.
    """
    return (
        (VENDOR_DATA, instance.vendor_data),
        ("custom data", instance.custom_data),
        ("user data", instance.user_data),
    )


def decode(name: str, text: str) -> Optional[Kept]:
    """Decode and unpack the platform's data.

    Args:
        name: ``custom data``, ``user data`` or ``vendor data``.
        text: base64 from the platform.

    Returns:
        None if the platform gives nothing. What cannot be decoded or unpacked stays as it is.
    """
    if not text.strip():
        return None
    path = "%s/%s" % (FOLDER, name.replace(" ", "-"))
    data, problem = text.encode("utf-8", "surrogateescape"), None
    try:
        data = encoding.decode(text)
        data = encoding.unpack(data)
    except MalformedError as error:
        problem = error
    return Kept(name, path, data, problem)


def keep(system: System, name: str, text: str) -> Optional[Kept]:
    """Write the platform's data to a file, as :func:`decode` gives them.

    Args:
        system: the machine.
        name, text: as for :func:`decode`.

    Returns:
        None if the platform gives nothing. Then an existing file stays.

    Raises:
        ProvisioningError: the file could not be written.
    """
    kept = decode(name, text)
    if kept is not None:
        system.write(kept.path, kept.data, 0o600, follow_last=False, waits=True)
    return kept
