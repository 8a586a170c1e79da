"""The words of `sshd -T` that decide. What a real sshd does is in tests/real_tools."""

from __future__ import annotations

from typing import List

import pytest

from lightinit.formats.ssh import login_limits, login_words, origins
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.login_words import Means
from lightinit.formats.ssh.public_keys import read_key
from tests.lib.ssh_keys import GOOD


@pytest.mark.parametrize(
    "output, key, part",
    [
        ("", "rsa-4096", ""),
        ("pubkeyacceptedalgorithms ssh-ed25519", "rsa-4096", "no ssh-rsa key (PubkeyAcceptedAl"),
        ("pubkeyacceptedalgorithms rsa-sha2-512", "rsa-4096", ""),
        ("pubkeyacceptedkeytypes rsa-sha2-512", "ed25519", "no ssh-ed25519 key (PubkeyAcceptedKey"),
        ("pubkeyacceptedalgorithms *,!ssh-ed25519", "ed25519", "no ssh-ed25519 key"),
        ("pubkeyacceptedalgorithms webauthn-sk-ecdsa-*", "sk-nistp256", ""),
        ("requiredrsasize 3072", "rsa-2048", "no RSA key of 2048 bits (RequiredRSASize 3072)"),
        ("requiredrsasize 3072", "rsa-4096", ""),
        ("requiredrsasize 3072", "ed25519", ""),
        ("rsaminsize 4097", "rsa-4096", "no RSA key of 4096 bits (RSAMinSize 4097)"),
    ],
)
def test_which_key_is_refused(output: str, key: str, part: str) -> None:
    """R3"""
    found = login_words.refuse_key(Effective(output), read_key(GOOD[key]))
    assert (part in found) and bool(part) == bool(found)


def test_rsa_with_sha1_alone_is_a_doubt() -> None:
    key = read_key(GOOD["rsa-2048"])
    for output, doubt in (("ssh-rsa", True), ("ssh-rsa,rsa-sha2-256", False)):
        effective = Effective("pubkeyacceptedalgorithms " + output)
        assert bool(login_words.doubt_key(effective, key)) == doubt


@pytest.mark.parametrize(
    "output, means, part",
    [
        ("", Means(1), ""),
        ("pubkeyauthentication no", Means(1), "PubkeyAuthentication no"),
        ("pubkeyauthentication no", Means(1, True), ""),
        ("passwordauthentication no", Means(0, True), "PasswordAuthentication no"),
        ("passwordauthentication no\nkbdinteractiveauthentication yes", Means(0, True), ""),
        ("authenticationmethods any", Means(1), ""),
        ("authenticationmethods publickey,password", Means(1), "AuthenticationMethods publickey,p"),
        ("authenticationmethods publickey,password", Means(1, True), ""),
        ("authenticationmethods password publickey", Means(1), ""),
        ("authenticationmethods publickey,publickey", Means(1), "AuthenticationMethods"),
        ("authenticationmethods publickey,publickey", Means(2), ""),
        (
            "authenticationmethods hostbased gssapi-with-mic",
            Means(1, True),
            "AuthenticationMethods",
        ),
    ],
)
def test_whether_what_the_admin_has_is_enough(output: str, means: Means, part: str) -> None:
    found = login_words.refuse_means(Effective(output), means)
    assert (part in found) and bool(part) == bool(found)


@pytest.mark.parametrize(
    "value, means, shut",
    [
        ("yes", Means(0, True), False),
        ("no", Means(1, True), True),
        ("without-password", Means(0, True), True),
        ("prohibit-password", Means(1), False),
        ("forced-commands-only", Means(1), True),
    ],
)
def test_root(value: str, means: Means, shut: bool) -> None:
    effective = Effective("permitrootlogin " + value)
    assert bool(login_words.refuse_root(effective, means)) == shut


@pytest.mark.parametrize(
    "listens, addresses, shut, note",
    [
        (["0.0.0.0:22"], ["10.0.0.4"], False, ""),
        (["[::]:22"], ["10.0.0.4"], True, ""),
        (["[::]:22", "0.0.0.0:22"], ["10.0.0.4"], False, ""),
        (["[::]:22"], ["2001:db8::4"], False, ""),
        (["10.0.0.4:2222"], ["10.0.0.4"], False, "sshd listens on port 2222, not on 22"),
        (["10.0.0.5:22", "127.0.0.1:22"], ["10.0.0.4"], True, ""),
        (["0.0.0.0:22 rdomain x", "0.0.0.0:2222"], ["10.0.0.4"], False, ""),
        (["10.0.0.5:22"], [], False, ""),
        ([], ["10.0.0.4"], False, ""),
        (["", "10.0.0.5:22"], ["10.0.0.4"], True, ""),
    ],
)
def test_where_it_listens(listens: List[str], addresses: List[str], shut: bool, note: str) -> None:
    effective = Effective("\n".join("listenaddress " + each for each in listens))
    why, said = login_words.judge_listening(effective, addresses)
    assert (bool(why), said) == (shut, note)


