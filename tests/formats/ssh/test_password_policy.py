"""Password login in sshd's configuration: what it says, and what is put into it."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

import pytest

from lightinit.formats.ssh import password_policy as policy
from lightinit.formats.ssh.effective import Effective

FOLDER = "/etc/ssh/sshd_config.d/"
OURS = FOLDER + "00-lightinit.conf"
INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf\n"
OFF, ON = policy.policy_text(False), policy.policy_text(True)


class Files:
    """What Include lines find: a pattern's folder is all that is looked at."""

    def __init__(self, **texts: str) -> None:
        self.texts: Dict[str, str] = texts

    def __call__(self, pattern: str) -> Sequence[Tuple[str, str]]:
        folder = pattern.rsplit("/", 1)[0]
        folder = folder if folder.startswith("/") else "/etc/ssh/" + folder
        return [("%s/%s" % (folder, name), text) for name, text in sorted(self.texts.items())]


@pytest.mark.parametrize(
    "text, counts",
    [
        (INCLUDE, True),
        ("# a comment\nPort 22\n" + INCLUDE + "PasswordAuthentication yes\n", True),
        ("include\tsshd_config.d/*.conf # relative\n", True),
        ('Include "/etc/ssh/sshd_config.d/*.conf"\n', True),
        ("Include /etc/ssh/other.d/*.conf /etc/ssh/sshd_config.d/*\n", True),
        ("Include=/etc/ssh/sshd_config.d/0?-*.conf\n", True),
        ("", False),
        ("Port 22\n", False),
        ("#" + INCLUDE, False),
        ("  # " + INCLUDE, False),
        ("PasswordAuthentication yes\n" + INCLUDE, False),
        ("kbdinteractiveauthentication no\n" + INCLUDE, False),
        ("ChallengeResponseAuthentication=no\n" + INCLUDE, False),
        ("Match User eve\n" + INCLUDE, False),
        ("Match all\n" + INCLUDE, False),
        ("Include /etc/ssh/sshd_config.d/50-*.conf\n", False),
        ("Include /etc/ssh/*.conf\n", False),
        ("Include /etc/*/sshd_config.d/*.conf\n", True),
    ],
)
def test_whether_a_drop_in_has_the_first_word(text: str, counts: bool) -> None:
    assert policy.drop_in_counts(text, OURS, Files()) is counts


@pytest.mark.parametrize(
    "files, counts",
    [
        ({"50-cloud-init.conf": "PasswordAuthentication yes\n"}, True),
        ({"00-lightinit.conf": "PasswordAuthentication yes\n"}, True),
        ({"00-a.conf": "PasswordAuthentication yes\n"}, False),
        ({"00-a.conf": "Match User eve\nPasswordAuthentication yes\n"}, True),
        ({"00-a.conf": "PermitRootLogin no\n"}, True),
    ],
)
def test_what_other_files_of_the_folder_do_to_it(files: Dict[str, str], counts: bool) -> None:
    assert policy.drop_in_counts(INCLUDE, OURS, Files(**files)) is counts


def test_another_folder_that_is_included_before() -> None:
    text = "Include /etc/ssh/a.d/*\n" + INCLUDE
    assert not policy.drop_in_counts(text, OURS, Files(**{"90-x": "PasswordAuthentication no\n"}))


def test_an_endless_include_ends() -> None:
    assert policy.drop_in_counts(INCLUDE, OURS, Files(**{"00-a.conf": INCLUDE})) is True


@pytest.mark.parametrize(
    "text", ["", "Port 22\n", "Match User eve\nPasswordAuthentication yes", "\r\n# \xff\r\n"]
)
def test_a_block_comes_first_and_goes_without_a_trace(text: str) -> None:
    put = policy.put_block(text, OFF)
    assert put.startswith("# BEGIN lightinit\n") and put.endswith("# END lightinit\n" + text)
    assert policy.put_block(put, OFF) == put and policy.drop_block(put) == text
    assert policy.put_block(put, ON) == policy.put_block(text, ON)


@pytest.mark.parametrize(
    "text",
    [
        "# BEGIN lightinit\nPort 22\n",
        "Port 22\n# END lightinit\n",
        "x # BEGIN lightinit\nPort 22\n# END lightinit\n",
    ],
)
def test_half_a_block_is_left_alone(text: str) -> None:
    assert policy.drop_block(text) == text


def test_the_lines() -> None:
    def lines(text: str) -> List[str]:
        return [line for line in text.splitlines() if not line.startswith("#")]

    assert lines(ON) == ["PasswordAuthentication yes"]
    assert lines(policy.policy_text(False, challenge=False)) == [
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
    ]
    assert lines(OFF)[2:] == ["ChallengeResponseAuthentication no"]


def test_matches_that_say_otherwise() -> None:
    text = (
        "PasswordAuthentication yes\nMatch User a\nPasswordAuthentication yes\nMatch User"
        " b\nKbdInteractiveAuthentication yes\nInclude x/*\nMatch User c\nPasswordAuthentication"
        " no\nMatch User a\nPasswordAuthentication yes\n"
    )
    files = Files(
        **{"one": "PasswordAuthentication yes\nMatch Group d\nPasswordAuthentication yes\n"}
    )
    assert policy.contrary_matches(text, False, files) == ["User a", "User b", "Group d"]
    assert policy.contrary_matches(text, True, files) == ["User c"]


@pytest.mark.parametrize(
    "said, wished, is_in_force",
    [
        ("passwordauthentication yes\nkbdinteractiveauthentication no\n", True, True),
        ("passwordauthentication no\nkbdinteractiveauthentication no\n", True, False),
        ("passwordauthentication no\nkbdinteractiveauthentication no\n", False, True),
        ("passwordauthentication no\nkbdinteractiveauthentication yes\n", False, False),
        ("passwordauthentication no\nchallengeresponseauthentication yes\n", False, False),
        ("passwordauthentication yes\nkbdinteractiveauthentication no\n", False, False),
        ("passwordauthentication yes\nauthenticationmethods any\n", True, True),
        ("passwordauthentication yes\nauthenticationmethods publickey\n", True, False),
        ("passwordauthentication yes\nauthenticationmethods publickey,password\n", True, False),
        ("passwordauthentication yes\nauthenticationmethods publickey password\n", True, True),
        (
            "passwordauthentication yes\nauthenticationmethods keyboard-interactive:pam\n",
            True,
            True,
        ),
    ],
)
def test_what_sshd_says_is_in_force(said: str, wished: bool, is_in_force: bool) -> None:
    assert policy.in_force(Effective("port 22\n" + said), wished) is is_in_force
