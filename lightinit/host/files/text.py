"""Text files of the host's that are changed in part: read whole, and replaced whole with their mode
and owner kept.

What stands in them is not known here. Bytes that are no UTF-8 come through unchanged.
"""

from __future__ import annotations

import os
import stat
from typing import Optional

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.system import READ_LIMIT_BYTES, System


def read_text_file(system: System, path: str, limit_bytes: int = READ_LIMIT_BYTES) -> Optional[str]:
    """The text of the file ``path``, None when it is missing, and only then.

    Raises:
        ProvisioningError: it is there and cannot be read, so it must not be replaced.
    """
    try:
        return system.read(path, limit_bytes).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProvisioningError(
            "file cannot be read", path=path, error=error.strerror or str(error)
        ) from error
    except MalformedError as error:
        raise ProvisioningError("file cannot be read", path=path, error=error.reason) from error


def write_text_file(system: System, path: str, text: str) -> None:
    """Replace the file ``path``; a new one is root's, 0644.

    Raises:
        ProvisioningError: it could not be looked at or written; the old one is still there.
    """
    mode, uid, gid = 0o644, 0, 0
    try:
        status = os.stat(system.path(path))
        mode, uid, gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ProvisioningError(
            "file cannot be read", path=path, error=error.strerror or str(error)
        ) from error
    system.write(path, text.encode("utf-8", "surrogateescape"), mode, uid, gid)
