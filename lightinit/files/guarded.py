"""Files of a cloud-config that could shut the admin out: rules of sudo and doas and sshd's
configuration are checked first by their own programs, and a file of keys keeps the keys in it.
"""

from __future__ import annotations

import os
from typing import Optional

from lightinit.errors import ProvisioningError
from lightinit.formats.blanks import BLANKS, words_of
from lightinit.host.accounts.privileges import (
    DOAS,
    DOAS_CONF,
    DOAS_FOLDER,
    SUDO,
    SUDOERS,
    SUDOERS_FOLDER,
    check_rules,
)
from lightinit.host.ssh.sshd import Sshd
from lightinit.host.system import System

SSHD_CONFIG = ("/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config")
SSHD_FOLDER = "/etc/ssh/sshd_config.d"
NO_LOGIN = ("/etc/nologin", "/run/nologin", "/var/run/nologin")
NSSWITCH = "/etc/nsswitch.conf"
DATABASES = ("passwd", "shadow", "group")
LOCAL = {"files", "compat", "db", "altfiles"}
KEY_FILES = ("authorized_keys", "authorized_keys2")


def real_name(system: System, path: str) -> str:
    """The VM's path of the file to which a path leads."""
    return "/" + os.path.relpath(system.path(path), system.root)


def check_content(system: System, path: str, content: bytes) -> None:
    """Refuse content with which sshd would not start, sudo or doas would not work, or nobody would
    find the host's accounts. Where a program that checks it is not installed, it is accepted.

    Args:
        system: the machine.
        path: the file.
        content: all that would be in it.

    Raises:
        ProvisioningError: what the program says.
    """
    real = real_name(system, path)
    folder = os.path.dirname(real)
    text = content.decode("utf-8", "surrogateescape")
    if path in NO_LOGIN or real in NO_LOGIN:
        raise ProvisioningError(
            "place of a file is not safe",
            path=path,
            why="with it, only root could log in",
            hint="let runcmd make it, if that is wanted",
        )
    if real == NSSWITCH:
        _check_databases(path, system.read_text(NSSWITCH), text)
    elif real in SUDOERS or folder == SUDOERS_FOLDER:
        check_rules(system, real, SUDO, text)
    elif real == DOAS_CONF or folder == DOAS_FOLDER:
        check_rules(system, real, DOAS, text)
    elif real in SSHD_CONFIG or (folder == SSHD_FOLDER and real.endswith(".conf")):
        fault = Sshd().find_fault_in(system, text)
        if fault and not Sshd().find_fault_in(system, ""):
            raise ProvisioningError(
                "configuration of sshd was found faulty",
                path=path,
                said=fault.replace("/run/lightinit/candidates/", ""),
                hint="correct it; sshd -t -f FILE checks one",
            )


def _check_databases(path: str, before: str, text: str) -> None:
    """Refuse an nsswitch.conf whose lines no longer name the host's own files. Source: the man page
    nsswitch.conf(5).
    """
    for name in DATABASES:
        if _names_files(text, name) is False and _names_files(before, name) is not False:
            raise ProvisioningError(
                "place of a file is not safe",
                path=path,
                why="its line %s: does not name `files`, so nobody could log in" % name,
                hint="add `files` to that line",
            )


def _names_files(text: str, name: str) -> Optional[bool]:
    """Whether a line of nsswitch.conf names the host's own files; None without such a line."""
    for line in text.split("\n"):
        database, colon, sources = line.partition("#")[0].partition(":")
        if colon and database.strip(BLANKS) == name:
            return not LOCAL.isdisjoint(words_of(sources))
    return None


def is_key_file(path: str) -> bool:
    """Whether sshd may take keys from a file."""
    folder, name = os.path.split(path)
    return name in KEY_FILES and os.path.basename(folder) == ".ssh"


def with_keys_kept(before: bytes, content: bytes) -> bytes:
    """New content of a file of keys: without the platform's keys, which are in it, nobody could log
    in.

    Args:
        before: what is in the file now.
        content: what a cloud-config wants in it.
    """
    blanks = BLANKS.encode()
    lines = {line.strip(blanks) for line in content.split(b"\n")} | {b""}
    kept = [line for line in before.split(b"\n") if line.strip(blanks) not in lines]
    if not kept:
        return content
    if content and not content.endswith(b"\n"):
        content += b"\n"
    return content + b"".join(line + b"\n" for line in kept)
