"""The password that the platform gives: whether it is one, and whether the host's tools can set it.

Pure: nothing is set here. A password is a secret: no error from here shows it.
"""

from __future__ import annotations

import re
from typing import Optional

from lightinit.errors import ProvisioningError
from lightinit.model import User

_STRUCK_OUT = re.compile(r"REDACTED|\*+")
# libxcrypt and PAM accept up to 511 bytes. Longer ones are refused or, worse, cut.
MAX_BYTES = 511
# A hash of all characters. The DES forms have no dollar, and only the first eight characters count.
_STRONG_HASH = re.compile(r"\$[^$]+\$.+")


def is_struck_out(text: str) -> bool:
    """Whether ``text`` is what agents write in place of a secret in their copy of ovf-env.xml.

    lightinit and cloud-init write the word, WALinuxAgent an asterisk. Neither can be a password:
    Azure demands six characters of several kinds. If one were set, anybody could log in with it.
    """
    return _STRUCK_OUT.fullmatch(text) is not None


def given_password(admin: User) -> str:
    """The password that the platform gives for ``admin``; "" for none, or for one struck out."""
    if is_struck_out(admin.password):
        return ""
    return admin.password


def login_wished(admin: User) -> Optional[bool]:
    """Whether the platform wants login with a password; None if it does not say.

    If it gives a password without saying so, that password is to be used.
    """
    if admin.password_login is None and given_password(admin):
        return True
    return admin.password_login


def check_password(password: str, user: str) -> str:
    """Check that the host's tools can set ``password`` unchanged.

    Everything printable is allowed: any script, colons, quotes, and spaces at both ends.

    Returns:
        The password.

    Raises:
        ProvisioningError: they cannot; ``why`` says what is wrong, without showing it.
    """
    why = _why_not_allowed(password)
    if why:
        raise ProvisioningError(
            "password is not allowed",
            user=user,
            why=why,
            hint="create the VM again with another password, or with an ssh key",
        )
    return password


def _why_not_allowed(password: str) -> str:
    try:
        size = len(password.encode("utf-8"))
    except UnicodeEncodeError:
        return "it is no valid text"
    if size > MAX_BYTES:
        return "it is longer than %d bytes" % MAX_BYTES
    if "\n" in password or "\r" in password:
        return "it has a line end"
    if any(letter < " " or "\x7f" <= letter < "\xa0" for letter in password):
        return "it has a control character"
    return ""


def is_strong_hash(field: Optional[str]) -> bool:
    """Whether a field of shadow holds a hash of the whole password."""
    return field is not None and _STRONG_HASH.fullmatch(field) is not None
