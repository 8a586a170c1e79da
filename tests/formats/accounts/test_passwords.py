"""Which passwords can be set, and which stand for none."""

from __future__ import annotations

from typing import Optional

import pytest

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import passwords
from lightinit.model import User

PRINTABLE = "".join(map(chr, range(32, 127)))


@pytest.mark.parametrize(
    "password",
    [
        "x",
        PRINTABLE,
        " at both ends ",
        "a:b::",
        "$6$x$y",
        "'\"`$(id)\\",
        "\u00e4\u0416\u6f22\U0001f600\u00a0\u2028",
        "-e",
        "x" * 511,
        "\u00e4" * 255,
    ],
)
def test_everything_printable_is_allowed(password: str) -> None:
    assert passwords.check_password(password, "bob") == password


@pytest.mark.parametrize(
    "password, why",
    [
        ("secr3t\n", "it has a line end"),
        ("secr3t\rx", "it has a line end"),
        ("secr3t\0x", "it has a control character"),
        ("secr3t\tx", "it has a control character"),
        ("\x1b[2Jsecr3t", "it has a control character"),
        ("secr3t\x7f", "it has a control character"),
        ("secr3t\x85", "it has a control character"),
        ("secr3t\ud800", "it is not valid text"),
        ("secr3t" + "x" * 506, "it is longer than 511 bytes"),
        ("secr3t" + "\u00e4" * 253, "it is longer than 511 bytes"),
    ],
)
def test_what_no_tool_takes_is_refused_and_not_shown(password: str, why: str) -> None:
    with pytest.raises(ProvisioningError) as caught:
        passwords.check_password(password, "bob")
    assert (caught.value.reason, caught.value.details["why"]) == ("password is not allowed", why)
    assert "secr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "text, given",
    [
        ("", ""),
        ("REDACTED", ""),
        ("*", ""),
        ("*****", ""),
        ("REDACTED1", "REDACTED1"),
        ("redacted", "redacted"),
        ("*x*", "*x*"),
        (" ", " "),
    ],
)
def test_a_password_that_was_struck_out_is_none(text: str, given: str) -> None:
    assert passwords.given_password(User("bob", password=text)) == given


@pytest.mark.parametrize(
    "login, password, wished",
    [
        (True, "", True),
        (False, "secret", False),
        (None, "secret", True),
        (None, "", None),
        (None, "REDACTED", None),
    ],
)
def test_a_password_without_a_word_about_the_login_is_there_to_be_used(
    login: Optional[bool], password: str, wished: Optional[bool]
) -> None:
    assert passwords.login_wished(User("bob", password_login=login, password=password)) is wished


@pytest.mark.parametrize(
    "field, strong",
    [
        ("$6$x$y", True),
        ("$y$j9T$x$y", True),
        ("$2b$05$abc", True),
        ("bQGkHBXRyc7WE", False),
        ("_J9..rasmBYk8r9AiWNc", False),
        ("*", False),
        ("!", False),
        ("!$6$x$y", False),
        ("", False),
        (None, False),
    ],
)
def test_hashes_by_which_all_of_a_password_counts(field: Optional[str], strong: bool) -> None:
    assert passwords.is_strong_hash(field) is strong
