"""Whose account can be the admin's."""

from __future__ import annotations

import pytest

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import admin_account, passwd


@pytest.mark.parametrize("name", ["bob", "azureuser", "a", "Bob", "b.o-b_", "1bob", "_x", "a" * 32])
def test_names_that_may_be_used(name: str) -> None:
    assert admin_account.check_user_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "root",
        "0",
        "1000",
        "-bob",
        ".bob",
        "..",
        "a:b",
        "a b",
        "a\n",
        "\nroot",
        "a/b",
        "a\tb",
        "a$",
        "a*",
        "a,b",
        "a" * 33,
        "caf\u00e9",
        "%sudo",
        "#0",
        "a\0",
        "a\\b",
        '"a"',
        "a!",
        "\u0661",
        "\ud800",
    ],
)
def test_names_that_may_not(name: str) -> None:
    with pytest.raises(ProvisioningError) as caught:
        admin_account.check_user_name(name)
    assert caught.value.reason == "user name is not allowed"
    assert caught.value.details["why"] and caught.value.details["hint"]
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "uid, home, shell, reason",
    [
        (1000, "/home/bob", "/bin/sh", ""),
        (1000, "//home/./bob/", "/bin/sh", ""),
        (0, "/home/bob", "/bin/sh", "user name belongs to root"),
        (500, "/home/people/bob", "/bin/sh", ""),
        (500, "/home/people/bob", "/usr/sbin/nologin", "user name belongs to an account that"),
        (999, "/home/bob", "/bin/sh", "user name belongs to a system account"),
        (4, "/bin", "/bin/sync", "user name belongs to an account that cannot log in"),
        (1000, "/home/bob", "/bin/zsh", "shell of the account is missing"),
        (1000, "/home/bob", "sh", "shell of the account is missing"),
        (1000, "", "/bin/sh", "home of the account cannot be used"),
        (1000, "/", "/bin/sh", "home of the account cannot be used"),
        (1000, "//.", "/bin/sh", "home of the account cannot be used"),
        (1000, "home/bob", "/bin/sh", "home of the account cannot be used"),
        (1000, "/home/../etc", "/bin/sh", "home of the account cannot be used"),
    ],
)
def test_an_account_that_can_be_the_admins(uid: int, home: str, shell: str, reason: str) -> None:
    account = passwd.Account("bob", uid, uid, home, shell)

    def check() -> passwd.Account:
        return admin_account.check_admin_account(
            account,
            1000,
            lambda path: path in ("/bin/sh", "sh"),
            lambda path, uid: (path, uid) == ("/home/people/bob", 500),
        )

    if not reason:
        assert check() is account
        return
    with pytest.raises(ProvisioningError) as caught:
        check()
    assert caught.value.reason.startswith(reason)
    assert caught.value.details["hint"] and caught.value.details["user"] == "bob"
