"""Finds and replaces the files of sshd's configuration. It does not interpret them."""

from __future__ import annotations

import glob
import os
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.system import System

CONFIGS = ("/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config")
# The first value of a keyword counts, so this name sorts before those of images and other agents.
DROP_IN = "/etc/ssh/sshd_config.d/00-lightinit.conf"
HOST_KEYS = "/etc/ssh/sshd_config.d/01-lightinit-host-keys.conf"


def find_config(system: System) -> Optional[str]:
    """The sshd_config that sshd reads: the administrator's, else the vendor's, else None."""
    return next((path for path in CONFIGS if system.exists(path)), None)


def is_pattern(path: str) -> bool:
    """Whether a path has wildcards, as that of an Include may have."""
    return glob.has_magic(path)


def list_included(system: System, pattern: str) -> List[Tuple[str, str]]:
    """(path, text) of the files that the pattern of an Include names, in sshd's order."""
    # A relative pattern starts at /etc/ssh.
    names = system.glob(os.path.join("/etc/ssh", pattern))
    return [(name, system.read_text(name)) for name in names]


def read_included(system: System, pattern: str) -> List[str]:
    """The texts of the files that the pattern of an Include names, in sshd's order."""
    return [text for _, text in list_included(system, pattern)]


def put_texts(system: System, texts: Mapping[str, Optional[str]]) -> Dict[str, Optional[str]]:
    """Replace files, or remove those whose text is None. Owners and modes stay.

    Returns:
        The old texts of the changed files. To undo the change, pass them to this function.

    Raises:
        ProvisioningError: a file cannot be read or written. All files have their old content.
    """
    before: Dict[str, Optional[str]] = {}
    try:
        for path, text in texts.items():
            there = read_text_file(system, path)
            if there == text:
                continue
            before[path] = there
            if text is None:
                system.remove(path)
            else:
                write_text_file(system, path, text)
    except ProvisioningError:
        for path, there in before.items():
            if there is None:
                system.remove(path)
            elif read_text_file(system, path) != there:
                write_text_file(system, path, there)
        raise
    return before


def put_checked(
    system: System,
    texts: Mapping[str, Optional[str]],
    path: str,
    find_fault: Callable[[], str],
) -> Dict[str, Optional[str]]:
    """As :func:`put_texts`; then ask sshd. If it finds fault, all is undone.

    Args:
        system: the machine.
        texts: as for :func:`put_texts`.
        path: the file that an error names.
        find_fault: what sshd says of its configuration, or "".

    Raises:
        ProvisioningError: a file cannot be read or written, or sshd finds fault.
    """
    before = put_texts(system, texts)
    if not before:
        return before
    try:
        fault = find_fault()
        if fault:
            raise faulty(path, fault)
    except ProvisioningError:
        put_texts(system, before)
        raise
    return before


def main_text(config: str, plain: str) -> str:
    """What the administrator's sshd_config is to have besides lightinit's block: its own text; or,
    if only the vendor's file is there, an Include of that, which is not changed.

    Args:
        config: the file that sshd reads.
        plain: its text, without the block.
    """
    if config == CONFIGS[1]:
        return "Include %s\n" % config
    return plain


def faulty(path: str, fault: str) -> ProvisioningError:
    """The error for a configuration with which sshd finds fault."""
    return ProvisioningError(
        "sshd finds fault with its configuration",
        path=path,
        said=fault,
        hint="it was not changed; fix it in the image, with the help of sshd -t",
    )
