"""sshd_config: where the keys of a user are."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

import pytest

from lightinit.formats.ssh.sshd_config import (
    DEFAULT,
    Who,
    expand_tokens,
    read_keys_files,
)


def read(
    text: str, files: Optional[Dict[str, List[str]]] = None, groups: Sequence[str] = ()
) -> Tuple[str, ...]:
    return read_keys_files(
        text, Who("bob", tuple(groups)), lambda pattern: (files or {}).get(pattern, [])
    ).paths


@pytest.mark.parametrize(
    "text, paths",
    [
        ("", DEFAULT),
        ("#AuthorizedKeysFile x\n", DEFAULT),
        ("AuthorizedKeysFile .ssh/k\n", (".ssh/k",)),
        ("  authorizedkeysfile\t=\t.ssh/k .ssh/l # c\r\n", (".ssh/k", ".ssh/l")),
        ('AuthorizedKeysFile "/a b/%u" /c\n', ("/a b/%u", "/c")),
        ("AuthorizedKeysFile a\nAuthorizedKeysFile b\n", ("a",)),
        ("AuthorizedKeysFile none\n", ("none",)),
        (
            (
                "AuthorizedKeysFile a\nMatch User bob\nAuthorizedKeysFile b\nMatch"
                " all\nAuthorizedKeysFile c\n"
            ),
            ("b",),
        ),
        ("AuthorizedKeysFile a\nMatch User eve\nAuthorizedKeysFile b\n", ("a",)),
        ("AuthorizedKeysFile a\nMatch User eve,b*\nAuthorizedKeysFile b\n", ("b",)),
        ("AuthorizedKeysFile a\nMatch User *,!bob\nAuthorizedKeysFile b\n", ("a",)),
        ("Match Group wheel\nAuthorizedKeysFile b\n", ("b",)),
        ("Match Group adm User bob\nAuthorizedKeysFile b\n", DEFAULT),
        ("Match User bob Address 10.0.0.0/8\nAuthorizedKeysFile b\n", DEFAULT),
        ("Match User [b]ob\nAuthorizedKeysFile b\n", DEFAULT),
        ("Match all\nAuthorizedKeysFile c\n", ("c",)),
    ],
)
def test_the_keys_file(text: str, paths: Tuple[str, ...]) -> None:
    assert read(text, groups=["wheel"]) == paths


def test_included_files() -> None:
    files = {
        "d/*.conf": ["Match User bob\n", "AuthorizedKeysFile one\n"],
        "two": ["AuthorizedKeysFile two\n"],
        "three": [
            "Match User eve\nAuthorizedKeysFile no\nMatch User bob\nAuthorizedKeysFile three\n"
        ],
    }
    assert read("Include d/*.conf\nAuthorizedKeysFile a\n", files) == ("one",), (
        "a Match ends with its file"
    )
    assert read("Match User eve\nInclude two\n", files) == DEFAULT
    assert read("Match User bob\nInclude missing two\n", files) == ("two",)
    assert read("Match User eve\nInclude three\n", files) == DEFAULT
    assert read("Include three\n", files) == ("three",)


def test_a_file_that_includes_itself_ends() -> None:
    assert read("Include x\nAuthorizedKeysFile a\n", {"x": ["Include x\n"]}) == ("a",)


@pytest.mark.parametrize(
    "block, said",
    [
        ("Match Address 10.0.0.0/8", True),
        ("Match User bob Host x", True),
        ("Match User eve Host x", False),
        ("Match Exec true", True),
        ("Match User eve", False),
    ],
)
def test_what_cannot_be_known_is_said(block: str, said: bool) -> None:
    reading = read_keys_files(block + "\nAuthorizedKeysFile x\n", Who("bob"), lambda pattern: [])
    assert reading.paths == DEFAULT
    assert bool(reading.unclear) is said


@pytest.mark.parametrize(
    "path, expanded",
    [
        (".ssh/authorized_keys", "/home/bob/.ssh/authorized_keys"),
        ("%h/k", "/home/bob/k"),
        ("/etc/%u-%U-%%u", "/etc/bob-7-%u"),
        ("%x", "/home/bob/%x"),
        ("%%h", "/home/bob/%h"),
    ],
)
def test_tokens(path: str, expanded: str) -> None:
    assert expand_tokens(path, "bob", 7, "/home/bob") == expanded
