"""Run by test_privileges_real.py in namespaces of its own: what the login check says about becoming
root after the module users is done, beside what this machine's sudo and doas do.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Callable, Dict, List, NamedTuple

from lightinit.host.system import System
from lightinit.login import load_check
from lightinit.login.admin import make_question
from lightinit.model import Instance, User
from lightinit.modules import users
from lightinit.settings.shipped import SHIPPED
from tests.real_tools.namespaced.accounts import apply, as_user, call, enter, hide, must
from tests.real_tools.namespaced.privileges import INCLUDE, MAIN, ask, put, set_rules

MOUNTED = ("/usr/bin/sudo", "/usr/bin/doas")


class Case(NamedTuple):
    """What happens to the host after the module users.

    Attributes:
        rules: a file in sudoers.d that is read last.
        shell: what is run.
    """

    rules: str = ""
    shell: str = ""


def bind(tool: str, command: str) -> str:
    """A copy of a program in its place, after a command on the copy."""
    copy = "mkdir -p /run/copy && cd /run/copy && cp -p /usr/bin/%s . && " % tool
    return copy + "%s && mount --bind %s /usr/bin/%s" % (command, tool, tool)


def pam(service: str, module: str, name: str = "", text: str = "") -> str:
    """A command that adds a module to a service's stage account, and writes its file."""
    add = "echo 'account required %s' >> /etc/pam.d/%s" % (module, service)
    if not name:
        return add
    return add + "; printf -- '%s\\n' > /etc/security/%s.conf" % (text, name)


# sudo is asked here, and there is no doas.
SUDO_CASES: Dict[str, Case] = {
    "as it was": Case(),
    "a later rule": Case("%adm ALL=(ALL:ALL) ALL\n"),
    "forbidden": Case("bob ALL=(ALL) !ALL\n"),
    "a shell is forbidden": Case("bob ALL=(ALL) NOPASSWD: ALL, !/bin/sh\n"),
    "for some days": Case("bob ALL=(ALL) NOTAFTER=20200101000000Z NOPASSWD: ALL\n"),
    "for some days, alone": Case(
        "bob ALL=(ALL) NOTAFTER=20200101000000Z NOPASSWD: ALL\n",
        "rm /etc/sudoers.d/zz-lightinit-users",
    ),
    "in another root": Case("bob ALL=(ALL) CHROOT=/run NOPASSWD: ALL\n"),
    "an exempt group": Case("%adm ALL=(ALL:ALL) ALL\nDefaults exempt_group=adm\n"),
    "exempt, but not bob": Case("%adm ALL=(ALL:ALL) ALL\nDefaults exempt_group=daemon\n"),
    "for another host": Case("bob elsewhere=(ALL) PASSWD: ALL\n"),
    "for this host": Case("bob elsewhere=(ALL) PASSWD: ALL\n", "hostname elsewhere"),
    "always asks": Case("Defaults:bob authenticate\nbob ALL=(ALL) PASSWD: ALL\n"),
    "as somebody else": Case("bob ALL=(nobody) PASSWD: ALL\n"),
    "lightinit's rule is gone": Case(shell="rm /etc/sudoers.d/zz-lightinit-users"),
    "not setuid": Case(shell=bind("sudo", "chmod 0755 sudo")),
    "not root's": Case(shell=bind("sudo", "chown daemon sudo; chmod 4755 sudo")),
    "nosuid": Case(
        shell="mkdir -p /run/nosuid && mount -t tmpfs -o nosuid none /run/nosuid &&"
        " cp -p /usr/bin/sudo /run/nosuid && mount --bind /run/nosuid/sudo /usr/bin/sudo"
    ),
    "for a group": Case(shell=bind("sudo", "chgrp daemon sudo; chmod 4750 sudo")),
    "for a group of bob": Case(shell=bind("sudo", "chgrp adm sudo; chmod 4750 sudo")),
    "others may write to it": Case(shell="chmod 0666 /etc/sudoers.d/zz-*"),
    "sudoers of another": Case(shell="chown daemon /etc/sudoers"),
    "a syntax error": Case("bob ALL = ( ( ALL\n"),
    "in another root, by a setting": Case("Defaults runchroot=/run\n"),
    "in a directory that is gone": Case("bob ALL=(ALL) CWD=/nowhere NOPASSWD: ALL\n"),
    "in one that is gone, by a setting": Case("Defaults runcwd=/nowhere\n"),
    "in one that is there": Case("Defaults runcwd=/run\n"),
    "without exec": Case("Defaults noexec\n"),
    "without exec, by a rule": Case("bob ALL=(ALL) NOEXEC: NOPASSWD: ALL\n"),
    "as nobody by default": Case("Defaults runas_default=nobody\n"),
    "PAM refuses": Case(shell=pam("sudo", "pam_deny.so")),
    "PAM refuses sudo -i": Case(shell=pam("sudo-i", "pam_deny.so")),
    "PAM is not asked": Case("Defaults !pam_acct_mgmt\n", pam("sudo", "pam_deny.so")),
    "PAM's access": Case(shell=pam("sudo", "pam_access.so", "access", "-:bob:ALL")),
    "PAM's access, here": Case(
        shell=pam("sudo", "pam_access.so", "access", "+:bob root:LOCAL\\n-:ALL:ALL")
    ),
    "PAM's access, from a network": Case(
        shell=pam("sudo", "pam_access.so", "access", "+:bob:10.0.0.0/8\\n-:ALL:ALL")
    ),
    "PAM's time": Case(shell=pam("sudo", "pam_time.so", "time", "sudo;*;bob;!Al0000-2400")),
    "PAM's group": Case(shell=pam("sudo", "pam_succeed_if.so user ingroup daemon")),
    "PAM's module is gone": Case(shell=pam("sudo", "pam_gone.so")),
}
DOAS_CASES: Dict[str, Case] = {
    "as it was": Case(),
    "denied": Case(shell="echo deny bob >> /etc/doas.conf"),
    "asks": Case(shell="echo permit :adm >> /etc/doas.conf"),
    "others may write to it": Case(shell="chmod 0666 /etc/doas.conf"),
    "not root's": Case(shell="chown bob /etc/doas.conf"),
    "gone": Case(shell="rm /etc/doas.conf"),
    "a syntax error": Case(shell="echo permit permit >> /etc/doas.conf"),
    "not setuid": Case(shell=bind("doas", "chmod 0755 doas")),
    "for one command": Case(shell="echo permit nopass bob cmd true > /etc/doas.conf"),
    "for another user": Case(shell="echo permit nopass bob as daemon > /etc/doas.conf"),
    "PAM refuses": Case(shell=pam("doas", "pam_deny.so")),
}
KEPT = (
    "/etc/pam.d/sudo",
    "/etc/pam.d/sudo-i",
    "/etc/pam.d/doas",
    "/etc/security/access.conf",
    "/etc/security/time.conf",
)


