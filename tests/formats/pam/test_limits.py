"""How many logins limits.conf allows (a sibling of R7: systemd/systemd#8232)."""

from __future__ import annotations

from typing import List, Optional

import pytest

from lightinit.formats.pam.limits import find_login_limit


@pytest.mark.parametrize(
    "texts, limit",
    [
        ([], None),
        (["* hard nofile 0\n"], None),
        (["* hard maxlogins 0\n"], 0),
        (["# * hard maxlogins 0\n* hard maxlogins 3 # 0\n"], 3),
        (["@adm - maxsyslogins 0\n"], 0),
        (["@ops - maxlogins 0\n"], None),
        (["%adm - maxlogins 0\n"], 0),
        (["eve hard maxlogins 0\n"], None),
        (["* hard maxlogins 0\n", "bob hard maxlogins 2\n"], 2),
        (["bob hard maxlogins 2\n", "* hard maxlogins 0\n"], 2),
        (["@adm hard maxlogins 0\n* hard maxlogins 5\n"], 0),
        (["* hard maxlogins 5\n* hard maxlogins 0\n"], 0),
        (["* hard maxlogins 0\nbob -\n"], None),
        (["* hard maxlogins -1\n"], None),
    ],
)
def test_the_line_that_counts(texts: List[str], limit: Optional[int]) -> None:
    assert find_login_limit(texts, "bob", ("bob", "adm"))[0] == limit
