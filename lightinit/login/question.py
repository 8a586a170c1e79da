"""What a check of the login is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from lightinit.formats.accounts.passwd import Account
from lightinit.formats.ssh.public_keys import PublicKey
from lightinit.formats.ssh.sshd_config import Who
from lightinit.host.system import System
from lightinit.model import User


@dataclass(frozen=True)
class Question:
    """Can this admin log in from outside, with what the platform gave, and become root?

    Attributes:
        system: the machine, after the config stage.
        admin: what the platform said.
        account: the admin's account, as the host has it.
        who: the account's name and the names of its groups.
        keys: those of the platform's keys that can be used at all.
        password: whether the platform wants password login and the account has a password.
        password_is_new: whether a password is given that a scratch root leaves out.
        keys_are_ours: whether the module ssh_authorized_keys is to put the keys in place.
        privileges: the setting of the module users; none if the admin need not become root.
        has_password: whether the account has a password, also if no login by password is wished.
    """

    system: System
    admin: User
    account: Account
    who: Who
    keys: Tuple[PublicKey, ...] = ()
    password: bool = False
    password_is_new: bool = False
    keys_are_ours: bool = True
    privileges: str = "none"
    has_password: bool = False


@dataclass(frozen=True)
class Answer:
    """What a check found.

    Attributes:
        shut: what certainly keeps the admin out, from everywhere; "" for nothing.
        hint: what to do about it.
        doubts: what may keep the admin out, or surprise; each says what to look at.
        message: what was asked, in a few words; "" if there was nothing to ask.
    """

    shut: str = ""
    hint: str = ""
    doubts: Tuple[str, ...] = ()
    message: str = ""
