"""The question that a login check gets, and its answer."""

from __future__ import annotations

from typing import Tuple

from lightinit.formats.accounts.passwd import Account
from lightinit.formats.ssh.public_keys import PublicKey
from lightinit.formats.ssh.sshd_config import Who
from lightinit.host.system import System
from lightinit.model import NamedTuple, User


class Question(NamedTuple):
    """Can this admin log in from outside, with the key or password from the platform, and become
    root?

    Attributes:
        system: the machine, after the config stage.
        admin: the admin, from the platform.
        account: the admin's account on the host.
        who: the account's name and the names of its groups.
        keys: the usable keys from the platform.
        password: whether the platform wants password login and the account has a password.
        password_is_new: whether there is a password that is not set in a scratch root.
        keys_are_ours: whether the module ssh_authorized_keys puts the keys in place.
        privileges: the setting ``privileges`` of the module users; none if the admin need not
            become root.
        has_password: whether the account has a password, even if password login is not wanted.
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


class Answer(NamedTuple):
    """The answer of a check.

    Attributes:
        shut: why the admin certainly cannot log in from anywhere; "" if no reason is certain.
        hint: what to do about it.
        doubts: why the admin may not be able to log in, or what may surprise; each says what to
            look at.
        message: what was asked, in a few words; "" if there was nothing to ask.
    """

    shut: str = ""
    hint: str = ""
    doubts: Tuple[str, ...] = ()
    message: str = ""

    @property
    def was_asked(self) -> bool:
        """Whether there was anything to ask on this machine."""
        return bool(self.shut or self.doubts or self.message)
