"""Decides whether sshd's lists or shadow refuse a user whose key or password is right.

Pure. Semantics: sshd_config(5), shadow(5), and pam_unix(8) if sshd uses PAM.
"""

from __future__ import annotations

from typing import Optional, Sequence

from lightinit.digits import read_digits
from lightinit.formats.accounts.passwd import find_field, is_password_hash
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.sshd_config import Who, matches_pattern
from lightinit.model import NamedTuple

SHOWN_CHARS = 120
_LISTS = ("DenyUsers", "AllowUsers", "DenyGroups", "AllowGroups")  # in sshd's order


class Verdict(NamedTuple):
    """The answer of a check.

    Attributes:
        shut: why the user certainly cannot log in; "" if no reason is certain.
        doubt: why the user may not be able to log in; "" if there is no doubt.
    """

    shut: str = ""
    doubt: str = ""


def judge_lists(effective: Effective, who: Who) -> Verdict:
    """Whether AllowUsers, DenyUsers, AllowGroups and DenyGroups let a user log in.

    Args:
        effective: the configuration that is in force for the user.
        who: the user, with all groups.
    """
    doubt = ""
    for name in _LISTS:
        entries = effective.values(name)
        if not entries:
            continue
        shown = "%s in sshd's configuration: %s" % (name, " ".join(entries)[:SHOWN_CHARS])
        is_named = _is_named(name, entries, who)
        if is_named is None:
            doubt = doubt or "it depends on where the login comes from: " + shown
        elif is_named == name.startswith("Deny"):
            return Verdict(shut=shown)
    return Verdict(doubt=doubt)


def _is_named(name: str, entries: Sequence[str], who: Who) -> Optional[bool]:
    if name.endswith("Users"):
        return _names_user(entries, who.user)
    return _names_group(entries, who.groups)


def _names_user(entries: Sequence[str], user: str) -> Optional[bool]:
    """Whether a list names the user; None if it does so only for logins from some hosts.

    In these lists sshd treats ``!`` as an ordinary character.
    """
    found: Optional[bool] = False
    for entry in entries:
        name, at, host = entry.rpartition("@")
        if not at:
            name, host = entry, "*"
        if not matches_pattern(user, name):
            continue
        if host == "*":
            return True
        found = None
    return found


def _names_group(entries: Sequence[str], groups: Sequence[str]) -> bool:
    return any(matches_pattern(group, entry) for entry in entries for group in groups)


def judge_shadow(
    shadow: str, name: str, today: int, pam: Optional[bool], password_is_new: bool = False
) -> Verdict:
    """Whether shadow lets a user log in.

    Args:
        shadow: the text of the file.
        name: the account's name.
        today: the date, in days since 1970.
        pam: whether sshd asks PAM; None if that is unknown.
        password_is_new: whether the account will get another password. Then the current one is
            ignored.
    """
    expires = _number(shadow, name, 7)
    if expires is not None and today >= expires:
        return Verdict(shut="the account has expired")
    field = find_field(shadow, name, 1)
    if field is None or password_is_new:
        return Verdict()
    if field.startswith("!") and pam is False:
        return Verdict(
            shut="the account's password is locked (!), and sshd without PAM lets nobody in then"
        )
    return _judge_age(shadow, name, today, pam, is_password_hash(field))


def _judge_age(
    shadow: str, name: str, today: int, pam: Optional[bool], has_password: bool
) -> Verdict:
    changed, days, grace = (_number(shadow, name, at) for at in (2, 4, 6))
    if changed is None or (changed and (days is None or today - changed <= days)):
        return Verdict()
    aged = "the account's password has expired"
    if pam and not has_password:
        return Verdict(shut=aged + ", PAM demands a new one, and there is no old one to give")
    last_day = _last_day(changed, days, grace)
    if pam and last_day is not None and today > last_day:
        return Verdict(shut=aged + ", and PAM accepts no new one any more")
    return Verdict(doubt=aged + ": the first login demands a new one")


def _last_day(changed: int, days: Optional[int], grace: Optional[int]) -> Optional[int]:
    """The last day on which an expired password can be changed; None if there is no limit."""
    if not changed or days is None or grace is None:
        return None
    return changed + days + grace


def _number(shadow: str, name: str, field: int) -> Optional[int]:
    return read_digits(find_field(shadow, name, field) or "")
