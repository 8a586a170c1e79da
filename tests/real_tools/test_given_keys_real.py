"""Host keys from a cloud-config with this machine's own ssh-keygen, sshd and dropbear, in
namespaces, on a copy of /etc in memory.
"""

from __future__ import annotations

import sys
from typing import Any, Dict

import pytest

from tests.lib.namespaced import NETWORK, run_scenario
from tests.real_tools.namespaced.given_keys import BAD, GOOD

OWN = "; the host has its own key of that type"
ONE = "1 SSH host keys of the cloud-config put in place"


def inside(scenario: str, *tools: str) -> Dict[str, Any]:
    """Run one scenario of namespaced/given_keys.py and give what it saw."""
    return run_scenario("given_keys.py", scenario, "sshd", "ssh-keygen", *tools, namespaces=NETWORK)


def test_a_key_in_each_way_of_writing() -> None:
    """What can be used is in place, and nothing else; where it cannot, the host has its own."""
    seen = inside("written")
    assert set(seen) == set(GOOD) | set(BAD)
    for name, found in seen.items():
        assert found["modes"] == "600 root:root, 644 root:root", name
        assert (found["sshd"], found["left"], found["leaks"]) == ("", [], []), name
        good = name in GOOD
        assert found["whose"] == {"ed25519": "ed25519" if good else "own"}, name
        assert found["made"] == (not good), name
        assert found["shown"] == ["ssh-ed25519"], name
        said = found["warnings"] + found["mistakes"]
        silent = name in ("alone", "indented", "with the public key", "no line end")
        assert len(said) == (not silent), (name, said)
        assert all(each.startswith("ssh_keys.ed25519_private: ") for each in said), said
    for name, word in (
        ("passphrase", "it has a passphrase"),
        ("cut", "it is damaged or cut"),
        ("of another", "its public key is not the one under `ed25519_public`"),
        ("putty", "puttygen KEY -O private-openssh"),
        ("damaged inside", "ssh-keygen cannot read it ("),
        ("windows", "it has Windows line ends; taken as Unix ones"),
        ("folded", "write it after |"),
    ):
        assert word in str(seen[name]["warnings"] + seen[name]["mistakes"]), name


OWN_KEYS = {"ecdsa": "own", "ed25519": "own", "rsa": "own"}
GIVEN_KEYS = {"ecdsa": "ecdsa", "ed25519": "ed25519", "rsa": "rsa"}
WHOSE = {
    "all given": GIVEN_KEYS,
    "all given, begun": GIVEN_KEYS,
    "PEM": {"rsa": "pem"},
    "PEM and its passphrase": {"rsa": "own"},
    "PEM and another's": {"rsa": "own"},
    "too short for this sshd": {"rsa": "own"},
    "under a wrong type": {"rsa": "own"},
    "DSA": OWN_KEYS,
    "nothing": OWN_KEYS,
    "one made": {"ed25519": "own"},
    "one made, begun": {"ed25519": "own"},
    "two made, begun": {"ecdsa": "own", "rsa": "own"},
    "a broken one, begun": {"ed25519": "ed25519", "rsa": "own"},
    "no type is left": OWN_KEYS,
    "not deleted": {"ecdsa": "image", "ed25519": "ed25519", "rsa": "image"},
    "not deleted, one made": {"ecdsa": "image", "ed25519": "image", "rsa": "image"},
    "a script makes missing ones": {"ed25519": "own"},
    "without that script": {"ed25519": "own"},
    "sshd wants another": {"ed25519": "own", "rsa": "own"},
    "sshd wants another, given": {"ed25519": "ed25519", "rsa": "own"},
    "not shown": OWN_KEYS,
    "some not shown": OWN_KEYS,
    "kept by the settings": OWN_KEYS,
}


