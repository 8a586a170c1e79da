"""``ssh_pwauth``, ``chpasswd`` and ``password``."""

from __future__ import annotations

from typing import Any, List

import pytest

from lightinit.formats.cloud_config.readers.passwords import (
    GivenPassword,
    GivenPasswords,
    is_hash,
    read_passwords,
)

HASH = "$6$salt$" + "x" * 86


def passwords(**values: Any) -> GivenPasswords:
    found, mistakes = read_passwords(values)
    assert not mistakes, mistakes
    return found


@pytest.mark.parametrize(
    "value, expected", [(True, True), (False, False), ("unchanged", None), (None, None)]
)
def test_pwauth(value: Any, expected: Any) -> None:
    assert passwords(ssh_pwauth=value).ssh_pwauth is expected


def test_users() -> None:
    users = [
        {"name": "a", "password": "pw", "type": "text"},
        {"name": "b", "password": HASH},
        {"name": "c", "type": "RANDOM"},
        {"name": "d", "password": 1234, "type": "text"},
    ]
    found = passwords(chpasswd={"expire": False, "users": users}, password="x")
    assert found.passwords == (
        GivenPassword("a", "text", "pw"),
        GivenPassword("b", "hash", HASH),
        GivenPassword("c", "RANDOM"),
        GivenPassword("d", "text", "1234"),
    )
    assert not found.expire and found.default_password == "x"
    assert "pw" not in repr(found.passwords) and "'x'" not in repr(found)


@pytest.mark.parametrize(
    "lines",
    [
        ["a:pw:with:colons", "b:%s" % HASH, "c:R", "d:RANDOM"],
        "a:pw:with:colons\nb:%s\n\nc:R\nd:RANDOM\n" % HASH,
    ],
)
def test_the_old_list(lines: Any) -> None:
    found, mistakes = read_passwords({"chpasswd": {"list": lines}})
    assert found.expire and all(each.has_effect for each in mistakes) and mistakes
    assert [(each.name, each.kind) for each in found.passwords] == [
        ("a", "text"),
        ("b", "hash"),
        ("c", "RANDOM"),
        ("d", "RANDOM"),
    ]
    assert found.passwords[0].password == "pw:with:colons"


@pytest.mark.parametrize(
    "text, answer",
    [
        (HASH, True),
        ("$y$j9T$salt$hash", True),
        ("$1$salt$hash", True),
        ("$2b$10$saltandhash", True),
        ("secret", False),
        ("$ecret$", False),
        ("$6$salt$hash:0:0:", False),
        ("$6$salt$ha sh-and-more", False),
        ("$6$salt$\ud800-and-more", False),
        ("", False),
    ],
)
def test_what_a_hash_is(text: str, answer: bool) -> None:
    assert is_hash(text) is answer


@pytest.mark.parametrize(
    "chpasswd, says",
    [
        ({"users": [{"name": "a", "password": "pw"}]}, "users[0].password: it does not look like"),
        ({"users": [{"name": "a"}]}, "password: it is missing"),
        ({"users": [{"name": "a", "type": "plain"}]}, "type: it is neither text, hash nor RANDOM"),
        ({"users": [{"password": "x"}]}, "name: no account can have this name"),
        ({"users": ["a:b"]}, "users[0]: it is text, and must be a mapping"),
        ({"list": ["a"]}, "list: a line is not NAME:PASSWORD"),
        ({"expires": False}, "expires: the key is unknown here; did you mean `expire`?"),
        ("a:b", "chpasswd: it is text, and must be a mapping"),
    ],
)
def test_mistakes(chpasswd: Any, says: str) -> None:
    found, mistakes = read_passwords({"chpasswd": chpasswd})
    told: List[str] = [str(each) for each in mistakes]
    assert any(says in each for each in told), told
    assert found.passwords == ()
