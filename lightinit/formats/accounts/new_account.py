"""Chooses the ids, home and shell of a new account. It is used if the host has no useradd.

Pure: the caller reads and writes the account files.
"""

from __future__ import annotations

from itertools import chain
from typing import Callable, Collection, Dict, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts.login_defs import UID_MIN, read_number
from lightinit.formats.accounts.passwd import Account, find_group, used_ids
from lightinit.model import NamedTuple

GID_MIN = 1000
ID_MAX = 60000
SYS_ID_MIN, SYS_ID_MAX = 101, 999  # useradd's, if login.defs does not say
SH = "/bin/sh"
# /etc/shells also has restricted shells, and programs such as screen.
PLAIN_SHELLS = ("bash", "dash", "ash", "ksh", "mksh", "zsh", "sh")


class NewAccount(NamedTuple):
    """A planned account.

    Attributes:
        account: the account.
        needs_group: whether its primary group must be made, too.
    """

    account: Account
    needs_group: bool


class Wish(NamedTuple):
    """What is asked for of a new account, besides its name and shell.

    Attributes:
        home: an absolute path; "" for the usual one.
        group: the primary group, which exists; "" for one of the account's own name.
        uid: the user id; used only if it is free. None: any.
        is_system: whether it is a system account.
    """

    home: str = ""
    group: str = ""
    uid: Optional[int] = None
    is_system: bool = False


NO_WISH = Wish()


def nobody_has(number: int) -> bool:
    """For a caller who knows no ids besides those of the account files."""
    return False


def plan_account(
    name: str,
    shell: str,
    homes: str,
    passwd: str,
    group: str,
    login_defs: Dict[str, str],
    has_user: Callable[[int], bool] = nobody_has,
    has_group: Callable[[int], bool] = nobody_has,
    wish: Wish = NO_WISH,
) -> NewAccount:
    """Choose the ids and the home of a new account.

    Args:
        name: its name. The account must not exist. An existing group of that name becomes its
            primary group.
        shell: its shell.
        homes: the folder in which homes are made, such as ``/home``.
        passwd: the text of passwd.
        group: the text of group.
        login_defs: as :func:`lightinit.formats.accounts.login_defs.read_login_defs` gives it.
        has_user, has_group: take an id, and return whether somebody has it who is not in these
            texts, such as an account of LDAP or userdb.
        wish: what else is asked for.

    Raises:
        ProvisioningError: no id is free.
    """
    used, used_gids = used_ids(passwd), used_ids(group)
    uid = wish.uid
    if uid is None or uid in used or has_user(uid):
        uid = choose_id(used, *_range("UID", login_defs, wish), taken=has_user)
    gid = find_group(group, wish.group or name)
    needs_group = gid is None
    if gid is None and wish.uid == uid and uid not in used_gids and not has_group(uid):
        gid = uid
    elif gid is None:
        gid = choose_id(used_gids, *_range("GID", login_defs, wish), uid, has_group)
    home = wish.home or "%s/%s" % (homes.rstrip("/"), name)
    return NewAccount(Account(name, uid, gid, home, shell), needs_group)


def _range(kind: str, login_defs: Dict[str, str], wish: Wish) -> Tuple[int, int]:
    """The lowest and the highest id for new accounts or groups."""
    low, high, prefix = {"UID": UID_MIN, "GID": GID_MIN}[kind], ID_MAX, ""
    if wish.is_system:
        low, high, prefix = SYS_ID_MIN, SYS_ID_MAX, "SYS_"
    return (
        read_number(login_defs, "%s%s_MIN" % (prefix, kind), low),
        read_number(login_defs, "%s%s_MAX" % (prefix, kind), high),
    )


def choose_id(
    used: Collection[int],
    low: int,
    high: int,
    wished: Optional[int] = None,
    taken: Callable[[int], bool] = nobody_has,
) -> int:
    """A free id: ``wished`` if it is free; else the first after the highest used id from ``low`` to
    ``high``; else any free id in that range. ``taken`` says of other ids whether they are not free.

    Raises:
        ProvisioningError: no id is free.
    """
    if wished is not None and low <= wished <= high and wished not in used and not taken(wished):
        return wished
    highest = max((number for number in used if low <= number <= high), default=low - 1)
    for number in chain(range(highest + 1, high + 1), range(low, highest + 1)):
        if number not in used and not taken(number):
            return number
    raise ProvisioningError(
        "no free user or group id",
        low=low,
        high=high,
        hint="raise UID_MAX and GID_MAX in /etc/login.defs",
    )


def choose_shell(
    wished: str, of_useradd: str, is_usable: Callable[[str], bool], listed: Sequence[str]
) -> str:
    """The first usable shell, in this order: the shell in the settings, useradd's, bash, sh, those
    in /etc/shells.

    Args:
        wished: the shell in the settings; "" for none.
        of_useradd: SHELL in default/useradd; "" for none. ``/bin/sh`` is ignored: it is useradd's
            default, so nobody has chosen it.
        is_usable: takes a path; returns whether it exists and the SSH server accepts it as a login
            shell.
        listed: the shells in /etc/shells.

    Returns:
        The shell; ``/bin/sh`` if none is usable.
    """
    if wished and is_usable(wished):
        return wished
    if of_useradd == SH:
        of_useradd = ""
    plain = [shell for shell in listed if shell.rsplit("/", 1)[-1] in PLAIN_SHELLS]
    for shell in [of_useradd, "/bin/bash", SH] + plain:
        if shell and is_usable(shell) and Account("", 0, 0, "", shell).can_log_in:
            return shell
    return SH
