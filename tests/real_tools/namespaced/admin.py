"""Run by test_admin_real.py in namespaces of its own: accounts that a server lets in, today and
after months, and accounts of the image that are for people.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

from lightinit.errors import LightinitError
from lightinit.host.system import System
from lightinit.modules import ssh_authorized_keys, users
from tests.lib.ssh_banner import wait_for_banner
from tests.real_tools.namespaced.accounts import (
    KEY,
    USER_TOOLS,
    apply,
    as_user,
    call,
    enter,
    hide,
    must,
)

SHELLS = "/etc/shells"
PORT = "2223"
ROOT_SHELL = "/bin/bash"


def put(name: str, text: str) -> None:
    with open(name, "w", encoding="utf-8") as handle:
        handle.write(text)


def make_key() -> str:
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/key")
    return " ".join(System("/").read_text("/run/key.pub").split()[:2])


def provision(name: str, key: str, **settings: Any) -> List[str]:
    """The warnings of both modules, or what went wrong."""
    try:
        first = apply(users, name, **settings)
        second = apply(ssh_authorized_keys, name, keys=[key])
    except LightinitError as error:
        return ["failed: %s" % error]
    return list(first.warnings + second.warnings)


# -- dropbear
# --------------------------------------------------------------------------------------------------


def log_in(name: str) -> str:
    """What ``id -un`` says in a login with the key."""
    process = subprocess.Popen(
        ["/usr/sbin/dropbear", "-F", "-E", "-s", "-p", "127.0.0.1:" + PORT, "-r", "/run/hostkey"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_banner(process, int(PORT))
        options = "StrictHostKeyChecking=no UserKnownHostsFile=/dev/null LogLevel=ERROR"
        argv = ["ssh", "-F", "none", "-i", "/run/key", "-p", PORT, "-o", "BatchMode=yes"]
        for option in options.split():
            argv += ["-o", option]
        return call(*argv, "%s@127.0.0.1" % name, "id -un").split("\n")[-1]
    finally:
        process.terminate()
        process.wait()


def dropbear() -> Dict[str, Any]:
    """[warnings, shell, login, /etc/shells] of a new account and of one that is there, for each
    list of shells.
    """
    hide("sshd")
    call("rm", "-rf", "/etc/ssh")
    must("dropbearkey", "-t", "ed25519", "-f", "/run/hostkey")
    key = make_key()
    lists: Dict[str, Optional[str]] = {
        "usual": "# comment\n/bin/sh\n/bin/bash\n",
        "none": None,
        "sh alone": "/bin/sh\n",
        "bash commented out": "/bin/sh # the one\n#/bin/bash\n",
        "others": "/bin/rbash\n/usr/bin/screen\n/usr/bin/dash\n",
        "restricted": "/bin/rbash\n",
        "empty": "",
    }
    seen: Dict[str, Any] = {}
    for number, (what, text) in enumerate(lists.items()):
        for is_new in (True, False):
            call("rm", "-f", SHELLS)
            if text is not None:
                put(SHELLS, text)
            name = "%s%d" % ("new" if is_new else "old", number)
            if not is_new:
                must("useradd", "-m", "-s", "/bin/bash", "-p", "*", name)
            warnings = provision(name, key)
            shell = call("getent", "passwd", name).split(":")[-1]
            seen["%s: %s" % (what, name[:3])] = [
                warnings,
                shell,
                log_in(name) == name,
                System("/").read_text(SHELLS),
            ]
    put(SHELLS, "/bin/sh\n")
    seen["wished"] = [provision("wish", key, shell="/bin/bash"), log_in("wish") == "wish"]
    return seen


# -- ageing
# --------------------------------------------------------------------------------------------------


def _shadow(name: str) -> List[str]:
    for line in System("/").read_text("/etc/shadow").split("\n"):
        if line.startswith(name + ":"):
            return line.split(":")[3:8]
    return []


def ageing() -> Dict[str, Any]:
    """The fields of shadow behind the day of the last change, as each way to make an account
    leaves them; and what chage says.
    """
    defs = "/etc/login.defs"
    must("sed", "-i", "-e", "/^PASS_M.._DAYS/d", defs)
    with open(defs, "a", encoding="utf-8") as handle:
        handle.write("PASS_MAX_DAYS 60\nPASS_MIN_DAYS 7\n")
    must("useradd", "-D", "-f", "30")
    must("useradd", "-D", "-e", "2099-12-31")
    must("useradd", "-m", "-s", "/bin/sh", "image")
    seen: Dict[str, Any] = {"alone": _shadow("image")}
    warnings = [apply(users, "image").warnings, apply(users, "bob").warnings]
    seen["warnings"] = [list(each) for each in warnings]
    seen["there already"], seen["useradd"] = _shadow("image"), _shadow("bob")
    seen["chage"] = call("chage", "-l", "bob")
    seen["again"] = apply(users, "bob").message
    must("useradd", "-m", "-s", "/bin/sh", "human")
    must("sh", "-c", "echo human:secret | chpasswd")
    apply(users, "human", login=True)
    seen["with a password"] = _shadow("human")
    seen["pwck"] = call("pwck", "-rq")
    hide(*USER_TOOLS)
    apply(users, "eve")
    seen["no tools"] = _shadow("eve")
    return seen


def _useradd_default(name: str, value: str) -> None:
    must("sed", "-i", "-e", "/^%s=/d" % name, "/etc/default/useradd")
    with open("/etc/default/useradd", "a", encoding="utf-8") as handle:
        handle.write("%s=%s\n" % (name, value))


# By name: lines of login.defs, and of default/useradd.
POLICIES: Dict[str, Tuple[Dict[str, str], Dict[str, str]]] = {
    "at once": ({"PASS_MAX_DAYS": "0"}, {}),
    "a day": ({"PASS_MAX_DAYS": "1", "PASS_WARN_AGE": "1"}, {"INACTIVE": "0"}),
    "never": ({"PASS_MAX_DAYS": "-1"}, {"INACTIVE": "-1"}),
    "too long": ({"PASS_MAX_DAYS": "100000", "PASS_MIN_DAYS": "400"}, {}),
    "no number": ({"PASS_MAX_DAYS": "soon"}, {}),
    "ended": ({}, {"EXPIRE": "2020-01-01"}),
    "ended long ago": ({}, {"EXPIRE": "1970-01-02", "INACTIVE": "7"}),
}


def policies() -> Dict[str, Any]:
    """[warnings, the fields of shadow, what a login says] for each policy; without chage."""
    hide("chage")
    defs, defaults = System("/").read_text("/etc/login.defs"), "/etc/default/useradd"
    seen: Dict[str, Any] = {}
    for number, (what, (lines, more)) in enumerate(POLICIES.items()):
        kept = [line for line in defs.split("\n") if line.split()[:1] not in [[k] for k in lines]]
        put("/etc/login.defs", "\n".join(kept + ["%s %s" % item for item in lines.items()]) + "\n")
        put(defaults, "SHELL=/bin/sh\n")
        for item in more.items():
            _useradd_default(*item)
        name = "bob%d" % number
        warnings = provision(name, KEY)
        seen[what] = [warnings, _shadow(name), as_user(name, "echo in")]
    return seen


def groups() -> Dict[str, Any]:
    """An account of the image, and a usermod that fails."""
    must("useradd", "-m", "-s", "/bin/sh", "-p", "*", "image")
    put("/run/usermod", "#!/bin/sh\necho cannot lock >&2\nexit 10\n")
    os.chmod("/run/usermod", 0o755)
    must("mount", "--bind", "/run/usermod", "/usr/sbin/usermod")
    seen: Dict[str, Any] = {"fails": provision("image", KEY)}
    must("umount", "/usr/sbin/usermod")
    seen["then"] = [provision("image", KEY), "adm" in call("id", "-nG", "image").split()]
    return seen


# -- accounts of the image
# --------------------------------------------------------------------------------------------------


def low_ids() -> Dict[str, Any]:
    """Accounts below UID_MIN: [users, keys] says of each."""
    key = make_key()
    make = ("useradd", "-p", "*")
    must(*make, "-u", "500", "-m", "-s", ROOT_SHELL, "core")
    must(*make, "-u", "501", "-m", "-s", "/usr/sbin/nologin", "nologin")
    os.mkdir("/run/lib")
    must(*make, "-u", "502", "-m", "-d", "/run/lib/database", "-s", ROOT_SHELL, "database")
    must(*make, "-u", "503", "-M", "-s", ROOT_SHELL, "homeless")
    must(*make, "-u", "504", "-M", "-d", "/home/core", "-s", ROOT_SHELL, "lodger")
    must(*make, "-u", "505", "-M", "-d", "/home", "-s", ROOT_SHELL, "landlord")
    must(*make, "-u", "510", "-m", "-s", ROOT_SHELL, "opc")
    must(*make, "-u", "511", "-m", "-s", ROOT_SHELL, "linked")
    must("mv", "/home/linked", "/run/linked")
    os.symlink("/run/linked", "/home/linked")
    must("useradd", "-u", "1500", "-m", "-s", ROOT_SHELL, "ubuntu")  # "!": never a password
    must("useradd", "-u", "1501", "-m", "-s", "/usr/bin/true", "true")
    must("useradd", "-u", "1502", "-M", "-d", "/root", "-s", ROOT_SHELL, "rooms")
    must("mount", "-t", "tmpfs", "-o", "mode=0700", "lightinit", "/root")
    names: Tuple[str, ...] = ("core", "nologin", "database", "homeless", "lodger", "landlord")
    names += ("opc", "linked", "ubuntu", "true", "rooms")
    seen: Dict[str, Any] = {name: provision(name, key) + [call("id", "-u", name)] for name in names}
    seen["root"] = os.listdir("/root")
    return seen


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [dropbear, ageing, policies, groups, low_ids]

if __name__ == "__main__":
    enter(int(sys.argv[2]))
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
