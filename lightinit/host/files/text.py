"""Reads and replaces whole files. The mode and owner of the old file stay.

The content is not interpreted. Bytes that are not UTF-8 stay unchanged.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Optional

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.files.access import NEW_FILE, Access, access_of
from lightinit.host.files.selinux import restore_labels
from lightinit.host.system import READ_LIMIT_BYTES, System

_ENCODING = ("utf-8", "surrogateescape")


def read_file(
    system: System,
    path: str,
    limit_bytes: int = READ_LIMIT_BYTES,
    reason: str = "file cannot be read",
    **details: Any,
) -> bytes:
    """The content of the file ``path``.

    Args:
        system: the machine.
        path: as the VM sees it.
        limit_bytes: a larger file is an error.
        reason: the reason of the error.
        details: further details of the error.

    Raises:
        FileNotFoundError: there is no such file.
        ProvisioningError: the file cannot be read. The caller must not replace it then.
    """
    try:
        return system.read(path, limit_bytes)
    except FileNotFoundError:
        raise
    except OSError as error:
        why = error.strerror or str(error)
        raise ProvisioningError(reason, **details, path=path, error=why) from error
    except MalformedError as error:
        raise ProvisioningError(reason, **details, path=path, error=error.reason) from error


def read_text_file(
    system: System,
    path: str,
    limit_bytes: int = READ_LIMIT_BYTES,
    reason: str = "file cannot be read",
) -> Optional[str]:
    """The text of the file ``path``; None if there is no such file.

    Args:
        system: the machine.
        path: as the VM sees it.
        limit_bytes: a larger file is an error.
        reason: the reason of the error.

    Raises:
        ProvisioningError: the file cannot be read. The caller must not replace it then.
    """
    try:
        return decode_text(read_file(system, path, limit_bytes, reason))
    except FileNotFoundError:
        return None


def write_text_file(system: System, path: str, text: str, new: Access = NEW_FILE) -> None:
    """Replace the file ``path``. Its mode and owner stay.

    Args:
        system: the machine.
        path: as the VM sees it.
        text: the whole new content.
        new: mode and owner if there is no such file yet.

    Raises:
        ProvisioningError: the status of the old file cannot be read, or the file cannot be written.
            The old file stays.
    """
    try:
        access = access_of(os.stat(system.path(path)))
    except FileNotFoundError:
        access = new
    except OSError as error:
        raise ProvisioningError(
            "file cannot be read", path=path, error=error.strerror or str(error)
        ) from error
    system.write(path, encode_text(text), access.mode, access.uid, access.gid)


def edit_text_file(
    system: System, path: str, edit: Callable[[str], str], limit_bytes: int = READ_LIMIT_BYTES
) -> bool:
    """Replace the text of a file. A missing file is not made.

    Args:
        system: the machine.
        path: as the VM sees it.
        edit: takes the old text and returns the new one.
        limit_bytes: a larger file is an error.

    Returns:
        Whether the file was written.

    Raises:
        ProvisioningError: the file cannot be read or written.
    """
    before = read_text_file(system, path, limit_bytes)
    if before is None:
        return False
    after = edit(before)
    if after == before:
        return False
    write_text_file(system, path, after)
    restore_labels(system, [path])
    return True


def decode_text(data: bytes) -> str:
    """The text of a file. Bytes that are not UTF-8 become lone surrogates."""
    return data.decode(*_ENCODING)


def encode_text(text: str) -> bytes:
    """The bytes of a text; the reverse of :func:`decode_text`."""
    return text.encode(*_ENCODING)
