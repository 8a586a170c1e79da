"""Puts keys into the file from which sshd reads those of one account. Existing content stays."""

from __future__ import annotations

import logging
from typing import Callable, List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts.passwd import Account
from lightinit.formats.ssh import authorized_keys
from lightinit.formats.ssh.public_keys import PublicKey
from lightinit.host.files.home_folders import Owner
from lightinit.host.files.in_home import edit_private_file, find_trusted_base, read_private_file
from lightinit.host.files.selinux import restore_labels
from lightinit.host.system import System
from lightinit.login import key_files

LOG = logging.getLogger("lightinit.ssh_authorized_keys")
Merge = Callable[[bytes, Sequence[PublicKey]], authorized_keys.Merged]


def put_keys(
    system: System,
    account: Account,
    own: Sequence[str],
    keys: Sequence[PublicKey],
    merge: Merge = authorized_keys.merge,
) -> Tuple[str, List[str]]:
    """Add the keys to the first file that sshd can read as the user.

    If sshd can read none of them, the keys are still written; the login check reports the problem.

    Args:
        system: the machine.
        account: whose keys they are.
        own: the files that belong to this account only, as sshd names them.
        keys: the keys.
        merge: puts keys into the content of a file.

    Returns:
        What was done, and warnings.

    Raises:
        ProvisioningError: no file could be written.
    """
    done: List[str] = []
    warnings: List[str] = []
    failure: Optional[ProvisioningError] = None
    for entry in own:
        try:
            base, parts = _find_place(system, account, entry)
            message, restricted = _put_in_place(system, base, parts, account, keys, merge)
        except ProvisioningError as error:
            failure = failure or error
            if _is_in_home(account, entry):
                break  # an attacker may have put it there
            continue
        done.append(message)
        warnings += restricted
        path = _shown(base, parts)
        for folder in key_files.open_the_way(system, account, path):
            LOG.info("sshd reads %s as %s, who now may enter: %s", path, account.name, folder)
        if key_files.is_reached(system, account, path):
            break
    if not done and failure is not None:
        raise failure
    if failure is not None:
        warnings.append(str(failure))
    return "; ".join(done), warnings


def read_keys(system: System, account: Account, own: Sequence[str]) -> Tuple[bytes, str]:
    """The content and the path of the first file that has keys."""
    shown = ""
    for entry in own:
        base, parts = _find_place(system, account, entry)
        shown = shown or _shown(base, parts)
        data = read_private_file(system, base, parts, Owner(account.uid, account.gid))
        if authorized_keys.count_keys(data):
            return data, _shown(base, parts)
    return b"", shown


def _is_in_home(account: Account, entry: str) -> bool:
    return key_files.expand(account, entry).startswith(account.home.rstrip("/") + "/")


def _find_place(system: System, account: Account, entry: str) -> Tuple[str, Tuple[str, ...]]:
    """(directory, names below it) of a file that sshd reads for ``account``."""
    home = account.home.rstrip("/")
    path = key_files.expand(account, entry)
    if _is_in_home(account, entry):
        return home, tuple(part for part in path[len(home) :].split("/") if part not in ("", "."))
    return find_trusted_base(system, path)


def _shown(base: str, parts: Sequence[str]) -> str:
    return "/".join((base.rstrip("/"),) + tuple(parts))


def _put_in_place(
    system: System,
    base: str,
    parts: Sequence[str],
    account: Account,
    keys: Sequence[PublicKey],
    merge: Merge,
) -> Tuple[str, Tuple[str, ...]]:
    """Add the keys to the file. Return how many were new, and a warning for each key that was
    already there with options.
    """
    shown = _shown(base, parts)
    merged = authorized_keys.Merged(b"", 0)

    def edit(before: bytes) -> bytes:
        nonlocal merged
        merged = merge(before, keys)
        return merged.data

    owner = Owner(account.uid, account.gid)
    written = edit_private_file(system, base, parts, owner, edit)
    if written:
        restore_labels(system, [_shown(base, parts[:1])])
    return "%d of %d keys added to %s" % (merged.added, len(keys), shown), tuple(
        "a key was already in %s, and stays restricted by its options: %s" % (shown, options)
        for options in merged.restricted
    )