def try_each(cases: Dict[str, Case], tool: str) -> Dict[str, Any]:
    """[doubts, whether bob becomes root] for each case."""
    seen: Dict[str, Any] = {}
    call("sh", "-c", "mkdir /run/kept; cp --parents %s /run/kept" % " ".join(KEPT))
    for name, case in cases.items():
        call("cp", "-a", "/run/kept/etc", "/")
        call("rm", "-f", "/etc/doas.conf")
        set_rules(MAIN + INCLUDE, {})
        must("chown", "root", "/etc/sudoers")
        must("hostname", "vm")
        apply(users, "bob", groups=("adm",))
        if case.rules:
            put("/etc/sudoers.d/zzz", case.rules)
        if case.shell:
            must("sh", "-c", case.shell)
        doubts = ask("bob")
        seen[name] = [doubts, as_user("bob", "cd /; %s -n id -u" % tool).split("\n")[-1] == "0"]
        for path in MOUNTED:
            if os.path.ismount(path) and os.stat(path).st_size:
                must("umount", path)
    return seen


def sudo() -> Dict[str, Any]:
    hide("doas")
    return try_each(SUDO_CASES, "sudo")


def doas() -> Dict[str, Any]:
    hide("sudo", "visudo")
    return try_each(DOAS_CASES, "doas")


def both() -> Dict[str, Any]:
    """If one of them lets bob become root, that is enough. If none is there, it is told once."""
    set_rules(MAIN + INCLUDE, {})
    seen: Dict[str, Any] = {"users": list(apply(users, "bob", groups=("adm",)).warnings)}
    put("/etc/sudoers.d/zzz", "bob ALL=(ALL) PASSWD: ALL\n")
    put("/etc/doas.conf", "permit nopass bob\n", 0o600)
    seen["doas is enough"] = ask("bob")
    put("/etc/doas.conf", "permit bob\n", 0o600)
    seen["neither is"] = ask("bob")
    seen["no rights wished"] = ask("bob", privileges="none")
    seen["a password wished"] = ask("bob", privileges="password")
    must("sh", "-c", "echo bob:secret | chpasswd")
    seen["with a password"] = ask("bob")
    seen["a password wished, and there"] = ask("bob", privileges="password")
    hide("sudo", "visudo", "doas")
    warnings = list(apply(users, "bob", groups=("adm",)).warnings)
    seen["none is there"] = [warnings, ask("bob")]
    return seen


def starts() -> Dict[str, Any]:
    """The commands of sudo and doas that are run, by the module and by the check together."""
    system, instance = System("/"), Instance("real", admin=User("bob"))
    ran: List[str] = []
    system.on_command = lambda argv, duration_s, code: ran.append(" ".join(argv))
    seen: Dict[str, Any] = {}
    for name in ("once", "changed in between"):
        set_rules(MAIN + INCLUDE, {})
        del ran[:]
        settings = {setting.key: setting.default for setting in SHIPPED["users"].settings}
        users.apply(instance, system, settings)
        if name != "once":
            put("/etc/sudo-more", "bob ALL=(ALL) PASSWD: ALL\n")
            put("/etc/sudoers", MAIN + INCLUDE + "@include sudo-more\n")
        question = make_question(system, instance, User("bob"), True, "auto")
        assert question is not None
        for _ in range(2):
            doubts = len(load_check("root")(question).doubts)
        asked = [line for line in ran if "sudo -n -l" in line]
        seen[name] = [len(asked), doubts]
        put("/etc/sudo-more", "# nothing\n")
        seen[name].append(len(load_check("root")(question).doubts))
    return seen


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [sudo, doas, both, starts]

if __name__ == "__main__":
    enter(int(sys.argv[2]))
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
