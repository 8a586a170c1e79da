"""Run by test_login_check_real.py in namespaces of its own: what the login check says, beside what
this machine's sshd and PAM do.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Tuple

from lightinit.errors import LightinitError
from lightinit.host.system import System
from lightinit.login import CHECKS, load_check
from lightinit.login.admin import make_question
from lightinit.model import Instance, SshKey, User
from lightinit.modules import ssh_authorized_keys, users
from tests.real_tools.namespaced.accounts import call, enter, must
from tests.real_tools.namespaced.login import CONFIG, DROP_INS, Sshd, apply, get, log_in, put

OWN, OUTSIDE, NEAR = "10.9.8.7", "192.0.2.1", "10.9.8.1"


class Case(NamedTuple):
    """A host on which bob may or may not log in.

    Attributes:
        config: sshd_config.
        files: further files, by path; a mode after a tab in the path.
        key: the type of the key that the platform gives.
        shell: what is run before the keys are put in place.
    """

    config: str
    files: Dict[str, str] = {}
    key: str = "ed25519"
    shell: str = ""


PAM_ACCESS = "account required pam_access.so\naccount required pam_unix.so\n"
CASES: Dict[str, Case] = {
    "plain": Case("UsePAM yes\n"),
    "rsa": Case("UsePAM yes\n", key="rsa"),
    # R3: key types
    "key types": Case(
        "PubkeyAcceptedAlgorithms ssh-ed25519,sk-ssh-ed25519@openssh.com\n", key="rsa"
    ),
    "key types, the other": Case("PubkeyAcceptedAlgorithms rsa-sha2-*\n"),
    "key types taken away": Case("PubkeyAcceptedAlgorithms -ssh-ed25519*\n"),
    "key types in a match": Case("Match User bob\nPubkeyAcceptedAlgorithms ecdsa-*\n"),
    "key types in the unit's options": Case(
        "UsePAM yes\n",
        {"/etc/default/ssh": "# x\nSSHD_OPTS='-4 -o PubkeyAcceptedAlgorithms=ecdsa-* -d'\n"},
    ),
    "size": Case("RequiredRSASize 3072\n", key="rsa"),
    "size, enough": Case("RequiredRSASize 2048\n", key="rsa"),
    "no keys": Case("PubkeyAuthentication no\n"),
    "methods": Case("AuthenticationMethods publickey,password\n"),
    "two keys": Case("AuthenticationMethods publickey,publickey\n"),
    "methods, one is enough": Case("AuthenticationMethods publickey,password publickey\n"),
    "no sessions": Case("MaxSessions 0\n"),
    "revoked without a list": Case("RevokedKeys /etc/ssh/none-such\n"),
    "listens here only": Case("ListenAddress 127.0.0.1\n"),
    "listens on an address of nobody": Case("ListenAddress 10.7.7.7\nListenAddress 127.0.0.1\n"),
    "listens for IPv6": Case("AddressFamily inet6\n"),
    # R4: the way to the file
    "roots folder": Case(
        "AuthorizedKeysFile /etc/ssh/keys/%u\n", shell="mkdir -m 0700 /etc/ssh/keys"
    ),
    "roots folder with secrets": Case(
        "AuthorizedKeysFile /etc/ssh/keys/%u\n",
        {"/etc/ssh/keys/other": "a secret\n"},
        shell="chmod 0700 /etc/ssh/keys",
    ),
    "a secret, but another file": Case(
        "AuthorizedKeysFile /etc/ssh/keys/%u .ssh/authorized_keys\n",
        {"/etc/ssh/keys/other": "a secret\n"},
        shell="chmod 0700 /etc/ssh/keys",
    ),
    "a folder above": Case(
        "AuthorizedKeysFile /srv/deep/er/%u\n", shell="mkdir -p /srv/deep/er; chmod 0750 /srv/deep"
    ),
    "roots home": Case(
        "AuthorizedKeysFile /root/keys/%u\n", shell="mkdir -p /root/keys; chmod 0700 /root"
    ),
    "a home that others may write to": Case("UsePAM yes\n", shell="chmod 0777 /home"),
    "not strict": Case("StrictModes no\n", shell="chmod 0777 /home"),
    # R5: a file of all accounts
    "shared first": Case("AuthorizedKeysFile /etc/ssh/authorized_keys .ssh/authorized_keys\n"),
    "shared only": Case("AuthorizedKeysFile /etc/ssh/authorized_keys\n"),
    "shared, percent": Case("AuthorizedKeysFile /etc/ssh/%%u .ssh/authorized_keys\n"),
    "a blank": Case('AuthorizedKeysFile "/etc/ssh/keys/of people/%u"\n'),
    "an unknown token": Case("AuthorizedKeysFile /etc/ssh/keys/%k/%u .ssh/authorized_keys\n"),
    "a path in the home": Case("AuthorizedKeysFile /home/bob/.ssh/authorized_keys\n"),
    "a path in the home, not strict": Case(
        "StrictModes no\nAuthorizedKeysFile /home/bob/.ssh/authorized_keys\n"
    ),
    "a percent": Case("AuthorizedKeysFile /etc/ssh/keys/%%/%u\n"),
    "the id": Case("AuthorizedKeysFile /etc/ssh/keys/%U\n"),
    "a root's file": Case("Match User bob\nAuthorizedKeysFile /root/.ssh/authorized_keys\n"),
    "for bob only": Case("Match User bob\nAuthorizedKeysFile /etc/ssh/bobs\n"),
    "for some": Case("Match User b*,root\nAuthorizedKeysFile /etc/ssh/bobs %h/k\n"),
    # R6: from where
    "own network": Case("Match Address *,!10.0.0.0/8,!127.0.0.0/8\nDenyUsers *\n"),
    "own network, users": Case("Match Address *,!10.0.0.0/8\nAllowUsers eve\n"),
    "own network, keys": Case("Match Address *,!10.9.0.0/16\nPubkeyAuthentication no\n"),
    "outside only": Case("Match Address 10.0.0.0/8\nDenyUsers *\n"),
    "a network elsewhere": Case("Match Address *,!203.0.113.0/24\nDenyUsers *\n"),
    "local address": Case("Match LocalAddress 10.9.8.7\nPubkeyAuthentication no\n"),
    "local port": Case("Port 2222\nMatch LocalPort 2222\nPubkeyAuthentication no\n"),
    "rdomain": Case("Match RDomain vrf7\nDenyUsers *\n"),
    "nowhere": Case("Match Address *\nDenyUsers *\n"),
    # R7: PAM's account stage
    "nologin": Case("UsePAM yes\n", {"/etc/nologin": "closed\n"}),
    "nologin without PAM": Case("UsePAM no\n", {"/etc/nologin": "closed\n"}),
    "nologin not asked": Case(
        "UsePAM yes\n",
        {"/etc/nologin": "closed\n", "/etc/pam.d/sshd": "account required pam_unix.so\n"},
    ),
    "nologin of this boot": Case("UsePAM yes\n", {"/run/nologin": "System is booting up.\n"}),
    "access": Case(
        "UsePAM yes\n",
        {"/etc/security/access.conf": "-:ALL EXCEPT root:ALL\n", "/etc/pam.d/sshd": PAM_ACCESS},
    ),
    "access, local": Case(
        "UsePAM yes\n",
        {
            "/etc/security/access.conf": "+:bob:LOCAL tty1\n-:ALL:ALL\n",
            "/etc/pam.d/sshd": PAM_ACCESS,
        },
    ),
    "access, a group": Case(
        "UsePAM yes\n",
        {
            "/etc/security/access.conf": "+:(adm):ALL\n-:ALL:ALL\n",
            "/etc/pam.d/sshd": PAM_ACCESS,
        },
    ),
    "access, own network": Case(
        "UsePAM yes\n",
        {
            "/etc/security/access.conf": "+:bob:10.0.0.0/8\n-:ALL:ALL\n",
            "/etc/pam.d/sshd": PAM_ACCESS,
        },
    ),
    "access, not asked": Case("UsePAM yes\n", {"/etc/security/access.conf": "-:ALL:ALL\n"}),
    "access without PAM": Case(
        "UsePAM no\n",
        {"/etc/security/access.conf": "-:ALL:ALL\n", "/etc/pam.d/sshd": PAM_ACCESS},
    ),
    "succeed_if": Case(
        "UsePAM yes\n",
        {"/etc/pam.d/sshd": "account requisite pam_succeed_if.so user ingroup eves quiet\n"},
    ),
    "succeed_if, met": Case(
        "UsePAM yes\n",
        {
            "/etc/pam.d/sshd": "account requisite pam_succeed_if.so uid >= 1000 quiet\n"
            "account sufficient pam_succeed_if.so user ingroup adm\naccount required pam_deny.so\n"
        },
    ),
    "listfile": Case(
        "UsePAM yes\n",
        {
            "/etc/pam.d/sshd": "account required pam_listfile.so item=user sense=allow"
            " onerr=fail file=/etc/ssh/allowed\n",
            "/etc/ssh/allowed": "eve\n",
        },
    ),
    "a module that is gone": Case(
        "UsePAM yes\n",
        {"/etc/pam.d/sshd": "account required pam_gone.so\naccount required pam_unix.so\n"},
    ),
    "a hyphen for a module that is gone": Case(
        "UsePAM yes\n",
        {"/etc/pam.d/sshd": "-account required pam_gone.so\naccount required pam_unix.so\n"},
    ),
}
KEPT = ("/etc/default/ssh", "/etc/pam.d/sshd", "/etc/security/access.conf", CONFIG)


def begin() -> None:
    """Enter the namespaces, with an own address, empty folders and host keys."""
    enter(int(sys.argv[2]))
    must("ip", "link", "set", "lo", "up")
    must("ip", "address", "add", OWN + "/32", "dev", "lo")
    for folder in ("/srv", "/root"):
        must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", folder)
    must("ssh-keygen", "-A")
    call("mkdir", "-p", DROP_INS)


def wanted_cases(known: Iterable[str]) -> List[str]:
    """The names of the cases that the caller wants; by default all."""
    return sys.argv[3].split("|") if len(sys.argv) > 3 and sys.argv[3] else list(known)


def ask(admin: User) -> List[Any]:
    """What the checks say: [why nobody gets in, doubts]."""
    question = make_question(System("/"), Instance("real", admin=admin), admin, True)
    assert question is not None
    answers = [load_check(name)(question) for name in CHECKS]
    shut = [answer.shut for answer in answers if answer.shut]
    return ["".join(shut[:1]), [doubt for answer in answers for doubt in answer.doubts]]


def log_in_from(address: str, *more: str, key: str) -> bool:
    """Whether bob gets in from an address, by the key."""
    options = ["-i", "/run/" + key, "-o", "BatchMode=yes", "-o", "HostName=" + OWN]
    must("ip", "address", "add", address + "/32", "dev", "lo")
    try:
        return log_in("", *options, "-b", address, *more).split("\n")[-1] == "bob"
    finally:
        must("ip", "address", "del", address + "/32", "dev", "lo")


def try_case(case: Case, before: Dict[str, str]) -> Dict[str, Any]:
    call("sh", "-c", "rm -rf /home/bob/.ssh /home/bob/k /etc/ssh/keys /etc/ssh/authorized_keys")
    call("sh", "-c", "rm -rf /etc/nologin /run/nologin /srv/deep /etc/ssh/bobs /etc/ssh/%u")
    call("chmod", "0755", "/home")
    for path, text in before.items():
        put(path, text)
    put(CONFIG, case.config)
    for path, text in case.files.items():
        put(path, text)
    if case.shell:
        must("sh", "-c", case.shell)
    admin = User("bob", (SshKey(get("/run/%s.pub" % case.key)),), False)
    try:
        outcome = ssh_authorized_keys.apply(Instance("real", admin=admin), System("/"), {})
        seen: Dict[str, Any] = {"keys": [outcome.message, list(outcome.warnings)]}
    except LightinitError as error:
        return {"keys": [error.reason, str(error)], "said": ["", []], "in": [None, None]}
    seen["said"] = ask(admin)
    if case.config.startswith("ListenAddress") or case.config.startswith("AddressFamily"):
        return dict(seen, **{"in": [None, None]})
    options: Tuple[str, ...] = ()
    if "/etc/default/ssh" in case.files:
        options = ("-4", "-oPubkeyAcceptedAlgorithms=ecdsa-*")
    with Sshd(*options):
        key = case.key
        seen["in"] = [log_in_from(OUTSIDE, key=key), None]
        if "Address" in case.config or "10." in str(case.files):
            seen["in"][1] = log_in_from(NEAR, key=key)
    return seen


def cases() -> Dict[str, Any]:
    for kind in ("ed25519", "rsa"):
        must("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", "/run/" + kind)
        if kind == "rsa":
            call("rm", "-f", "/run/rsa", "/run/rsa.pub")
            must("ssh-keygen", "-q", "-t", kind, "-b", "2048", "-N", "", "-f", "/run/" + kind)
    apply(users, groups=("adm",))
    before = {path: get(path) for path in KEPT}
    return {name: try_case(CASES[name], before) for name in wanted_cases(CASES)}


def unanswered() -> Dict[str, Any]:
    """sshd does not answer, or only without some words."""
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/ed25519")
    apply(users)
    admin = User("bob", (SshKey(get("/run/ed25519.pub")),), False)
    put(CONFIG, "UsePAM yes\n")
    apply(ssh_authorized_keys, login=False, keys=(get("/run/ed25519.pub"),))
    seen: Dict[str, Any] = {}
    put(CONFIG, "UsePAM yes\nNoSuchWord 7\n")
    seen["faulty"] = ask(admin)
    put(CONFIG, "UsePAM yes\n")
    must("cp", "/usr/sbin/sshd", "/run/real-sshd")
    put("/run/old-sshd", OLD)
    os.chmod("/run/old-sshd", 0o755)
    must("mount", "--bind", "/run/old-sshd", "/usr/sbin/sshd")
    seen["old"] = ask(admin)
    put(CONFIG, "UsePAM yes\nAllowUsers eve\n")
    seen["old, shut"] = ask(admin)
    put(
        "/run/old-sshd",
        "#!/bin/sh\n[ $1 != -t ] || exit 0\necho \"'Match Moon' in configuration\" >&2; exit 255\n",
    )
    time.sleep(0.01)
    put(CONFIG, "UsePAM yes\nAllowUsers eve\n# \n")
    seen["no answer"] = ask(admin)
    call("umount", "/usr/sbin/sshd")
    call("sh", "-c", "rm -f /etc/ssh/ssh_host_*")
    put(CONFIG, "UsePAM yes\n")
    seen["no host keys"] = ask(admin)
    return seen


# A sshd before 7.7 knows no rdomain, one before 6.1 no laddr.
OLD = r"""#!/bin/sh
for word in rdomain laddr lport; do
    case "$*" in *"$word="*)
        echo "Invalid test mode specification $word=x" >&2; exit 1;;
    esac
done
exec /run/real-sshd "$@"
"""


def starts() -> Dict[str, Any]:
    """How often sshd is started."""
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/ed25519")
    apply(users)
    key = get("/run/ed25519.pub")
    admin = User("bob", (SshKey(key),), False)
    instance, system = Instance("real", admin=admin), System("/")
    counts: List[Tuple[str, ...]] = []
    system.on_command = lambda argv, duration_s, code: counts.append(tuple(argv))
    seen: Dict[str, Any] = {}
    for name in ("UsePAM yes\n", "UsePAM yes\nMatch Address 10.0.0.0/8\nBanner none\n"):
        put(CONFIG, name)
        del counts[:]
        ssh_authorized_keys.apply(instance, system, {})
        question = make_question(system, instance, admin, True)
        assert question is not None
        for check in CHECKS:
            load_check(check)(question)
        seen[name] = len([argv for argv in counts if argv[0].endswith("sshd")])
    return seen


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [cases, unanswered, starts]

if __name__ == "__main__":
    begin()
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
