"""The order of the tools that set a password, and what is said of them. Real tools are in
tests/real_tools.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.accounts import passwords
from lightinit.host.command import Completed
from lightinit.host.system import System

HASH = "$6$salt$hash"
FAILED = Completed(1, "", "chpasswd: no\n")


class Host(System):
    """A machine with the tools that it is told of; ``answers``: what each command line comes to."""

    def __init__(self, root: Any, *tools: str, busybox: bool = False, **answers: Any) -> None:
        super().__init__(root)
        self.tools, self.busybox = tools, busybox
        self.answers: Dict[str, Any] = {
            key.replace("_", " "): value for key, value in answers.items()
        }
        self.ran: List[Tuple[List[str], bytes]] = []
        self.field = "*"

    def tool(self, name: str) -> Optional[str]:
        return "/bin/" + name if name in self.tools else None

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        if list(argv[1:]) == ["--help"]:
            return Completed(0, "BusyBox v1" if self.busybox else "Usage", "")
        self.ran.append((list(argv), stdin))
        name = argv[0][len("/bin/") :]
        answer = self.answers.get(
            " ".join([name] + [each.strip("-") for each in argv[1:2]]), self.answers.get(name)
        )
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Completed):
            return answer
        if name in ("openssl", "mkpasswd"):
            return Completed(0, HASH + "\n", "")
        self.field = answer or HASH
        return Completed(0, "", "")

    def set(self, password: str = "secret: word") -> str:
        self.ran.clear()
        target = passwords.PasswordTarget("bob", lambda: self.field.startswith("$"), self.put)
        return passwords.set_password(self, target, password)

    def put(self, crypted: str) -> None:
        self.field = crypted

    def fails(self, reason: str, password: str = "secret: word") -> ProvisioningError:
        with pytest.raises(ProvisioningError) as caught:
            self.set(password)
        assert caught.value.reason == reason
        return caught.value

    @property
    def commands(self) -> List[str]:
        return [" ".join(argv) for argv, _ in self.ran]


ALL = ("chpasswd", "openssl", "mkpasswd", "passwd")


def test_chpasswd_is_the_first_and_gets_a_line(tmp_path: Any) -> None:
    host = Host(tmp_path, *ALL)
    assert host.set(" p:\u00e4 ") == "chpasswd"
    assert host.ran == [(["/bin/chpasswd"], b"bob: p:\xc3\xa4 \n")]


def test_the_whole_order(tmp_path: Any) -> None:
    host = Host(tmp_path, *ALL, chpasswd=FAILED, openssl=FAILED, mkpasswd=FAILED)
    assert host.set() == "passwd"
    assert host.commands == [
        "/bin/chpasswd",
        "/bin/chpasswd -c SHA512",
        "/bin/openssl passwd -6 -stdin",
        "/bin/mkpasswd -s -m sha-512",
        "/bin/passwd bob",
    ]
    assert host.ran[-1][1] == b"secret: word\nsecret: word\n"


def test_the_whole_order_on_busybox(tmp_path: Any) -> None:
    """The last is for a busybox without -c, or without SHA-2: then it writes a DES hash."""
    tools = ("chpasswd", "mkpasswd", "passwd")
    failing = {"mkpasswd": FAILED, "passwd": "bQGkHBXRyc7WE", "chpasswd_m": "$1$salt$hash"}
    for first in (FAILED, "bQGkHBXRyc7WE"):
        host = Host(tmp_path, *tools, busybox=True, chpasswd=first, **failing)
        assert host.set() == "busybox chpasswd -m"
        assert host.commands == [
            "/bin/chpasswd -c sha512",
            "/bin/mkpasswd -s -m sha512",
            "/bin/passwd -a sha512 bob",
            "/bin/chpasswd -m",
        ]
        assert host.ran[-1][1] == b"bob:secret: word\n"


@pytest.mark.parametrize("made", ["bQGkHBXRyc7WE", "*"])
def test_a_tool_that_set_a_weak_hash_or_none_does_not_count(tmp_path: Any, made: str) -> None:
    assert Host(tmp_path, *ALL, chpasswd=made, chpasswd_c=HASH).set() == "chpasswd -c SHA512"


def test_a_tool_that_hangs_is_passed_over(tmp_path: Any) -> None:
    host = Host(
        tmp_path, *ALL, chpasswd=ProvisioningError("command took too long", command="chpasswd")
    )
    assert host.set() == "openssl" and host.field == HASH


@pytest.mark.parametrize("printed", ["", "bob:x", "$6$a$b\n$6$c$d", "$6$a:b", "$1$a$b", "$6$a b"])
def test_what_is_no_hash_does_not_get_into_the_file(tmp_path: Any, printed: str) -> None:
    host = Host(tmp_path, "openssl", openssl=Completed(0, printed + "\n", ""))
    assert "openssl: it printed no hash" in host.fails("password could not be set").details["said"]
    assert host.field == "*"


@pytest.mark.parametrize("size, tools", [(127, 3), (128, 2), (256, 2), (257, 1)])
def test_a_tool_that_would_cut_a_long_password_is_not_asked(
    tmp_path: Any, size: int, tools: int
) -> None:
    host = Host(
        tmp_path,
        "chpasswd",
        "openssl",
        "mkpasswd",
        chpasswd=FAILED,
        openssl=FAILED,
        mkpasswd=FAILED,
    )
    host.fails("password could not be set", "x" * size)
    assert len({argv[0] for argv, _ in host.ran}) == tools


def test_no_tool(tmp_path: Any) -> None:
    host = Host(tmp_path)
    assert "chpasswd" in host.fails("no tool can set a password").details["hint"]
    assert host.ran == []


def test_nothing_that_a_tool_says_has_the_password(tmp_path: Any) -> None:
    said = "bad: 'corr3ct h0rse: b4ttery', corr3ct\x1b[2J, h0rse, b4ttery"
    host = Host(
        tmp_path,
        "chpasswd",
        "openssl",
        chpasswd=Completed(1, "", said),
        openssl=Completed(1, HASH, ""),
    )
    text = str(host.fails("password could not be set", "corr3ct h0rse: b4ttery "))
    assert not [piece for piece in ("corr3ct", "h0rse", "b4ttery", "\x1b", HASH) if piece in text]
    assert "bad: '[...]', [...]?[2J, [...], [...]" in text and "openssl: exit status 1" in text


@pytest.mark.parametrize("password", ["a", " ", "a b", "\u00e4\u00f6", "::::"])
def test_short_and_odd_ones_are_struck_out_too(password: str) -> None:
    assert password not in passwords.strike_out("x%sx" % password, password)
