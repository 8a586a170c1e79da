"""login.defs and default/useradd."""

from __future__ import annotations

import pytest

from lightinit.formats.accounts import login_defs


@pytest.mark.parametrize(
    "text, mode",
    [
        ("", 0o700),
        ("UMASK 022\n", 0o755),
        ("UMASK 022\nHOME_MODE 0750 # x\n", 0o750),
        ("#UMASK 022\n", 0o700),
        ("UMASK rubbish\n", 0o700),
        ("HOME_MODE 4755", 0o755),
    ],
)
def test_the_mode_of_a_home(text: str, mode: int) -> None:
    assert login_defs.home_mode(login_defs.read_login_defs(text)) == mode


@pytest.mark.parametrize(
    "text, uid_min", [("", 1000), ("UID_MIN\t500\n", 500), ("#UID_MIN 500\n", 1000)]
)
def test_the_lowest_id_of_a_person(text: str, uid_min: int) -> None:
    assert login_defs.read_uid_min(text) == uid_min


def test_default_useradd() -> None:
    text = '# x\nSHELL=/bin/zsh\n#HOME=/h\nSKEL="/s"\nGROUP=100\n'
    assert login_defs.read_useradd_defaults(text) == {
        "HOME": "/home",
        "SHELL": "/bin/zsh",
        "SKEL": "/s",
    }


def test_what_is_no_path_does_not_count() -> None:
    found = login_defs.read_useradd_defaults("HOME=/a\nHOME=b\nSKEL=\nSHELL=sh\n")
    assert found == {"HOME": "/home", "SKEL": "/etc/skel", "SHELL": ""}
