"""SSH host keys: names, fingerprints, and the HostKey lines of sshd_config."""

from __future__ import annotations

from typing import List, Sequence

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.ssh.host_keys import fingerprint, is_host_key_file, is_private_key_file
from lightinit.formats.ssh.sshd_config import read_host_keys

# Made by: ssh-keygen -t ed25519; the fingerprint as shown by: ssh-keygen -l
PUBLIC = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINFfdoWFYMNNCuy9M44rnFjyN0iw3abdaRPuWpEWepfA test\n"
SHOWN = "ssh-ed25519 SHA256:e885sP0fjHTJoUQGqORlgEH51EG0r3PWzyuMMT3doJE"


@pytest.mark.parametrize(
    "name, known, private",
    [
        ("ssh_host_rsa_key", True, True),
        ("ssh_host_ed25519_key.pub", True, False),
        ("ssh_host_dsa_key", True, True),
        ("ssh_host_ecdsa_key-cert.pub", True, False),
        ("ssh_host_key", True, True),
        ("ssh_host_rsa_key.bak", False, False),
        ("moduli", False, False),
        ("sshd_config", False, False),
        ("my_ssh_host_rsa_key", False, False),
        ("ssh_host_rsa_key\n", False, False),
    ],
)
def test_names(name: str, known: bool, private: bool) -> None:
    assert (is_host_key_file(name), is_private_key_file(name)) == (known, private)


def test_the_fingerprint_is_that_of_ssh_keygen() -> None:
    assert fingerprint(PUBLIC) == SHOWN
    assert fingerprint(PUBLIC.split()[0] + b" " + PUBLIC.split()[1]) == SHOWN, (
        "without a comment too"
    )


@pytest.mark.parametrize(
    "public",
    [
        b"",
        b"ssh-ed25519",
        b"ssh-ed25519 !!!",
        b"ssh-ed25519 AAAA",
        PUBLIC.replace(b"ssh-ed25519", b"ssh-rsa"),
        b"\xff\xff " + PUBLIC.split()[1],
    ],
)
def test_what_is_no_public_key(public: bytes) -> None:
    with pytest.raises(MalformedError, match="not an ssh public key"):
        fingerprint(public)


@pytest.mark.parametrize(
    "text, found",
    [
        ("", []),
        ("#HostKey /etc/ssh/ssh_host_rsa_key\n", []),
        ('HostKey /a\nhostkey=/b\nHostKey "/c d"\nHostKey /a\n', ["/a", "/b", "/c d"]),
        ("HostKeyAlgorithms ssh-rsa\nHostCertificate /x\n", []),
        ("HostKey /a\nInclude more\nHostKey /z\n", ["/a", "/in", "/z"]),
        ("Include loop\n", ["/l"]),
    ],
)
def test_the_files_that_sshd_config_names(text: str, found: List[str]) -> None:
    def included(pattern: str) -> Sequence[str]:
        return {"more": ["HostKey /in\n"], "loop": ["HostKey /l\nInclude loop\n"]}[pattern]

    assert read_host_keys(text, included) == found