def test_what_gives_no_plain_shell_is_a_doubt() -> None:
    effective = Effective("forcecommand internal-sftp\nchrootdirectory none\npermittty no")
    assert len(login_limits.doubt_session(effective)) == 2


@pytest.mark.parametrize(
    "output, part",
    [
        ("maxsessions 0", "MaxSessions 0"),
        ("refuseconnection yes", "RefuseConnection yes"),
        ("maxauthtries 0", "MaxAuthTries 0"),
        ("persourcemaxstartups 0", "PerSourceMaxStartups 0"),
        ("maxsessions 10\nmaxauthtries 1\npersourcemaxstartups none", ""),
        ("", ""),
    ],
)
def test_what_ends_every_session(output: str, part: str) -> None:
    found = login_limits.refuse_session(Effective(output))
    assert (part in found) and bool(part) == bool(found)


@pytest.mark.parametrize(
    "output, parts",
    [
        ("ciphers aes128-cbc", ["Ciphers aes128-cbc"]),
        ("ciphers aes128-cbc,aes256-ctr", []),
        ("kexalgorithms diffie-hellman-group1-sha1", ["KexAlgorithms"]),
        ("macs hmac-md5", ["MACs"]),
        ("macs hmac-md5\nciphers aes256-gcm@openssh.com", []),
        ("hostkeyalgorithms ssh-rsa,ssh-dss", ["HostKeyAlgorithms"]),
        ("maxauthtries 1", ["MaxAuthTries 1"]),
        ("kerberosauthentication yes\nkerberosorlocalpasswd no", ["Kerberos"]),
        ("kerberosauthentication no\nkerberosorlocalpasswd no", []),
    ],
)
def test_what_many_clients_cannot_do_is_a_doubt(output: str, parts: List[str]) -> None:
    found = login_limits.doubt_session(Effective(output))
    assert len(found) == len(parts) and all(part in each for part, each in zip(parts, found))


@pytest.mark.parametrize(
    "algorithms, kinds, shut",
    [
        ("rsa-sha2-512", ["ssh-ed25519"], True),
        ("rsa-sha2-512", ["ssh-ed25519", "ssh-rsa"], False),
        ("ssh-*", ["ssh-ed25519"], False),
        ("ecdsa-sha2-nistp256", ["ecdsa-sha2-nistp384"], True),
        ("rsa-sha2-512", [], False),
        ("", ["ssh-ed25519"], False),
    ],
)
def test_a_host_key_for_the_algorithms(algorithms: str, kinds: List[str], shut: bool) -> None:
    effective = Effective("hostkeyalgorithms " + algorithms)
    assert bool(login_limits.refuse_host_keys(effective, kinds)) == shut


def test_which_family_it_listens_for() -> None:
    both = Effective("listenaddress [::]:22\nlistenaddress 0.0.0.0:22")
    assert login_words.listens_for(both, "fd00::1") and login_words.listens_for(both, "10.0.0.1")
    assert not login_words.listens_for(Effective("listenaddress 0.0.0.0:22"), "fd00::1")
    assert login_words.listens_for(Effective(""), "fd00::1")
    assert login_words.listens_for(Effective("listenaddress"), "fd00::1")


@pytest.mark.parametrize(
    "output, takes",
    [
        ("passwordauthentication no\nkbdinteractiveauthentication yes\nusepam yes", True),
        ("passwordauthentication no\nkbdinteractiveauthentication yes\nusepam no", False),
        ("passwordauthentication yes\nusepam no", True),
        ("passwordauthentication no\nkbdinteractiveauthentication no\nusepam yes", False),
    ],
)
def test_prompts_need_pam(output: str, takes: bool) -> None:
    effective = Effective(output)
    assert login_words.takes_passwords(effective) == takes
    assert bool(login_words.refuse_means(effective, Means(0, True))) != takes


CONFIG = """Port 2222
Match Address *,!10.0.0.0/8,!127.0.0.0/8,fe80::/64 User bob
DenyUsers *
Match LocalAddress=10.1.2.3
X11Forwarding no
Match Address 172.16.*,192.168.1.?,nonsense,10.9.8.7/32
X11Forwarding no
Match User eve
"""


def test_the_places_that_a_configuration_names() -> None:
    """R6"""
    conditions = origins.list_conditions(CONFIG, lambda pattern: ())
    assert origins.make_a_difference(conditions)
    assert ("localaddress", "10.1.2.3") in conditions and ("user", "bob") in conditions
    assert origins.list_addresses(conditions) == [
        "10.0.0.1",
        "fe80::1",
        "172.16.1.1",
        "192.168.1.1",
        "10.9.8.7",
    ]
    assert origins.find_port(CONFIG, lambda pattern: ()) == 2222
    plain = origins.list_conditions("Match User bob\nPort 7\n", lambda pattern: ())
    assert not origins.make_a_difference(plain)
