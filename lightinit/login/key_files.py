"""The files from which sshd reads a user's keys, and which of them belong to this user only."""

from __future__ import annotations

import itertools
import os
import re
from typing import List, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts.passwd import Account, find_account, list_accounts
from lightinit.formats.blanks import words_of
from lightinit.formats.ssh import authorized_keys, password_policy, sshd_config
from lightinit.formats.ssh.effective import Effective
from lightinit.host.accounts import files, lookup
from lightinit.host.files.reach import Reader, find_barrier, open_way
from lightinit.host.ssh.server import SshServer
from lightinit.host.system import System
from lightinit.login import asking
from lightinit.model import NamedTuple

# What is left of an entry when its known tokens are taken out.
_UNKNOWN_TOKEN = re.compile(r"^(?:[^%]|%[%huU])*%(?![%huU])")


class KeyFiles(NamedTuple):
    """The values of AuthorizedKeysFile for one user.

    Attributes:
        entries: the values, with tokens; empty if sshd reads no such file.
        warnings: the conditions under which another value may apply.
    """

    entries: Tuple[str, ...]
    warnings: Tuple[str, ...] = ()


def list_entries(
    system: System, server: SshServer, who: sshd_config.Who, effective: Effective
) -> KeyFiles:
    """The files that sshd reads for a user, according to sshd or, if it gives no answer, to its
    configuration.
    """
    warnings: Tuple[str, ...] = ()
    config = asking.read_config(system, server)
    entries = _with_blanks(config, tuple(effective.words(sshd_config.KEYS_FILE)))
    if not entries:
        reading = sshd_config.read_keys_files(
            config.text,
            who,
            lambda pattern: [text for _, text in config.list_included(pattern)],
        )
        entries = reading.paths
        warnings = tuple(
            "%s: another AuthorizedKeysFile applies to logins that this matches: Match %s"
            % (server.find_config(system), block)
            for block in reading.unclear
        )
    # sshd ends the login when it comes to a token that it does not know.
    known = list(itertools.takewhile(lambda each: not _UNKNOWN_TOKEN.search(each), entries))
    if len(known) < len(entries):
        text = "sshd ends each login that comes to %s: AuthorizedKeysFile has no such token"
        warnings += (text % entries[len(known)],)
    return KeyFiles(tuple(each for each in known if each.lower() != "none"), warnings)


def _with_blanks(config: asking.Config, words: Tuple[str, ...]) -> Tuple[str, ...]:
    """The words that sshd prints. It leaves out the quotes around a path that has a blank."""
    for _, keyword, arguments in password_policy.walk(config.text, config.list_included):
        if keyword == sshd_config.KEYS_FILE and words_of(" ".join(arguments)) == list(words):
            return tuple(arguments)
    return words


def split_shared(
    system: System, server: SshServer, account: Account, entries: Sequence[str]
) -> Tuple[List[str], List[str]]:
    """Split the entries: (those of this user only, those that other accounts share).

    A key in a shared file could log in to all accounts, also to root's. An entry belongs to this
    user only if its path has the user's name or id; if it is in the user's home, and no other
    account has that home; or if only a ``Match User`` for this user names it, and sshd reads
    another file for root.
    """
    own: List[str] = []
    shared: List[str] = []
    for entry in entries:
        if (
            _names_the_user(system, account, entry)
            or _is_in_own_folder(system, server, account, entry)
            or _is_for_one(system, server, account, entry)
        ):
            own.append(entry)
        else:
            shared.append(entry)
    return own, shared


def _names_the_user(system: System, account: Account, entry: str) -> bool:
    plain = entry.replace("%%", "")
    if "%h" in plain or not plain.startswith("/"):
        return _has_own_home(system, account)
    return re.search("%[uU]", plain) is not None


def _is_in_own_folder(system: System, server: SshServer, account: Account, entry: str) -> bool:
    """Whether a path without tokens is in a home that belongs to the user. Then StrictModes lets no
    other account in by it.
    """
    home = account.home.rstrip("/")
    if not system.can_own or not expand(account, entry).startswith(home + "/"):
        return False
    strict = asking.ask(system, server, account.name).effective.words("strictmodes")
    try:
        return strict == ["yes"] and os.stat(system.path(home)).st_uid == account.uid
    except OSError:
        return False


def _has_own_home(system: System, account: Account) -> bool:
    """Whether no other account has this home; or the home is the user's, and so sshd lets others in
    by none of its files (StrictModes).
    """
    real = system.path(account.home)
    try:
        if system.can_own and os.stat(real).st_uid == account.uid:
            return True
    except OSError:
        pass
    others = list_accounts(files.read_account_file(system, "/etc/passwd"))
    return not any(
        other.uid != account.uid and _is_same(system, other.home, real) for other in others
    )


def _is_same(system: System, path: str, real: str) -> bool:
    try:
        return path.startswith("/") and system.path(path) == real
    except ProvisioningError:  # its links form a loop
        return False


def _is_for_one(system: System, server: SshServer, account: Account, entry: str) -> bool:
    config = asking.read_config(system, server)
    blocks = [
        words_of(block.replace("=", " "))
        for block, keyword, arguments in password_policy.walk(config.text, config.list_included)
        if keyword == sshd_config.KEYS_FILE and entry in arguments
    ]
    for block in blocks:
        names = [value for word, value in zip(block[::2], block[1::2]) if word.lower() == "user"]
        if names != [account.name]:
            return False
    if not blocks:
        return False
    passwd = files.read_account_file(system, "/etc/passwd")
    root = find_account(passwd, "root") or Account("root", 0, 0, "/root", "/bin/sh")
    effective = asking.ask(system, server, "root").effective
    others = effective.words(sshd_config.KEYS_FILE, sshd_config.DEFAULT)
    real = system.path(expand(account, entry))
    return real not in [system.path(expand(root, each)) for each in others]


def expand(account: Account, entry: str) -> str:
    """The path of an entry for an account."""
    home = account.home.rstrip("/")
    return sshd_config.expand_tokens(entry, account.name, account.uid, home)


def find_reader(system: System, account: Account) -> Reader:
    """The ids with which sshd reads the account's files."""
    return Reader(account.uid, lookup.list_gids_of(system, account.name, account.gid))


def open_the_way(system: System, account: Account, path: str) -> List[str]:
    """Let the account enter the directories on the path to its keys, if this is harmless."""
    passwd = files.read_account_file(system, "/etc/passwd")
    homes = [line.split(":")[5] for line in passwd.split("\n") if line.count(":") >= 6]
    reader = find_reader(system, account)
    return open_way(system, path, reader, authorized_keys.is_only_keys, homes)


def is_reached(system: System, account: Account, path: str) -> bool:
    """Whether sshd can read the file, with StrictModes. A doubtful case counts as yes."""
    if not system.can_own:
        return True
    barrier = find_barrier(system, path, find_reader(system, account), account.home, True)
    return barrier is None or not barrier.certain
