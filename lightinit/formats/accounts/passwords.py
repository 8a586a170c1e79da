"""Passwords that the platform gives: which are none at all, which a host's tools can take, and what
they become.

Pure: nothing is set here. A password is a secret: no reason, no detail and no text that comes from
    here has it.
"""

from __future__ import annotations

import re
from typing import Optional

from lightinit.errors import ProvisioningError
from lightinit.model import User

_STRUCK_OUT = re.compile(r"REDACTED|\*+")
# libxcrypt and PAM take one byte less than 512; longer ones are refused or, worse, cut.
MAX_BYTES = 511
# A hash by which every character counts; the DES forms have no dollar, and know the first eight
# only.
_STRONG_HASH = re.compile(r"\$[^$]+\$.+")


def is_struck_out(text: str) -> bool:
    """Whether ``text`` is what agents put in the place of a secret in the copy of ovf-env.xml that
    they keep.

    Ours and cloud-init's have the word, WALinuxAgent's an asterisk. Neither can be a password,
    since Azure demands six characters of several kinds; taken for one it would open the account to
    all.
    """
    return _STRUCK_OUT.fullmatch(text) is not None


def given_password(admin: User) -> str:
    """The password that the platform gives for ``admin``, "" for none: what stands for one struck
    out is none.
    """
    return "" if is_struck_out(admin.password) else admin.password


def login_wished(admin: User) -> Optional[bool]:
    """Whether the platform wants a login with a password; None when it does not say.

    A password without a word about the login is there to be used.
    """
    if admin.password_login is None and given_password(admin):
        return True
    return admin.password_login


def check_password(password: str, user: str) -> str:
    """Check that a host's tools take ``password`` as it stands.

    Everything printable is allowed, in any script, with colons, quotes and spaces at the ends.

    Returns:
        The password.

    Raises:
        ProvisioningError: they would not; ``why`` says what is wrong, without showing it.
    """
    why = ""
    try:
        size = len(password.encode("utf-8"))
    except UnicodeEncodeError:
        size, why = 0, "it is no valid text"
    if size > MAX_BYTES:
        why = "it is longer than %d bytes" % MAX_BYTES
    elif "\n" in password or "\r" in password:
        why = "it has a line end"
    elif any(letter < " " or "\x7f" <= letter < "\xa0" for letter in password):
        why = "it has a control character"
    if why:
        raise ProvisioningError(
            "password is not allowed",
            user=user,
            why=why,
            hint="make the VM anew with another password, or with an ssh key",
        )
    return password


def is_strong_hash(field: Optional[str]) -> bool:
    """Whether a field of shadow holds a hash by which all of the password counts."""
    return field is not None and _STRONG_HASH.fullmatch(field) is not None
