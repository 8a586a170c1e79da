"""SSH host keys: ``ssh_keys`` and what is beside it."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.formats.cloud_config.readers.host_keys import (
    GivenHostKey,
    GivenHostKeys,
    read_host_keys,
)
from tests.lib import ssh_keys

PEM = "-----BEGIN RSA PRIVATE KEY-----\n%sAA\n-----END RSA PRIVATE KEY-----\n"
PRIVATE = ssh_keys.private(ssh_keys.ED)
CERT = "ssh-ed25519-cert-v01@openssh.com"
CERTIFICATE = ssh_keys.certificate(CERT, b"e" * 32)


def test_all_that_can_be_said() -> None:
    values = {
        "ssh_keys": {
            "ed25519_private": PRIVATE,
            "ed25519_public": ssh_keys.ED + " me\n",
            "ed25519_certificate": CERTIFICATE + "\n",
            "rsa_private": PEM % "",
        },
        "ssh_deletekeys": False,
        "ssh_genkeytypes": ["ecdsa"],
        "ssh_quiet_keygen": True,
        "ssh": {"emit_keys_to_console": False},
        "ssh_fp_console_blacklist": ["ssh-rsa"],
    }
    found, mistakes = read_host_keys(values)
    assert mistakes == []
    ed = GivenHostKey("ed25519", PRIVATE, ssh_keys.ED + " me", CERTIFICATE)
    keys = (GivenHostKey("rsa", PEM % ""), ed)
    assert found == GivenHostKeys(keys, False, ("rsa", "ed25519"), False, ("ssh-rsa",))
    assert "PRIVATE" not in repr(found) and not found.shows("ssh-ed25519")
    assert read_host_keys({}) == (GivenHostKeys(), [])
    shown, _ = read_host_keys({"ssh_fp_console_blacklist": ["ssh-rsa"]})
    assert shown.shows("ssh-ed25519") and not shown.shows("ssh-rsa")


@pytest.mark.parametrize(
    "text",
    [
        PRIVATE.replace("\n", "\r\n"),
        PRIVATE.replace("\n", "\\n"),
        " ".join(PRIVATE.split("\n")),
        PRIVATE.replace("\n", " \n  ").strip(),
        "from a mail:\n\n" + PRIVATE + "-- \nme",
    ],
    ids=["windows", "escaped", "folded", "indented", "with other text"],
)
def test_lines_are_mended(text: str) -> None:
    found, mistakes = read_host_keys({"ssh_keys": {"ed25519_private": text}})
    assert found.keys == (GivenHostKey("ed25519", PRIVATE),)
    assert all(each.has_effect for each in mistakes)


@pytest.mark.parametrize(
    "values, says",
    [
        ({"ed25519_private": PRIVATE[:200]}, "it is no private key"),
        ({"ed25519_private": PRIVATE.replace(PRIVATE.split("\n")[2] + "\n", "")}, "damaged"),
        ({"ed25519_private": PRIVATE.replace("b3Bl", "b4Bl")}, "it is damaged or cut"),
        ({"ed25519_private": ssh_keys.private(ssh_keys.ED, b"aes256-ctr")}, "it has a passphrase"),
        ({"rsa_private": PEM % "Proc-Type: 4,ENCRYPTED\n\n"}, "it has a passphrase"),
        ({"rsa_private": PEM.replace("RSA", "ENCRYPTED") % ""}, "it has a passphrase"),
        ({"rsa_private": PRIVATE}, "write it under `ed25519_private`"),
        ({"ecdsa_private": PEM % ""}, "write it under `rsa_private`"),
        ({"rsa_private": ssh_keys.ED}, "it is no private key"),
        ({"rsa_private": "PuTTY-User-Key-File-2: ssh-rsa\n"}, "puttygen KEY -O private-openssh"),
        ({"rsa_private": True}, "rsa_private: it is a boolean"),
        (
            {"ed25519_private": PRIVATE, "ed25519_public": ssh_keys.ED_2},
            "its public key is not the one under `ed25519_public`",
        ),
        ({"rsa_private": PEM % "", "rsa_public": "ssh-rsa AAAA"}, "it is no public key"),
        ({"rsa_private": PEM % "", "rsa_public": ssh_keys.ED}, "its type is another one"),
    ],
)
def test_a_private_key_that_cannot_be_used(values: Dict[str, Any], says: str) -> None:
    """The host is to have a key of that type all the same: its own."""
    found, mistakes = read_host_keys({"ssh_keys": values})
    assert says in "".join(str(each) for each in mistakes), mistakes
    assert found.keys == ()
    if values.get("rsa_private") is not True:
        assert found.types == (next(iter(values)).partition("_")[0],)
    assert not any(line in str(mistakes) for line in PRIVATE.split("\n")[1:-2])


@pytest.mark.parametrize(
    "text, says",
    [
        ("x", "it is no certificate"),
        (ssh_keys.ED, "it is no certificate"),
        (CERTIFICATE[:100], "it is no certificate"),
        (ssh_keys.certificate(CERT, b"e" * 32, is_host=False), "it is a user's certificate"),
        (ssh_keys.certificate(CERT, b"f" * 32), "it certifies another key"),
    ],
)
def test_a_certificate_that_cannot_be_used(text: str, says: str) -> None:
    keys = {"ed25519_private": PRIVATE, "ed25519_public": ssh_keys.ED, "ed25519_certificate": text}
    found, mistakes = read_host_keys({"ssh_keys": keys})
    assert says in "".join(str(each) for each in mistakes)
    assert found.keys == (GivenHostKey("ed25519", PRIVATE, ssh_keys.ED),)


@pytest.mark.parametrize(
    "values, says",
    [
        ({"ssh_keys": {"rsa_public": "ssh-rsa A"}}, "rsa_private: there is no private key"),
        ({"ssh_keys": {"dsa_private": PRIVATE}}, "dsa_private: OpenSSH has no DSA keys any more"),
        ({"ssh_keys": {"rsa_privat": PRIVATE}}, "did you mean `rsa_private`?"),
        ({"ssh_keys": [PRIVATE]}, "ssh_keys: it is a list"),
        ({"ssh_genkeytypes": ["dsa"]}, "no type is left, so all are made"),
        ({"ssh_genkeytypes": "sk-rsa"}, "ssh_genkeytypes: a type is unknown"),
        ({"ssh_genkeytypes": []}, "no type is left, so all are made"),
        ({"ssh": {"emit_keys": True}}, "did you mean `emit_keys_to_console`?"),
    ],
)
def test_mistakes(values: Dict[str, Any], says: str) -> None:
    found, mistakes = read_host_keys(values)
    assert says in "".join(str(each) for each in mistakes) and found == GivenHostKeys()


def test_a_list_of_types_with_commas() -> None:
    """As another tool may write it."""
    found, mistakes = read_host_keys({"ssh_genkeytypes": "ed25519, rsa, ed25519"})
    assert found.types == ("ed25519", "rsa") and mistakes == []


def test_characters_that_no_file_can_have() -> None:
    """YAML gives half of a surrogate pair for ``"\\ud800"``."""
    keys = {"ed25519_private": PRIVATE, "ed25519_public": ssh_keys.ED + " \ud800"}
    keys.update(ed25519_certificate=CERTIFICATE + " \ud800", rsa_private="\ud800")
    found, mistakes = read_host_keys({"ssh_keys": keys})
    assert [key.type for key in found.keys] == ["ed25519"] and len(mistakes) == 1
