"""Run by test_dropbear_real.py in namespaces of its own: what the login check says, beside what
this machine's dropbear does.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import Any, Dict, List, NamedTuple, Tuple

from lightinit.host.system import System
from lightinit.model import Instance, SshKey, User
from lightinit.modules import ssh_authorized_keys, users
from tests.lib.ssh_banner import wait_for_banner
from tests.real_tools.namespaced.accounts import apply, call, enter, hide, must
from tests.real_tools.namespaced.login import PORT, get, log_in, put
from tests.real_tools.namespaced.login_words import BOTH, KEY, OWN, PASSWORD, SECRET, ask, make_bob

UNIT = "/etc/systemd/system/dropbear.service"
UNIT_TEXT = """[Service]
Environment=DROPBEAR_PORT=22
EnvironmentFile=-/etc/default/dropbear
ExecStart=/usr/sbin/dropbear -EF $DROPBEAR_EXTRA_ARGS
"""
FOLDER, FILE = "/home/bob/.ssh", "/home/bob/.ssh/authorized_keys"


class Case(NamedTuple):
    """A host on which bob may or may not log in.

    Attributes:
        options: of dropbear.
        shell: what is run after the keys are in place.
        means: what the platform gives bob.
        key: the type of the key.
    """

    options: str = ""
    shell: str = ""
    means: str = KEY
    key: str = "ed25519"


CASES: Dict[str, Case] = {
    "plain": Case(),
    "rsa": Case(key="rsa"),
    "a home that others may write to": Case(shell="chmod 0777 /home/bob"),
    "a folder that others may write to": Case(shell="chmod 0770 " + FOLDER),
    "a folder of another": Case(shell="chown daemon " + FOLDER),
    "a file that others may write to": Case(shell="chmod 0660 " + FILE),
    "root's file": Case(
        shell="chown -R root %s; chmod 0755 %s; chmod 0644 %s" % (FOLDER, FOLDER, FILE)
    ),
    "root's secret": Case(shell="chown root %s; chmod 0600 %s" % (FILE, FILE)),
    "no file": Case(shell="rm " + FILE),
    "another key": Case(shell="cp /run/other.pub %s; chown bob %s" % (FILE, FILE)),
    "a shell that is not listed": Case(
        shell="echo /bin/sh > /etc/shells; usermod -s /bin/bash bob"
    ),
    "no passwords": Case("-s"),
    "no passwords, and no key": Case("-s", means=PASSWORD),
    "password": Case(means=PASSWORD),
    "no password for root": Case("-g -w", means=PASSWORD),
    "both are wanted": Case("-t", means=BOTH),
    "both are wanted, and a key is there": Case("-t"),
    "both are wanted, and a password is there": Case("-t", means=PASSWORD),
    "a group of bob's": Case("-G adm"),
    "another group": Case("-G daemon"),
    "a forced command": Case("-c /bin/false"),
    "locked": Case(shell="usermod -L bob"),
    "nologin": Case(shell="echo closed > /etc/nologin"),
}
KEPT = ("/etc/shells",)


def try_case(case: Case, before: Dict[str, str]) -> Dict[str, Any]:
    call("sh", "-c", "rm -rf /home/bob/.ssh /etc/nologin; chmod 0755 /home/bob")
    must("usermod", "-s", "/bin/bash", "bob")
    for path, text in before.items():
        put(path, text)
    put("/etc/default/dropbear", '# x\nDROPBEAR_EXTRA_ARGS="%s"\n' % case.options)
    admin = make_bob(case.means, case.shell, case.key)
    seen: Dict[str, Any] = {"said": ask(admin)}
    process = subprocess.Popen(
        ["/usr/sbin/dropbear", "-EF", "-r", "/run/hostkey", "-p", PORT, *shlex.split(case.options)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_banner(process, int(PORT))
        options: Tuple[str, ...] = ()
        if case.means != PASSWORD:
            options += ("-i", "/run/" + case.key)
        if case.means == KEY:
            options += ("-o", "BatchMode=yes")
        seen["in"] = log_in(SECRET, *options).split("\n")[-1] == "bob"
    finally:
        process.terminate()
        process.wait()
    return seen


def cases() -> Dict[str, Any]:
    before = {path: get(path) for path in KEPT}
    return {name: try_case(case, before) for name, case in CASES.items()}


def addresses() -> Dict[str, Any]:
    """What the check says of -p: [why nobody gets in, doubts] for each."""
    seen: Dict[str, Any] = {}
    key = SshKey(get("/run/ed25519.pub"))
    admin = User("bob", (key,), False)
    ssh_authorized_keys.apply(Instance("real", admin=admin), System("/"), {})
    for port in ("127.0.0.1:22", OWN + ":22", "2200", "[::]:22"):
        put("/etc/default/dropbear", "DROPBEAR_EXTRA_ARGS='-p %s'\n" % port)
        seen[port] = ask(admin)
    put("/etc/default/dropbear", "DROPBEAR_EXTRA_ARGS='-s -y'\n")
    seen["an option that it does not know"] = ask(admin)
    put("/etc/default/dropbear", "DROPBEAR_EXTRA_ARGS='-p [::]:22'\n")
    os.unlink(UNIT)
    seen["nobody reads it"] = ask(admin)
    put("/etc/init.d/dropbear", "#!/bin/sh\n. /etc/default/dropbear\ndropbear $DROPBEAR_OPTS\n")
    put("/etc/default/dropbear", "DROPBEAR_OPTS='-p 127.0.0.1:22'\n")
    seen["a script reads it"] = ask(admin)
    return seen


def begun_keys() -> Dict[str, Any]:
    """Host keys that are begun early: what is started, and whether the keys are good."""
    from lightinit.host.ssh import early
    from lightinit.modules import ssh_host_keys

    call("sh", "-c", "rm -rf /etc/dropbear")
    system, settings = System("/"), {"keep_existing": False}
    starts: List[str] = []
    system.on_command = lambda argv, duration_s, code: starts.append(" ".join(argv[1:3]))
    ssh_host_keys.begin(system, settings)
    before = os.path.exists("/etc/dropbear")
    outcome = ssh_host_keys.apply(Instance("real"), system, settings)
    early.abandon(system)
    keys = ["/etc/dropbear/" + name for name in os.listdir("/etc/dropbear")]
    return {
        "before": before,
        "starts": sorted(starts),
        "said": [outcome.message, list(outcome.warnings)],
        "keys": sorted(call("dropbearkey", "-y", "-f", key).split()[4] for key in keys),
        "left": [name for name in os.listdir("/etc") if name.endswith(".lightinit-new")],
    }


if __name__ == "__main__":
    enter(int(sys.argv[2]))
    must("ip", "link", "set", "lo", "up")
    must("ip", "address", "add", OWN + "/32", "dev", "lo")
    hide("sshd")
    call("sh", "-c", "rm -rf /etc/ssh /etc/init.d/dropbear /etc/conf.d/dropbear")
    put(UNIT, UNIT_TEXT)
    must("dropbearkey", "-t", "ed25519", "-f", "/run/hostkey")
    for name, kind in (("ed25519", "ed25519"), ("rsa", "rsa"), ("other", "ed25519")):
        must("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", "/run/" + name)
    apply(users, "bob", groups=("adm",))
    print(
        json.dumps({each.__name__: each for each in (cases, addresses, begun_keys)}[sys.argv[1]]())
    )
