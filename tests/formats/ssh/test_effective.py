"""What ``sshd -T`` prints."""

from __future__ import annotations

import pytest

from lightinit.formats.ssh.effective import Effective


def test_each_line_of_a_keyword_is_kept() -> None:
    effective = Effective("port 22\nallowgroups domain users\nallowgroups adm\n")
    assert effective.values("AllowGroups") == ["domain users", "adm"]
    assert effective.values("denygroups") == []


def test_the_first_line_has_the_words() -> None:
    effective = Effective("authorizedkeysfile .ssh/a .ssh/b\nusepam yes\nusepam no\nbanner\n")
    assert effective.words("authorizedkeysfile") == [".ssh/a", ".ssh/b"]
    assert effective.words("usepam") == ["yes"]
    assert effective.words("banner", ["x"]) == []
    assert effective.words("port", ["22"]) == ["22"] and effective.words("port") == []


@pytest.mark.parametrize("output", ["", "\n", " \n\n"])
def test_no_answer(output: str) -> None:
    assert not Effective(output)
    assert "port" not in Effective(output) and "port" in Effective("Port 22")
