"""One line with a public key: what sshd accepts is taken, the rest is refused with a reason."""

from __future__ import annotations

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.ssh.public_keys import read_key
from tests.lib.ssh_keys import ED, GOOD, rsa, text


@pytest.mark.parametrize("line", GOOD.values(), ids=list(GOOD))
def test_known_types_are_taken(line: str) -> None:
    key = read_key(line + " me@there")
    assert key.kind == line.split()[0]
    assert key.line == (line + " me@there").encode()
    assert not key.notes


@pytest.mark.parametrize(
    "line, reason",
    [
        (text("ssh-dss", b"p", b"q", b"g", b"y"), "ssh key type is no longer accepted by sshd"),
        (text("ssh-ed25519-cert-v01@openssh.com", b"n"), "ssh certificate in place of a key"),
        (text("ssh-xmss@openssh.com", b"n"), "ssh key type is unknown"),
        (text("ssh-ed448", b"n"), "ssh key type is unknown"),
        (rsa(1016), "rsa key is too short"),
        (text("ssh-ed25519", b"e" * 31), "ssh key is damaged"),
        (text("ssh-ed25519", b"e" * 32, b"x"), "ssh key is damaged"),
        (text("ssh-rsa", b"\x01"), "ssh key is damaged"),
        (text("ssh-rsa", b"\x01", b""), "ssh key is damaged"),
        (text("ecdsa-sha2-nistp256", b"nistp384", b"\x04" + b"p" * 64), "ssh key is damaged"),
        (text("ecdsa-sha2-nistp256", b"nistp256", b"\x02" + b"p" * 64), "ssh key is damaged"),
        (text("ecdsa-sha2-nistp256", b"nistp256"), "ssh key is damaged"),
        ("ssh-rsa " + ED.split()[1], "ssh key does not hold what its type says"),
        (ED[:-8], "ssh key does not hold what its type says"),
        (ED[:-3], "ssh key is not base64"),
        ("ssh-ed25519 ????", "ssh key is not base64"),
        ("ssh-ed25519", "not an ssh public key"),
        ("hello world", "not an ssh public key"),
        ("x", "not an ssh public key"),
        (ED + " a\0b", "ssh key holds control characters"),
        (ED + " a\x1b[2J", "ssh key holds control characters"),
    ],
)
def test_others_are_refused_with_the_reason(line: str, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read_key(line)
    assert caught.value.reason == reason
    assert str(caught.value).isprintable()


def test_a_short_rsa_key_is_taken_and_said() -> None:
    assert "1024 bits" in read_key(rsa(1024)).notes[0]


@pytest.mark.parametrize(
    "options", ['from="10.0.0.0/8"', 'command="echo \\"a b\\" # c",no-pty', "restrict,pty"]
)
def test_given_options_are_kept(options: str) -> None:
    key = read_key(options + " " + ED + " me")
    assert key.line == (options + " " + ED + " me").encode()
    assert key.blob == read_key(ED).blob
