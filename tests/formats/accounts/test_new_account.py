"""The ids, the home and the shell of a new account."""

from __future__ import annotations

from typing import List, Optional

import pytest

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import new_account
from lightinit.formats.accounts.passwd import Account


@pytest.mark.parametrize(
    "used, wished, chosen",
    [
        ([], None, 1000),
        ([0, 1000, 1001, 65534], None, 1002),
        ([1000], 1000, 1001),
        ([1000], 1005, 1005),
        ([1000, 1010], None, 1001),
        ([999, 5], None, 1000),
    ],
)
def test_ids(used: List[int], wished: Optional[int], chosen: int) -> None:
    assert new_account.choose_id(used, 1000, 1010, wished) == chosen


@pytest.mark.parametrize(
    "used, wished, chosen",
    [([], None, 1001), ([1004], None, 1006), ([1010], None, 1001), ([], 1005, 1001)],
)
def test_ids_that_only_others_know(used: List[int], wished: Optional[int], chosen: int) -> None:
    """Accounts of userdb or LDAP."""
    taken = [1000, 1005]
    assert new_account.choose_id(used, 1000, 1010, wished, taken.__contains__) == chosen


def test_no_id_left() -> None:
    with pytest.raises(ProvisioningError, match="no free user or group id"):
        new_account.choose_id(range(10), 0, 9)


def test_the_ids_of_a_great_range_are_not_listed() -> None:
    """Each id of a list takes memory; UID_MAX may be 4294967294."""
    assert new_account.choose_id([1000], 1000, 10**12) == 1001


PASSWD = "root:x:0:0::/root:/bin/sh\neve:x:1004:1004::/home/eve:/bin/sh\n"


def test_a_group_of_the_name_becomes_the_primary_one() -> None:
    new = new_account.plan_account("bob", "/bin/sh", "/home/", PASSWD, "bob:x:7:\n", {})
    assert new.account == Account("bob", 1005, 7, "/home/bob", "/bin/sh")
    assert not new.needs_group


def test_without_one_the_group_gets_the_id_of_the_user_if_it_is_free() -> None:
    defs = {"UID_MIN": "2000", "GID_MIN": "2000"}
    new = new_account.plan_account("bob", "/bin/sh", "/srv", PASSWD, "eve:x:1004:\n", defs)
    assert new.account == Account("bob", 2000, 2000, "/srv/bob", "/bin/sh") and new.needs_group
    taken = new_account.plan_account("bob", "/bin/sh", "/srv", PASSWD, "eve:x:2000:\n", defs)
    assert (taken.account.uid, taken.account.gid) == (2000, 2001)


@pytest.mark.parametrize(
    "wished, of_useradd, usable, chosen",
    [
        ("/bin/fish", "/bin/zsh", ["/bin/fish", "/bin/zsh"], "/bin/fish"),
        ("", "", ["/bin/ash", "/bin/rbash"], "/bin/ash"),
        ("", "", ["/bin/rbash"], "/bin/sh"),
        ("/bin/fish", "/bin/zsh", ["/bin/zsh", "/bin/bash"], "/bin/zsh"),
        ("", "/bin/sh", ["/bin/sh", "/bin/bash"], "/bin/bash"),
        ("", "/bin/sh", ["/bin/sh"], "/bin/sh"),
        ("", "/usr/sbin/nologin", ["/usr/sbin/nologin", "/bin/bash"], "/bin/bash"),
        ("", "", [], "/bin/sh"),
    ],
)
def test_the_shell(wished: str, of_useradd: str, usable: List[str], chosen: str) -> None:
    listed = ["/bin/sh", "/usr/sbin/nologin", "/bin/rbash", "/bin/ash"]
    usable = usable + ["/usr/sbin/nologin"]
    assert new_account.choose_shell(wished, of_useradd, usable.__contains__, listed) == chosen
