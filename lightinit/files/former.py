"""Keeps what was in files that a login needs before a cloud-config replaced them, until the login
check has passed; and puts it back.

No program checks such a file beforehand, as visudo checks rules of sudo.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any, Dict, List, Optional

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.files.guarded import real_name
from lightinit.formats.cloud_config.places import is_closed
from lightinit.formats.file_entries import CONTENT_LIMIT_BYTES
from lightinit.host.files.access import Access, access_of
from lightinit.host.files.text import read_file
from lightinit.host.system import System
from lightinit.model import NamedTuple

# It is lightinit.state.FORMER_FILES, too, which this floor does not see: by that name the file is
# removed without an import of this one. tests/emulated/test_login_check.py fails if they differ.
FORMER = "/var/lib/lightinit/instance/former-files.json"
LIMIT_BYTES = 4 * 1024 * 1024
FOLDER = "/etc/"


class Former(NamedTuple):
    """A file as it was.

    Attributes:
        path: its path.
        content: what was in it; None if it was not there.
        access: its mode and owner.
    """

    path: str
    content: Optional[bytes]
    access: Access


def keep_former(
    system: System, path: str, content: bytes, status: Optional[os.stat_result]
) -> None:
    """Keep what is in a file that is about to be written, if a login needs it. What is kept already
    stays: it is older.

    Args:
        system: the machine.
        path: the file.
        content: what is in it.
        status: its own; None if it is not there.

    Raises:
        ProvisioningError: it cannot be kept.
    """
    real = real_name(system, path)
    if not real.startswith(FOLDER) or not is_closed(real):
        return
    kept = list_former(system)
    if real in [each.path for each in kept]:
        return
    former = Former(real, None, Access(0))
    if status is not None:
        former = Former(real, content, access_of(status))
    _save(system, [*kept, former])


def list_former(system: System) -> List[Former]:
    """What is kept; nothing if it cannot be read."""
    try:
        found = json.loads(system.read(FORMER, LIMIT_BYTES).decode("utf-8"))
        return [_from_data(each) for each in found["files"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, MalformedError):
        return []


def exchange(system: System, files: List[Former]) -> List[Former]:
    """Put files back as they were. Returns what was in them, with which this undoes it.

    Raises:
        ProvisioningError: one of them cannot be read or written.
    """
    instead = [_look(system, each.path) for each in files]
    for each in files:
        if each.content is None:
            system.remove(each.path)
        else:
            access = each.access
            system.write(each.path, each.content, access.mode, access.uid, access.gid)
    return instead


def _look(system: System, path: str) -> Former:
    try:
        access = access_of(os.stat(system.path(path)))
        return Former(path, read_file(system, path, CONTENT_LIMIT_BYTES), access)
    except FileNotFoundError:
        return Former(path, None, Access(0))
    except OSError as error:
        raise ProvisioningError(
            "file cannot be read", path=path, error=error.strerror or str(error)
        ) from error


def _save(system: System, files: List[Former]) -> None:
    data = json.dumps({"files": [_to_data(each) for each in files]}).encode("ascii")
    if len(data) <= LIMIT_BYTES:
        system.write(FORMER, data, 0o600, follow_last=False)


def _to_data(former: Former) -> Dict[str, Any]:
    content = None
    if former.content is not None:
        content = base64.b64encode(former.content).decode("ascii")
    return {"path": former.path, "content": content, "access": list(former.access)}


def _from_data(data: Dict[str, Any]) -> Former:
    content = data["content"]
    if content is not None:
        content = base64.b64decode(content)
    return Former(str(data["path"]), content, Access(*map(int, data["access"])))
