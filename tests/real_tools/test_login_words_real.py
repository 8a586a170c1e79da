"""The login check says what this machine's sshd and PAM do: for each host of
tests/real_tools/namespaced/login_words.py, its verdict, and whether bob gets in by what he has.

Siblings of R3 (what sshd takes), R6 (from where) and R7 (PAM's stages).
"""

from __future__ import annotations

import gzip
import os
import re
from typing import Any, Dict

import pytest

from tests.lib.namespaced import NETWORK, run_scenario
from tests.lib.scratch import HERE
from tests.real_tools.namespaced.login_words import CASES, IPV6

pytestmark = pytest.mark.long

MANUAL = "/usr/share/man/man5/sshd_config.5.gz"

# Sure that nobody gets in: a part of the reason.
SHUT = {
    "no tries": "MaxAuthTries 0 in sshd's configuration",
    "a root of bob's": "/srv/jail is not root's, or others may write to it",
    "a root that is gone": "ChrootDirectory /srv/jail does not exist",
    "a root in a home": "ChrootDirectory /home/bob: /home/bob is not root's",
    "no host key of that type": "sshd has no host key for HostKeyAlgorithms rsa-sha2-512",
    "revoked": "RevokedKeys /etc/ssh/revoked in sshd's configuration lists the key",
    "revoked by a list": "RevokedKeys /etc/ssh/revoked in sshd's configuration lists the key",
    "a group that lightinit adds is denied": "DenyGroups in sshd's configuration: adm",
    "a pattern of groups is denied": "DenyGroups in sshd's configuration: root a*",
    "the primary group is denied": "DenyGroups in sshd's configuration: bob",
    "other groups are allowed": "AllowGroups in sshd's configuration: ops sudo",
    "allowed and denied": "DenyGroups in sshd's configuration: adm",
    "for members of a group": "DenyUsers in sshd's configuration: bob",
    "for all": "AllowUsers in sshd's configuration: eve",
    "an included file": "AllowUsers in sshd's configuration: eve",
    "only by host": "sshd does not start with its configuration",
    "key and prompt": "AuthenticationMethods publickey,keyboard-interactive",
    "a session module that is gone": "session stage for sshd asks pam_gone.so",
    "sessions are refused": "PAM's session stage for sshd refuses all (pam_deny)",
    "sessions of some": "pam_succeed_if in PAM's session stage for sshd: quiet user ingroup ops",
    "no logins": "pam_limits allows no login: * hard maxlogins 0",
    "no logins of a group": "pam_limits allows no login: @adm - maxlogins 0",
    "no password": "PasswordAuthentication no in sshd's configuration",
    "prompts without PAM": "PasswordAuthentication no in sshd's configuration",
    "no password for bob": "PasswordAuthentication no in sshd's configuration",
    "auth refuses all": "PAM's auth stage for sshd refuses all (pam_deny)",
    "auth refuses all, prompts": "PAM's auth stage for sshd refuses all (pam_deny)",
    "auth by an include": "PAM's auth stage for sshd refuses all (pam_deny)",
    "auth by access": "/etc/security/access.conf refuses it: -:bob:ALL",
    "auth by a list": "pam_listfile in PAM's auth stage for sshd: item=user /etc/ssh/denied",
    "auth by a condition": "pam_succeed_if in PAM's auth stage for sshd: uid < 1000 quiet",
    "auth by a module that is gone": "PAM's auth stage for sshd asks pam_gone.so",
    "both are wanted, and one is refused": "PAM's auth stage for sshd refuses all (pam_deny)",
    "keys are off, and the password is refused": "PAM's auth stage for sshd refuses all (pam_deny)",
    "neither": "DenyUsers in sshd's configuration: *",
    "IPv6 that is not listened for": "DenyUsers in sshd's configuration: *",
}
OUTSIDE = "sshd refuses logins from outside: "
CLIENTS = "many clients cannot connect: "
# Doubtful: a part of the warning.
DOUBT = {
    "one try": "MaxAuthTries 1",
    "a root without a shell": "ChrootDirectory /srv/jail has no /bin/",
    "old ciphers": CLIENTS + "Ciphers aes128-cbc",
    "old key exchange": CLIENTS + "KexAlgorithms diffie-hellman-group1-sha1",
    "old MACs": CLIENTS + "MACs hmac-md5",
    "host keys with SHA-1": CLIENTS + "HostKeyAlgorithms ssh-rsa",
    "forced command": "sshd gives no plain shell: ForceCommand /bin/false",
    "no terminal": "sshd gives no terminal: PermitTTY no",
    "auth by a program": "auth stage for sshd asks pam_exec.so, which lightinit cannot ask",
    "both, one is enough": "bob can log in with a key, but not with the password: PAM's auth stage",
    "either": "bob can log in with a key, but not with the password: PAM's auth stage",
    "no IPv6": "sshd refuses logins from outside by IPv6: DenyUsers",
    "IPv6 alone": OUTSIDE + "DenyUsers",
    "the own network of IPv6 alone": OUTSIDE + "DenyUsers",
    "not the own network of IPv6": "from this host's own network by IPv6: DenyUsers",
}
# Of the doubtful ones, those that do not let this machine's own client in.
KEPT_OUT = (
    "a root without a shell",
    "old ciphers",
    "old key exchange",
    "old MACs",
    "host keys with SHA-1",
    "forced command",
    "auth by a program",
)
# From outside, from the own network, and both by IPv6.
FROM = {
    "no IPv6": [True, True, False, False],
    "IPv6 alone": [False, False, True, True],
    "the own network of IPv6 alone": [False, False, False, True],
    "not the own network of IPv6": [True, True, True, False],
    "neither": [False, False, False, False],
    "IPv6 that is not listened for": [False, False],
    "by local address": [False, False, True, True],
}
NAMES = list(CASES)
PARTS = [NAMES[at : at + 12] for at in range(0, len(NAMES), 12)]


