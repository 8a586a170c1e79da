"""The words of ``sshd -T`` that end every connection or session, or make it less than a shell.

Pure. Semantics: sshd_config(5). What each word of it can do to a login is in docs/login-check.md.
"""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.sshd_config import in_pattern_list

SHOWN_CHARS = 120
# What clients offer without being told to (OpenSSH 7.4 to 10). By the word, as sshd_config has it.
OFFERED: Dict[str, Sequence[str]] = {
    "Ciphers": (
        "chacha20-poly1305@openssh.com",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
    ),
    "KexAlgorithms": (
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512",
        "sntrup761x25519-sha512",
        "sntrup761x25519-sha512@openssh.com",
        "mlkem768x25519-sha256",
    ),
    "MACs": (
        "umac-64-etm@openssh.com",
        "umac-128-etm@openssh.com",
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha1-etm@openssh.com",
        "umac-64@openssh.com",
        "umac-128@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
        "hmac-sha1",
    ),
    "HostKeyAlgorithms": (
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-512",
        "rsa-sha2-256",
        "ssh-ed25519-cert-v01@openssh.com",
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "ecdsa-sha2-nistp384-cert-v01@openssh.com",
        "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        "rsa-sha2-512-cert-v01@openssh.com",
        "rsa-sha2-256-cert-v01@openssh.com",
    ),
}
# These need no MAC.
_AEAD = ("chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")}


def refuse_session(effective: Effective) -> str:
    """Which word keeps every session out; "" for none."""
    if effective.words("maxsessions") == ["0"]:
        return "MaxSessions 0 in sshd's configuration"
    if effective.words("refuseconnection") == ["yes"]:
        return "RefuseConnection yes in sshd's configuration"
    for word in ("MaxAuthTries", "PerSourceMaxStartups"):
        if effective.words(word) == ["0"]:
            return "%s 0 in sshd's configuration" % word
    return ""


def doubt_session(effective: Effective) -> List[str]:
    """The words that give the admin something else than a shell, or make a login hard."""
    found = []
    for word, name in (("forcecommand", "ForceCommand"), ("chrootdirectory", "ChrootDirectory")):
        value = " ".join(effective.values(word)[:1])
        if value not in ("", "none"):
            found.append(
                "sshd gives no plain shell: %s %s"
                % (name, value.encode("ascii", "replace").decode())
            )
    if effective.words("permittty") == ["no"]:
        found.append("sshd gives no terminal: PermitTTY no")
    if effective.words("maxauthtries") == ["1"]:
        found.append("sshd takes the first key or password alone: MaxAuthTries 1")
    if effective.words("kerberosorlocalpasswd") == ["no"] and effective.words(
        "kerberosauthentication"
    ) == ["yes"]:
        found.append("sshd takes passwords of Kerberos alone: KerberosOrLocalPasswd no")
    return found + [each for each in map(_doubt_algorithms, OFFERED, [effective] * 4) if each]


def _doubt_algorithms(name: str, effective: Effective) -> str:
    """Why many clients cannot agree with sshd on algorithms of one kind."""
    accepted = _accepted(effective, name)
    if not accepted or any(each in OFFERED[name] for each in accepted):
        return ""
    if name == "MACs" and any(each in _AEAD for each in _accepted(effective, "Ciphers")):
        return ""
    return "many clients cannot connect: %s %s" % (name, ",".join(accepted)[:SHOWN_CHARS])


def _accepted(effective: Effective, name: str) -> List[str]:
    return [each for each in "".join(effective.words(name)[:1]).split(",") if each]


def refuse_host_keys(effective: Effective, kinds: Sequence[str]) -> str:
    """Why sshd can prove to nobody which host it is; "" if it can.

    Args:
        effective: the configuration that is in force.
        kinds: the types of all its host keys.
    """
    accepted = "".join(effective.words("hostkeyalgorithms")[:1])
    if not accepted or not kinds:
        return ""
    signatures: List[str] = []
    for kind in kinds:
        signatures += _SIGNATURES.get(kind, (kind,))
    if any(in_pattern_list(each, accepted) for each in signatures):
        return ""
    return "sshd has no host key for HostKeyAlgorithms %s" % accepted[:SHOWN_CHARS]


def split_root(effective: Effective) -> Tuple[str, bool]:
    """(the root directory of sessions, with its tokens; "" for none, whether a shell is needed)."""
    value = " ".join(effective.values("chrootdirectory")[:1])
    if value in ("", "none"):
        return "", False
    forced = " ".join(effective.values("forcecommand")[:1])
    return value, not forced.startswith("internal-sftp")
