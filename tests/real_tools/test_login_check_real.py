"""The login check says what this machine's sshd and PAM do: for each host of
tests/real_tools/namespaced/login_check.py, its verdict, and whether bob gets in by his key.

R3 (key types), R4 (the way to the file), R5 (a file of all accounts), R6 (from where), R7 (PAM's
account stage): see the sources there.
"""

from __future__ import annotations

from typing import Any, Dict, Tuple

import pytest

from tests.lib.namespaced import NETWORK, run_scenario
from tests.real_tools.namespaced.login_check import CASES


def inside(scenario: str, *names: str) -> Dict[str, Any]:
    """Run one scenario of namespaced/login_check.py, with the cases ``names``."""
    tools = ("sshd", "ssh", "ssh-keygen", "setsid", "ip", "useradd")
    return run_scenario("login_check.py", scenario, *tools, box="|".join(names), namespaces=NETWORK)


# Sure that nobody gets in: a part of the reason.
SHUT = {
    "key types": "sshd accepts no ssh-rsa key (PubkeyAcceptedAlgorithms ssh-ed25519,sk-ssh-",
    "key types, the other": "sshd accepts no ssh-ed25519 key (PubkeyAcceptedAlgorithms rsa-sha2-",
    "key types taken away": "sshd accepts no ssh-ed25519 key",
    "key types in a match": "sshd accepts no ssh-ed25519 key",
    "key types in the unit's options": "sshd accepts no ssh-ed25519 key",
    "size": "sshd accepts no RSA key of 2048 bits (RequiredRSASize 3072)",
    "no keys": "PubkeyAuthentication no in sshd's configuration",
    "methods": "AuthenticationMethods publickey,password",
    "two keys": "AuthenticationMethods publickey,publickey",
    "no sessions": "MaxSessions 0 in sshd's configuration",
    "revoked without a list": "RevokedKeys /etc/ssh/none-such",
    "listens here only": "listens on no address that others reach: ListenAddress 127.0.0.1:22",
    "listens on an address of nobody": "ListenAddress 10.7.7.7:22 127.0.0.1:22",
    "listens for IPv6": "ListenAddress [::]:22",
    "roots folder with secrets": "sshd cannot use /etc/ssh/keys: the user may not enter it",
    "roots home": "sshd cannot use /root: the user may not enter it",
    "local address": "PubkeyAuthentication no",
    "local port": "PubkeyAuthentication no",
    "nowhere": "DenyUsers in sshd's configuration: *",
    "nologin": "/etc/nologin exists, so only root can log in",
    "nologin without PAM": "/etc/nologin exists, so only root can log in",
    "access": "/etc/security/access.conf refuses it: -:ALL EXCEPT root:ALL",
    "access, local": "/etc/security/access.conf refuses it: -:ALL:ALL",
    "succeed_if": "user ingroup eves",
    "listfile": "item=user /etc/ssh/allowed refuses it",
    "a module that is gone": "asks pam_gone.so, which does not exist",
    "a hyphen for a module that is gone": "asks pam_gone.so, which does not exist",
}
OUTSIDE = "sshd refuses logins from outside: "
# Doubtful: a part of the warning, and whether bob gets in from outside and from his own network.
DOUBT: Dict[str, Tuple[str, bool, bool]] = {
    "own network": (OUTSIDE + "DenyUsers", False, True),
    "own network, users": (OUTSIDE + "AllowUsers", False, True),
    "own network, keys": (OUTSIDE + "PubkeyAuthentication no", False, True),
    "outside only": ("from this host's own network: DenyUsers", True, False),
    "a network elsewhere": (OUTSIDE + "DenyUsers", False, False),
    "access, own network": ("other lines allow logins from some places", False, True),
    "nologin of this boot": ("/run/nologin exists", False, False),
}
FILES = {
    "roots folder": "/etc/ssh/keys/bob",
    "roots folder with secrets": "/etc/ssh/keys/bob",
    "a folder above": "/srv/deep/er/bob",
    "roots home": "/root/keys/bob",
    "a blank": "/etc/ssh/keys/of people/bob",
    "a percent": "/etc/ssh/keys/%/bob",
    "the id": "/etc/ssh/keys/1",
    "for bob only": "/etc/ssh/bobs",
    "for some": "/home/bob/k",
}
REFUSED = {
    "shared only": "authorized keys are read from a shared file only",
    "a path in the home, not strict": "authorized keys are read from a shared file only",
    "a root's file": "authorized keys are read from a shared file only",
    "an unknown token": "sshd is set to read no authorized keys",
}
NAMES = list(CASES)
PARTS = [NAMES[at : at + 10] for at in range(0, len(NAMES), 10)]


@pytest.mark.parametrize("names", PARTS, ids=[part[0] for part in PARTS])
def test_the_verdict_is_that_of_sshd_and_pam(names: Any) -> None:
    """R3, R4, R5, R6, R7: os-autoinst-distri-opensuse#26485, canonical/cloud-init#3417, #937, #956,
    systemd/systemd#8232
    """
    for name, seen in inside("cases", *names).items():
        (message, warnings), (shut, doubts), (outside, near) = (
            seen["keys"],
            seen["said"],
            seen["in"],
        )
        if name in REFUSED:
            assert message == REFUSED[name], name
            continue
        path = FILES.get(name, "/home/bob/.ssh/authorized_keys")
        assert ("1 of 1 keys added to " + path) in message and warnings == [], name
        if name in SHUT:
            assert SHUT[name] in shut and not outside and not near, name
        elif name in DOUBT:
            text, *expected = DOUBT[name]
            assert shut == "" and text in doubts[0] and outside == expected[0], name
            assert near in (None, expected[1]), name
        else:
            assert (shut, doubts, outside) == ("", [], True), name


def test_each_case_is_told() -> None:
    assert set(SHUT) | set(DOUBT) | set(FILES) | set(REFUSED) <= set(CASES)


def test_a_sshd_that_does_not_answer_is_asked_again_or_told() -> None:
    """R6: a probe that sshd refuses is no answer."""
    seen = inside("unanswered")
    assert "sshd does not start with its configuration" in seen["faulty"][0]
    assert seen["old"] == ["", []], "asked again, with fewer words"
    assert "AllowUsers in sshd's configuration: eve" in seen["old, shut"][0]
    for name, said in (("no answer", "'Match Moon'"), ("no host keys", "no hostkeys available")):
        shut, doubts = seen[name]
        assert shut == "" and "sshd could not be asked" in doubts[0] and said in doubts[0], name


def test_sshd_is_started_no_more_often_than_needed() -> None:
    """Once for the module and the check together; once more if the place makes a difference."""
    assert list(inside("starts").values()) == [1, 2]