def judged(name: str) -> str:
    if name in SHUT:
        return "shut"
    if name in DOUBT or name == "by local address":
        return "doubt"
    return "open"


@pytest.mark.parametrize("names", PARTS, ids=[part[0] for part in PARTS])
def test_the_verdict_is_that_of_sshd_and_pam(names: Any) -> None:
    """R3, R6, R7: the siblings of os-autoinst-distri-opensuse#26485, own, systemd/systemd#8232."""
    tools = ("sshd", "ssh", "ssh-keygen", "setsid", "ip", "useradd", "usermod", "chpasswd")
    box = "|".join(names)
    seen: Dict[str, Any] = run_scenario(
        "login_words.py", "cases", *tools, box=box, namespaces=NETWORK
    )
    for name, found in seen.items():
        (shut, doubts), logged_in = found["said"], found["in"]
        if name in FROM:
            assert logged_in == FROM[name], name
        else:
            assert logged_in == [name not in SHUT and name not in KEPT_OUT], (name, found)
        assert SHUT.get(name, "") in shut and bool(shut) == (judged(name) == "shut"), (name, found)
        assert bool(doubts) == (judged(name) == "doubt"), (name, found)
        assert DOUBT.get(name, "") in "\n".join(doubts), (name, found)


def test_each_case_is_told() -> None:
    assert set(SHUT) | set(DOUBT) | set(FROM) | set(KEPT_OUT) <= set(CASES)
    assert set(IPV6) == set(FROM)


def test_each_word_of_the_manual_is_in_the_table() -> None:
    """docs/login-check.md says of each word of sshd_config(5) what it can do to a login."""
    if not os.path.exists(MANUAL):
        pytest.skip("sshd_config(5) is not on this machine")
    with gzip.open(MANUAL, "rt", encoding="utf-8") as manual:
        words = set(re.findall(r"^\.It Cm ([A-Z][A-Za-z0-9]+)$", manual.read(), re.MULTILINE))
    with open(os.path.join(HERE, "docs", "login-check.md"), encoding="utf-8") as page:
        told = set(re.findall(r"`([A-Z][A-Za-z0-9]+)`", page.read()))
    assert len(words) > 80 and words - told == set()
