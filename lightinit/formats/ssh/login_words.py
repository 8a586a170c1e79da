"""Evaluates the keywords of ``sshd -T`` that decide about a login, except the lists of users and
groups.

Pure. Semantics: sshd_config(5); for the order of the checks: OpenSSH's auth.c and auth2-pubkey.c.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

from lightinit.digits import read_digits
from lightinit.formats.blanks import words_of
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.public_keys import PublicKey, rsa_bits
from lightinit.formats.ssh.sshd_config import in_pattern_list
from lightinit.model import NamedTuple

# The second name is the one before sshd 8.5.
ALGORITHMS = (
    ("pubkeyacceptedalgorithms", "PubkeyAcceptedAlgorithms"),
    ("pubkeyacceptedkeytypes", "PubkeyAcceptedKeyTypes"),
)
# The second name is Red Hat's, before sshd 9.1.
RSA_SIZES = (("requiredrsasize", "RequiredRSASize"), ("rsaminsize", "RSAMinSize"))
# An RSA key signs with one of these. A key of any other type signs with the algorithm of its name.
RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")
SHOWN_CHARS = 120


class Means(NamedTuple):
    """The keys and the password with which the admin can log in.

    Attributes:
        keys: how many of the admin's keys sshd accepts.
        password: whether the account has a password, and the platform wants password login.
    """

    keys: int = 0
    password: bool = False


def refuse_key(effective: Effective, key: PublicKey) -> str:
    """Why sshd accepts no login with a key; "" if it does.

    Args:
        effective: the configuration that is in force. If sshd did not answer, all keys count as
            accepted.
        key: the key, of any user.
    """
    algorithms = _algorithms_of(key)
    for word, name in ALGORITHMS:
        accepted = effective.words(word)[:1]
        if accepted and not any(in_pattern_list(each, accepted[0]) for each in algorithms):
            return "sshd accepts no %s key (%s %s)" % (key.kind, name, accepted[0][:SHOWN_CHARS])
    bits = rsa_bits(key)
    for word, name in RSA_SIZES:
        at_least = _number(effective, word)
        if bits and bits < at_least:
            return "sshd accepts no RSA key of %d bits (%s %d)" % (bits, name, at_least)
    return ""


def doubt_key(effective: Effective, key: PublicKey) -> str:
    """Why many clients cannot log in with a key that sshd accepts; "" if they can."""
    for word, name in ALGORITHMS:
        accepted = effective.words(word)[:1]
        if accepted and key.kind == "ssh-rsa":
            taken = [each for each in RSA_SIGNATURES if in_pattern_list(each, accepted[0])]
            if taken == ["ssh-rsa"]:
                return (
                    "sshd accepts RSA keys only with SHA-1 signatures, which newer clients do not"
                    " make (%s)" % name
                )
    return ""


def refuse_means(effective: Effective, means: Means) -> str:
    """Why sshd accepts neither the keys nor the password as enough for a login; "" if it does.

    Each list of AuthenticationMethods names methods that must all succeed. One list is enough.
    """
    methods = _open_methods(effective, means)
    lists = effective.words("authenticationmethods") or ["any"]
    if lists[0] == "any":
        if methods:
            return ""
    elif any(_is_satisfied(steps, methods, means) for steps in lists):
        return ""
    for keyword in _closed_words(effective, means):
        return keyword
    return "AuthenticationMethods %s" % " ".join(lists)[:SHOWN_CHARS]


def takes_passwords(effective: Effective) -> bool:
    """Whether sshd takes a password at all, in either way."""
    return any(each != "publickey" for each in _open_methods(effective, Means(password=True)))


def _open_methods(effective: Effective, means: Means) -> List[str]:
    methods = []
    if means.keys and effective.words("pubkeyauthentication", ["yes"]) == ["yes"]:
        methods.append("publickey")
    if means.password:
        if effective.words("passwordauthentication", ["yes"]) == ["yes"]:
            methods.append("password")
        # Without PAM there is nothing that could prompt.
        interactive = ("kbdinteractiveauthentication", "challengeresponseauthentication")
        if effective.words("usepam", ["yes"]) == ["yes"] and any(
            effective.words(word) == ["yes"] for word in interactive
        ):
            methods.append("keyboard-interactive")
    return methods


def _is_satisfied(steps: str, methods: Sequence[str], means: Means) -> bool:
    wanted = [step.split(":")[0] for step in steps.split(",")]  # such as keyboard-interactive:pam
    return all(step in methods for step in wanted) and wanted.count("publickey") <= means.keys


def _closed_words(effective: Effective, means: Means) -> List[str]:
    """The settings that switch off a method for which the admin has a key or a password."""
    found = []
    if means.keys and effective.words("pubkeyauthentication", ["yes"]) != ["yes"]:
        found.append("PubkeyAuthentication no in sshd's configuration")
    if means.password and "password" not in _open_methods(effective, means):
        found.append("PasswordAuthentication no in sshd's configuration")
    return found


def refuse_root(effective: Effective, means: Means) -> str:
    """Why sshd refuses root; "" if it does not. PermitRootLogin applies to the user id 0."""
    value = (effective.words("permitrootlogin") or ["yes"])[0]
    if value in ("no", "forced-commands-only"):
        return "PermitRootLogin %s in sshd's configuration" % value
    if value != "yes" and not means.keys:
        return "PermitRootLogin %s in sshd's configuration, and there is no key" % value
    return ""


def key_commands(effective: Effective) -> List[str]:
    """The settings by which sshd may accept a key that is in no authorized_keys file."""
    found = []
    for word, name in (
        ("authorizedkeyscommand", "AuthorizedKeysCommand"),
        ("trustedusercakeys", "TrustedUserCAKeys"),
    ):
        value = " ".join(effective.values(word)[:1])
        if value not in ("", "none"):
            found.append("%s %s" % (name, value))
    return found


# -- where sshd listens
# --------------------------------------------------------------------------------------------------


def judge_listening(effective: Effective, addresses: Sequence[str]) -> Tuple[str, str]:
    """Whether sshd listens where somebody from outside can reach it.

    Args:
        effective: the configuration that is in force.
        addresses: this host's addresses, IPv4 and IPv6, without loopback and link-local ones;
            empty if they are unknown.

    Returns:
        Why nobody can reach it, "" if somebody can; and a remark about its port, "" for none.
    """
    shown = _listen_addresses(effective)
    listens = [_split(each) for each in shown]
    if not listens or not addresses:
        return "", ""
    reached = [port for host, port in listens if _is_reached(host, addresses)]
    if not reached:
        return (
            "sshd listens on no address that others reach: ListenAddress %s" % " ".join(shown),
            "",
        )
    if "22" not in reached:
        return "", "sshd listens on port %s, not on 22" % " ".join(dict.fromkeys(reached))
    return "", ""


def listens_for(effective: Effective, address: str) -> bool:
    """Whether sshd listens for connections of an address's family."""
    hosts = [_split(each)[0] for each in _listen_addresses(effective)]
    return not hosts or any((":" in host) == (":" in address) for host in hosts)


def _listen_addresses(effective: Effective) -> List[str]:
    return [word for each in effective.values("listenaddress") for word in words_of(each)[:1]]


def _split(text: str) -> Tuple[str, str]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), port


def _is_reached(host: str, addresses: Sequence[str]) -> bool:
    # sshd opens ``::`` for IPv6 only.
    if host == "0.0.0.0":  # noqa: S104 - as sshd prints it
        return any("." in each for each in addresses)
    if host == "::":
        return any(":" in each for each in addresses)
    return host in addresses


# -- inner
# --------------------------------------------------------------------------------------------------


def _algorithms_of(key: PublicKey) -> Sequence[str]:
    if key.kind == "ssh-rsa":
        return RSA_SIGNATURES
    # A key on a security key may also sign as webauthn.
    if key.kind == "sk-ecdsa-sha2-nistp256@openssh.com":
        return (key.kind, "webauthn-" + key.kind)
    return (key.kind,)


def _number(effective: Effective, word: str) -> int:
    return read_digits("".join(effective.words(word)[:1])) or 0
