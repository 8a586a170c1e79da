"""What keeps a user out although the key or the password is right: sshd's lists of users and
groups, and shadow.

Pure. Semantics: sshd_config(5), shadow(5); what sshd does about shadow with PAM (pam_unix) and
without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

from lightinit.formats.accounts.passwd import find_field, is_password_hash
from lightinit.formats.ssh.sshd_config import Who, matches_pattern

SHOWN_CHARS = 120
_LISTS = ("DenyUsers", "AllowUsers", "DenyGroups", "AllowGroups")  # in sshd's order


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        shut: what keeps the user out for certain, "" for nothing.
        doubt: what may keep the user out, or be in the way.
    """

    shut: str = ""
    doubt: str = ""


def judge_lists(output: str, who: Who) -> Verdict:
    """Whether sshd's lists let a user in.

    Args:
        output: what ``sshd -T`` says for the user, a line for each entry; "" where it says nothing.
        who: the user, with all groups.
    """
    lists: Dict[str, List[str]] = {}
    for line in output.split("\n"):
        keyword, _, entry = line.strip().partition(" ")
        lists.setdefault(keyword.lower(), []).append(entry)
    doubt = ""
    for name in _LISTS:
        entries = lists.get(name.lower())
        if not entries:
            continue
        shown = "%s in sshd's configuration: %s" % (name, " ".join(entries)[:SHOWN_CHARS])
        named = (
            _names_user(entries, who.user)
            if name.endswith("Users")
            else _names_group(entries, who.groups)
        )
        if named is None:
            doubt = doubt or shown
        elif named == name.startswith("Deny"):
            return Verdict(shut=shown)
    return Verdict(doubt=doubt and "it hangs on where the login comes from: " + doubt)


def _names_user(entries: Sequence[str], user: str) -> Optional[bool]:
    """Whether a list names the user; None where it does for logins from some hosts. A ``!`` there
    is a letter to sshd.
    """
    found: Optional[bool] = False
    for entry in entries:
        name, at, host = entry.rpartition("@")
        if not matches_pattern(user, name if at else entry):
            continue
        if not at or host == "*":
            return True
        found = None
    return found


def _names_group(entries: Sequence[str], groups: Sequence[str]) -> bool:
    return any(matches_pattern(group, entry) for entry in entries for group in groups)


def judge_shadow(
    shadow: str, name: str, today: int, pam: Optional[bool], password_is_new: bool = False
) -> Verdict:
    """Whether shadow lets a user in.

    Args:
        shadow: the file's text.
        name: the account's.
        today: in days since 1970.
        pam: whether sshd asks PAM; None: not known.
        password_is_new: the account will get another password, so what is said of the present one
            does not count.
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
    changed, days, grace = (_number(shadow, name, at) for at in (2, 4, 6))
    if changed is None or (changed and (days is None or today - changed <= days)):
        return Verdict()
    aged = "the account's password has aged out"
    if pam and not is_password_hash(field):
        return Verdict(shut=aged + ", PAM demands a new one, and there is no old one to give")
    if (
        pam
        and changed
        and days is not None
        and grace is not None
        and today - changed > days + grace
    ):
        return Verdict(shut=aged + ", and PAM takes no new one any more")
    return Verdict(doubt=aged + ": the first login demands a new one")


def _number(shadow: str, name: str, field: int) -> Optional[int]:
    text = find_field(shadow, name, field) or ""
    return int(text) if text.isascii() and text.isdigit() else None
