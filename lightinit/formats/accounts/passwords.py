"""Checks the password that the platform gives: is it a password, and can the host's tools set it?

Pure: it sets nothing. A password is a secret, so no error contains it.
"""

from __future__ import annotations

import re
from typing import Optional

from lightinit.errors import ProvisioningError
from lightinit.model import User

# libxcrypt and PAM accept up to 511 bytes. They refuse longer passwords or, worse, cut them.
MAX_BYTES = 511


def is_struck_out(text: str) -> bool:
    """Whether ``text`` is a placeholder: agents write one instead of a secret into their copy of
    ovf-env.xml.

    lightinit and cloud-init write the word, WALinuxAgent an asterisk. Neither can be a password:
    Azure requires six characters of several kinds. If one were set, anybody could log in with it.
    """
    return text == "REDACTED" or (text != "" and not text.strip("*"))


def given_password(admin: User) -> str:
    """The password that the platform gives for ``admin``; "" for none, or for a placeholder."""
    if is_struck_out(admin.password):
        return ""
    return admin.password


def login_wished(admin: User) -> Optional[bool]:
    """Whether the platform wants login with a password; None if it does not say.

    If it gives a password and says nothing about login, password login is wanted.
    """
    if admin.password_login is None and given_password(admin):
        return True
    return admin.password_login


def check_password(password: str, user: str) -> str:
    """Check that the host's tools can set ``password`` unchanged.

    All printable characters are allowed: any script, colons, quotes, and spaces at both ends.

    Returns:
        The password.

    Raises:
        ProvisioningError: they cannot; ``why`` says why, without the password.
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
        return "it is not valid text"
    if size > MAX_BYTES:
        return "it is longer than %d bytes" % MAX_BYTES
    if "\n" in password or "\r" in password:
        return "it has a line end"
    if any(letter < " " or "\x7f" <= letter < "\xa0" for letter in password):
        return "it has a control character"
    return ""


def is_strong_hash(field: Optional[str]) -> bool:
    """Whether a field of shadow holds a hash of the whole password."""
    # The DES forms have no dollar sign and use only eight characters.
    return field is not None and re.fullmatch(r"\$[^$]+\$.+", field) is not None
