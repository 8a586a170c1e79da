"""Run by test_ssh_folder_real.py in namespaces of its own: an /etc/ssh in which lightinit cannot
read all, or write nothing, and whether this machine's sshd lets bob in.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
from typing import Any, Dict, NamedTuple

from lightinit.model import SshKey, User
from lightinit.modules import ssh_authorized_keys, ssh_host_keys, ssh_password_login, users
from tests.real_tools.namespaced.accounts import call, must, name_of
from tests.real_tools.namespaced.login import CONFIG, DROP_INS, Sshd, apply, attempt, get, put
from tests.real_tools.namespaced.login_check import (
    OUTSIDE,
    ask,
    begin,
    log_in_from,
    wanted_cases,
)

# Longer than what lightinit reads of a file.
LONG = "".join("# line %d of many\n" % number for number in range(70000))
SETTLED = "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"


class Case(NamedTuple):
    """A host.

    Attributes:
        config: sshd_config.
        shell: what is run before the modules.
        login: whether the platform wants password login.
        files: how many files sshd_config.d has.
    """

    config: str
    shell: str = ""
    login: bool = False
    files: int = 0


READ_ONLY = "mount --bind /etc/ssh /etc/ssh; mount -o remount,bind,ro /etc/ssh"
CASES: Dict[str, Case] = {
    "large": Case(SETTLED + LONG),
    "large, passwords": Case("UsePAM yes\nPasswordAuthentication yes\n" + LONG),
    "large, and nobody gets in": Case(SETTLED + "AllowUsers eve\n" + LONG),
    "large, with another file for keys": Case(
        SETTLED + LONG + "AuthorizedKeysFile /etc/ssh/keys/%u\n", "mkdir /etc/ssh/keys"
    ),
    "many": Case("Include /etc/ssh/sshd_config.d/*.conf\n" + SETTLED, files=3000),
    "read-only": Case(SETTLED, READ_ONLY),
    "read-only, passwords": Case("UsePAM yes\nPasswordAuthentication yes\n", READ_ONLY),
    "read-only, without host keys": Case(SETTLED, "rm /etc/ssh/ssh_host_*; " + READ_ONLY),
}


def try_case(case: Case) -> Dict[str, Any]:
    call("umount", "/etc/ssh")
    call("sh", "-c", "rm -rf /home/bob/.ssh /etc/ssh/keys /etc/ssh/sshd_config.d/*")
    must("ssh-keygen", "-A")
    put(CONFIG, case.config)
    for number in range(case.files):
        put("%s/50-%d.conf" % (DROP_INS, number), "# %d\n" % number)
    if case.shell:
        must("sh", "-c", case.shell)
    key = get("/run/ed25519.pub")
    seen: Dict[str, Any] = {
        name_of(module): attempt(module, login=case.login, keys=(key,))
        for module in (ssh_host_keys, ssh_authorized_keys, ssh_password_login)
    }
    seen["said"] = ask(User("bob", (SshKey(key),), case.login))
    if "without" in case.shell or not call("sshd", "-t").startswith("exit"):
        with Sshd():
            seen["in"] = log_in_from(OUTSIDE, key="ed25519")
    return seen


def cases() -> Dict[str, Any]:
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/ed25519")
    apply(users)
    return {name: try_case(CASES[name]) for name in wanted_cases(CASES)}


if __name__ == "__main__":
    begin()
    print(json.dumps(cases()))
