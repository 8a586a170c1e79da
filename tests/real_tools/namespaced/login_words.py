"""Run by test_login_words_real.py in namespaces of its own: what the login check says, beside what
this machine's sshd and PAM do, for logins by key, by password, by both, and by IPv6.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Tuple

from lightinit.host.system import System
from lightinit.model import Instance, SshKey, User
from lightinit.modules import ssh_authorized_keys, users
from tests.real_tools.namespaced.accounts import call, must
from tests.real_tools.namespaced.login import CONFIG, Sshd, apply, get, log_in, put
from tests.real_tools.namespaced.login_check import ask, begin, wanted_cases

OWN, OUTSIDE, NEAR = "10.9.8.7", "192.0.2.1", "10.9.8.1"
OWN6, OUTSIDE6, NEAR6 = "fd00:9:8::7", "2001:db8::1", "fd00:9:8::6"
SECRET = "a secret of bob"
PAM, LIMITS, ACCESS = "/etc/pam.d/sshd", "/etc/security/limits.conf", "/etc/security/access.conf"
REST = "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_unix.so\n"
KEY, PASSWORD, BOTH = "key", "password", "both"


class Case(NamedTuple):
    """A host on which bob may or may not log in.

    Attributes:
        config: sshd_config.
        pam: /etc/pam.d/sshd, "" for this machine's own.
        files: further files, by path.
        shell: what is run after the keys are in place.
        means: what the platform gives bob.
    """

    config: str
    pam: str = ""
    files: Dict[str, str] = {}
    shell: str = ""
    means: str = KEY


YES, NO = "UsePAM yes\n", "UsePAM no\n"
PROMPTS = "PasswordAuthentication no\nKbdInteractiveAuthentication yes\n"
WORDS: Dict[str, Case] = {
    "no tries": Case(YES + "MaxAuthTries 0\n"),
    "one try": Case(YES + "MaxAuthTries 1\n"),
    "a root of bob's": Case(
        YES + "ChrootDirectory /srv/jail\n", shell="mkdir -p /srv/jail; chown bob /srv/jail"
    ),
    "a root that is gone": Case(YES + "ChrootDirectory /srv/jail\n", shell="rm -rf /srv/jail"),
    "a root in a home": Case(YES + "ChrootDirectory %h\n"),
    "a root without a shell": Case(YES + "ChrootDirectory /srv/jail\n", shell="mkdir -p /srv/jail"),
    "no host key of that type": Case(
        YES + "HostKey /etc/ssh/ssh_host_ed25519_key\nHostKeyAlgorithms rsa-sha2-512\n"
    ),
    "a host key of that type": Case(
        YES + "HostKey /etc/ssh/ssh_host_ed25519_key\nHostKeyAlgorithms ssh-ed25519\n"
    ),
    "old ciphers": Case(YES + "Ciphers aes128-cbc\n"),
    "old key exchange": Case(YES + "KexAlgorithms diffie-hellman-group1-sha1\n"),
    "old MACs": Case(YES + "Ciphers aes128-ctr\nMACs hmac-md5\n"),
    "old MACs that are not used": Case(YES + "MACs hmac-md5\n"),
    "host keys with SHA-1": Case(YES + "HostKeyAlgorithms ssh-rsa\n"),
    "revoked": Case(
        YES + "RevokedKeys /etc/ssh/revoked\n", shell="cp /run/key.pub /etc/ssh/revoked"
    ),
    "another is revoked": Case(
        YES + "RevokedKeys /etc/ssh/revoked\n", shell="cp /run/other.pub /etc/ssh/revoked"
    ),
    "revoked by a list": Case(
        YES + "RevokedKeys /etc/ssh/revoked\n",
        shell="ssh-keygen -q -k -f /etc/ssh/revoked /run/key.pub",
    ),
    "another is revoked by a list": Case(
        YES + "RevokedKeys /etc/ssh/revoked\n",
        shell="ssh-keygen -q -k -f /etc/ssh/revoked /run/other.pub",
    ),
    "a group that lightinit adds is denied": Case(YES + "DenyGroups adm\n"),
    "a pattern of groups is denied": Case(YES + "DenyGroups root a*\n"),
    "the primary group is denied": Case(YES + "DenyGroups bob\n"),
    "a group that lightinit adds is allowed": Case(YES + "AllowGroups ops adm\n"),
    "other groups are allowed": Case(YES + "AllowGroups ops sudo\n"),
    "allowed and denied": Case(YES + "AllowUsers bob\nDenyGroups adm\n"),
    "root may not": Case(YES + "PermitRootLogin no\n"),
    "for members of a group": Case(YES + "Match Group adm\nDenyUsers bob\n"),
    "for all": Case(YES + "Match all\nAllowUsers eve\n"),
    "an included file": Case(
        YES + "Include /etc/ssh/more/*.conf\n", files={"/etc/ssh/more/a.conf": "AllowUsers eve\n"}
    ),
    "only by host": Case(YES + "AuthenticationMethods hostbased\n"),
    "key and prompt": Case(YES + "AuthenticationMethods publickey,keyboard-interactive\n"),
    "forced command": Case(YES + "ForceCommand /bin/false\n"),
    "no terminal": Case(YES + "PermitTTY no\n"),
    "a session module that is gone": Case(YES, REST + "session required pam_gone.so\n"),
    "an optional session module that is gone": Case(YES, REST + "session optional pam_gone.so\n"),
    "a session module that may be gone": Case(
        YES, REST + "session [success=ok module_unknown=ignore default=bad] pam_gone.so\n"
    ),
    "sessions are refused": Case(YES, REST + "session required pam_deny.so\n"),
    "sessions of some": Case(
        YES, REST + "session required pam_succeed_if.so quiet user ingroup ops\n"
    ),
    "no logins": Case(
        YES, REST + "session required pam_limits.so\n", {LIMITS: "* hard maxlogins 0\n"}
    ),
    "no logins, not asked": Case(YES, REST, {LIMITS: "* hard maxlogins 0\n"}),
    "no logins of a group": Case(
        YES, REST + "session required pam_limits.so\n", {LIMITS: "@adm - maxlogins 0\n"}
    ),
    "no logins of others": Case(
        YES,
        REST + "session required pam_limits.so\n",
        {LIMITS: "* hard maxlogins 0\nbob hard maxlogins 4\n"},
    ),
    "no logins without PAM": Case(
        NO, REST + "session required pam_limits.so\n", {LIMITS: "* hard maxlogins 0\n"}
    ),
    "an auth module that is gone": Case(YES, "auth required pam_gone.so\n" + REST),
}
PASSWORDS: Dict[str, Case] = {
    "password": Case(YES, means=PASSWORD),
    "password without PAM": Case(NO, means=PASSWORD),
    "no password": Case(
        YES + "PasswordAuthentication no\nKbdInteractiveAuthentication no\n", means=PASSWORD
    ),
    "prompts": Case(YES + PROMPTS, means=PASSWORD),
    "prompts without PAM": Case(NO + PROMPTS, means=PASSWORD),
    "prompts, older name": Case(
        YES + "PasswordAuthentication no\nChallengeResponseAuthentication yes\n", means=PASSWORD
    ),
    "no password for bob": Case(
        YES + "KbdInteractiveAuthentication no\nMatch User bob\nPasswordAuthentication no\n",
        means=PASSWORD,
    ),
    "auth refuses all": Case(YES, "auth required pam_deny.so\n" + REST, means=PASSWORD),
    "auth refuses all, prompts": Case(
        YES + PROMPTS, "auth required pam_deny.so\n" + REST, means=PASSWORD
    ),
    "auth is not asked": Case(NO, "auth required pam_deny.so\n" + REST, means=PASSWORD),
    "auth by an include": Case(
        YES,
        "@include sub\n" + REST,
        {"/etc/pam.d/sub": "auth requisite pam_deny.so\n"},
        means=PASSWORD,
    ),
    "auth ends before": Case(
        YES,
        "auth sufficient pam_unix.so\nauth required pam_deny.so\naccount required pam_unix.so\n",
        means=PASSWORD,
    ),
    "auth by access": Case(
        YES, "auth required pam_access.so\n" + REST, {ACCESS: "-:bob:ALL\n"}, means=PASSWORD
    ),
    "auth by a list": Case(
        YES,
        "auth required pam_listfile.so item=user sense=deny file=/etc/ssh/denied onerr=succeed\n"
        + REST,
        {"/etc/ssh/denied": "eve\nbob\n"},
        means=PASSWORD,
    ),
    "auth by a list of others": Case(
        YES,
        "auth required pam_listfile.so item=user sense=deny file=/etc/ssh/denied onerr=succeed\n"
        + REST,
        {"/etc/ssh/denied": "eve\n"},
        means=PASSWORD,
    ),
    "auth by a condition": Case(
        YES, "auth requisite pam_succeed_if.so uid < 1000 quiet\n" + REST, means=PASSWORD
    ),
    "auth by a module that is gone": Case(
        YES, "auth required pam_gone.so\n" + REST, means=PASSWORD
    ),
    "auth by a program": Case(
        YES, "auth required pam_exec.so quiet /bin/false\n" + REST, means=PASSWORD
    ),
    "both, one is enough": Case(YES, "auth required pam_deny.so\n" + REST, means=BOTH),
    "both are wanted": Case(YES + "AuthenticationMethods publickey,password\n", means=BOTH),
    "both are wanted, and one is refused": Case(
        YES + "AuthenticationMethods publickey,password\n",
        "auth required pam_deny.so\n" + REST,
        means=BOTH,
    ),
    "either": Case(
        YES + "AuthenticationMethods publickey,password publickey\n",
        "auth required pam_deny.so\n" + REST,
        means=BOTH,
    ),
    "keys are off, and the password is refused": Case(
        YES + "PubkeyAuthentication no\n", "auth required pam_deny.so\n" + REST, means=BOTH
    ),
    "keys are off": Case(YES + "PubkeyAuthentication no\n", means=BOTH),
    "a device that is not there": Case(
        YES + "AuthenticationMethods keyboard-interactive:pam\n", means=PASSWORD
    ),
}
IPV6: Dict[str, Case] = {
    "no IPv6": Case(YES + "Match Address ::/0\nDenyUsers *\n"),
    "IPv6 alone": Case(YES + "Match Address 0.0.0.0/0\nDenyUsers *\n"),
    "the own network of IPv6 alone": Case(YES + "Match Address *,!fd00:9:8::/64\nDenyUsers *\n"),
    "not the own network of IPv6": Case(YES + "Match Address fd00:9:8::/64\nDenyUsers *\n"),
    "neither": Case(YES + "Match Address 0.0.0.0/0,::/0\nDenyUsers *\n"),
    "IPv6 that is not listened for": Case(
        YES + "AddressFamily inet\nMatch Address 0.0.0.0/0\nDenyUsers *\n"
    ),
    "by local address": Case(YES + "Match LocalAddress 10.9.8.7\nPubkeyAuthentication no\n"),
}
CASES: Dict[str, Case] = dict(WORDS, **PASSWORDS)
CASES.update(IPV6)
KEPT = (PAM, LIMITS, ACCESS, CONFIG)


def log_in_from(address: str, means: str) -> bool:
    """Whether bob gets in from an address."""
    own, bits = (OWN6, 128) if ":" in address else (OWN, 32)
    options: Tuple[str, ...] = ("-o", "HostName=" + own, "-b", address)
    if means != PASSWORD:
        options += ("-i", "/run/key")
    if means == KEY:
        options += ("-o", "BatchMode=yes")
    must("ip", "address", "add", "%s/%d" % (address, bits), "dev", "lo")
    try:
        return log_in(SECRET, *options).split("\n")[-1] == "bob"
    finally:
        must("ip", "address", "del", "%s/%d" % (address, bits), "dev", "lo")


def make_bob(means: str, shell: str, key: str) -> User:
    """Give bob what the platform gave.

    Args:
        means: KEY, PASSWORD or BOTH.
        shell: a command that comes after it; "" for none.
        key: the name of the key in /run.
    """
    keys: Tuple[SshKey, ...] = ()
    if means != PASSWORD:
        keys = (SshKey(get("/run/%s.pub" % key)),)
    must("usermod", "-p", "*", "bob")
    password = ""
    if means != KEY:
        password = SECRET
        must("sh", "-c", "echo 'bob:%s' | chpasswd" % SECRET)
    admin = User("bob", keys, bool(password), password)
    ssh_authorized_keys.apply(Instance("real", admin=admin), System("/"), {})
    if shell:
        must("sh", "-c", shell)
    return admin


def try_case(name: str, case: Case, before: Dict[str, str]) -> Dict[str, Any]:
    call(
        "sh", "-c", "rm -rf /home/bob/.ssh /srv/jail /etc/ssh/more /etc/ssh/revoked /etc/pam.d/sub"
    )
    for path, text in before.items():
        put(path, text)
    put(CONFIG, case.config)
    if case.pam:
        put(PAM, case.pam)
    for path, text in case.files.items():
        put(path, text)
    admin = make_bob(case.means, case.shell, "key")
    seen: Dict[str, Any] = {"said": ask(admin)}
    try:
        with Sshd():
            seen["in"] = [log_in_from(place, case.means) for place in places_of(name)]
    except SystemExit:  # it does not start
        seen["in"] = [False]
    return seen


def places_of(name: str) -> List[str]:
    """From where bob tries to log in: outside, and for cases of IPv6 from each network."""
    if name not in IPV6:
        return [OUTSIDE]
    if "AddressFamily" in IPV6[name].config:
        return [OUTSIDE, NEAR]
    return [OUTSIDE, NEAR, OUTSIDE6, NEAR6]


def cases() -> Dict[str, Any]:
    for name in ("key", "other"):
        must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/" + name)
    apply(users, groups=("adm",))
    before = {path: get(path) for path in KEPT}
    wanted = wanted_cases(CASES)
    if any(name in IPV6 for name in wanted):
        must("ip", "address", "add", OWN6 + "/128", "dev", "lo")
    return {name: try_case(name, CASES[name], before) for name in wanted}


if __name__ == "__main__":
    begin()
    print(json.dumps(cases()))