@pytest.mark.long
def test_which_types_the_host_has() -> None:
    seen = inside("types")
    assert {name: found["whose"] for name, found in seen.items()} == WHOSE
    short = seen.pop("too short for this sshd")  # the stand-in for ssh-keygen -A makes short keys
    assert short["warnings"] == ["ssh_keys.rsa_private: sshd refuses it (Invalid key length)" + OWN]
    for name, found in seen.items():
        assert (found["sshd"], found["left"], found["leaks"]) == ("", [], []), name
        told = "another" in name
        assert bool(found["warnings"]) == told, (name, found["warnings"])
    for name in ("all given", "all given, begun", "PEM", "not deleted"):
        assert seen[name]["made"] == 0, name
    assert "ssh_host_rsa_key" in seen["sshd wants another"]["warnings"][0]
    lines = seen.pop("a script makes missing ones")["lines"].split("\n")[1:]
    assert lines == ["HostKey /etc/ssh/ssh_host_ed25519_key"], "sshd uses no other"
    assert not [name for name, found in seen.items() if found["lines"]]
    assert seen["not shown"]["shown"] == []
    assert seen["some not shown"]["shown"] == ["ssh-ed25519"]
    assert seen["a broken one, begun"]["mistakes"] == []


@pytest.mark.long
def test_certificates() -> None:
    seen = inside("certificates")
    shown = "hostcertificate /etc/ssh/ssh_host_%s_key-cert.pub"
    for name, kind in (
        ("good", "ed25519"),
        ("good, without drop-ins", "ed25519"),
        ("PEM's", "rsa"),
    ):
        found = seen[name]
        assert found["serves"] == shown % kind and found["warnings"] == [], name
        assert found["whose"] == {kind: kind + " with certificate"} and found["sshd"] == "", name
    for name in ("of another", "of a user"):
        assert seen[name]["whose"] == {"ed25519": "ed25519"}, name
        assert "hostcertificate" not in seen[name]["serves"], name
    assert "it certifies another key" in seen["of another"]["warnings"][0]
    assert "it is a user's certificate" in seen["of a user"]["mistakes"][0]
    assert seen["expired"]["serves"] == shown % "ed25519"
    assert "it is not valid now" in seen["expired"]["warnings"][0]
    (faulty,) = seen["a faulty configuration"]["warnings"]
    assert "it was not changed" in faulty and seen["a faulty configuration"]["message"] == ONE
    assert seen["without its key, kept"]["whose"]["ed25519"] == "image with certificate"
    assert seen["without its key, made anew"]["whose"] == OWN_KEYS
    assert "it certifies another key" in seen["without its key, made anew"]["warnings"][0]


@pytest.mark.long
def test_dropbear_gets_them_too() -> None:
    seen = inside("dropbear", "dropbear", "dropbearkey", "dropbearconvert")
    missing = seen.pop("without dropbearconvert")
    assert missing["whose"] == {"ed25519": "own"} and len(missing["warnings"]) == 1
    assert "without dropbearconvert" in missing["warnings"][0]
    whose = {name: found["whose"] for name, found in seen.items()}
    assert whose == {
        "given": GIVEN_KEYS,
        "one given": {"ed25519": "ed25519"},
        "one made": {"ed25519": "own"},
        "of another": {"rsa": "own"},
    }
    for name, found in seen.items():
        assert found["modes"] == ["600"] and found["left"] == [], name
        assert bool(found["warnings"]) == (name == "of another"), name
    assert "it does not fit the public key beside it" in seen["of another"]["warnings"][0]


@pytest.mark.long
@pytest.mark.skipif(sys.version_info < (3, 8), reason="audit hooks came with Python 3.8")
def test_a_crash_at_any_point_lets_sshd_start() -> None:
    seen = inside("crash")
    assert seen["wrong"] == [] and seen["ended"] == 0 and seen["count"] > 50
    assert seen["left"] == []
    assert seen["after"] == {"ed25519": "ed25519 with certificate", "rsa": "own"}


def test_in_a_scratch_root_no_command_is_needed() -> None:
    seen = inside("scratch_root")
    assert seen["message"] == ONE and seen["modes"] == "600 root:root, 644 root:root"
    assert seen["whose"] == {"ed25519": "ed25519 with certificate", "rsa": "image"}
    (warning,) = seen["warnings"]
    assert "rsa_private: its public key cannot be derived in a scratch root" in warning
    assert seen["serves"] == "hostcertificate /etc/ssh/ssh_host_ed25519_key-cert.pub"
