"""The files of sshd's configuration. What stands in them is not known here."""
from __future__ import annotations

import os
import stat
from typing import Dict, List, Mapping, Optional, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.system import System

CONFIGS = ("/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config")
# Of several files the first one's word counts: this name comes before those that images and other agents use.
DROP_IN = "/etc/ssh/sshd_config.d/00-lightinit.conf"


def find_config(system: System) -> Optional[str]:
    """The sshd_config that sshd reads: the administrator's, or else the vendor's; None when there is none."""
    return next((path for path in CONFIGS if system.exists(path)), None)


def absolute(pattern: str) -> str:
    """The pattern of an Include as a path: relative ones are below /etc/ssh."""
    return pattern if pattern.startswith("/") else "/etc/ssh/" + pattern


def list_included(system: System, pattern: str) -> List[Tuple[str, str]]:
    """(path, text) of the files that the pattern of an Include names, in sshd's order."""
    return [(name, system.read_text(name)) for name in system.glob(absolute(pattern))]


def read_included(system: System, pattern: str) -> List[str]:
    """The texts of the files that the pattern of an Include names, in sshd's order."""
    return [text for _, text in list_included(system, pattern)]


def read_config(system: System, path: str) -> Optional[str]:
    """The text of one of these files, None when it is missing. Bytes that are no UTF-8 come through unchanged.

    Raises:
        ProvisioningError: it is there and cannot be read, so it must not be replaced.
    """
    try:
        return system.read(path).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProvisioningError("file cannot be read", path=path, error=error.strerror or str(error)) from error
    except MalformedError as error:
        raise ProvisioningError("file cannot be read", path=path, error=error.reason) from error


def put_texts(system: System, texts: Mapping[str, Optional[str]]) -> Dict[str, Optional[str]]:
    """Replace files, or remove those whose text is None. What is there keeps its owner and mode.

    Returns:
        What was there of those that changed: given back to this function, it undoes the change.

    Raises:
        ProvisioningError: a file could not be read or written; all of them are as they were.
    """
    before: Dict[str, Optional[str]] = {}
    try:
        for path, text in texts.items():
            there = read_config(system, path)
            if there == text:
                continue
            before[path] = there
            if text is None:
                system.remove(path)
            else:
                _write(system, path, text)
    except ProvisioningError:
        for path, there in before.items():
            if there is None:
                system.remove(path)
            elif read_config(system, path) != there:
                _write(system, path, there)
        raise
    return before


def _write(system: System, path: str, text: str) -> None:
    mode, uid, gid = 0o644, 0, 0
    try:
        status = os.stat(system.path(path))
        mode, uid, gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    except OSError:
        pass
    system.write(path, text.encode("utf-8", "surrogateescape"), mode, uid, gid)
