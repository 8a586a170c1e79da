"""Run by test_busybox_host_real.py in namespaces of its own: a host with busybox's tools for
accounts and dropbear, and nothing of shadow, OpenSSH's server and bash.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from typing import Any, Dict, List

from lightinit.host.accounts.removal import remove_user
from lightinit.host.system import System
from lightinit.model import Instance, SshKey, User
from lightinit.modules import ssh_authorized_keys, ssh_host_keys, users
from lightinit.settings.shipped import SHIPPED
from tests.lib.ssh_banner import wait_for_banner
from tests.real_tools.namespaced.accounts import call, enter, hide, must
from tests.real_tools.namespaced.login import PORT, Lines, get, log_in, put
from tests.real_tools.namespaced.login_words import SECRET, ask

SHADOWS = (
    "useradd usermod userdel groupadd groupmod groupdel groupmems gpasswd groups getent chage"
    " passwd chpasswd adduser addgroup deluser delgroup mkpasswd openssl visudo bash sshd systemctl"
).split()
FILES = "login.defs gshadow shells default/useradd ssh dropbear init.d/dropbear conf.d/dropbear"
BOX = "/run/busybox"
APPLETS = ("adduser", "addgroup", "chpasswd", "deluser")
# As Buildroot's, as far as it starts dropbear.
SCRIPT = """#!/bin/sh
[ ! -r /etc/default/dropbear ] || . /etc/default/dropbear
case $1 in
    start) DROPBEAR_ARGS="$DROPBEAR_ARGS -R"; /usr/sbin/dropbear -F $DROPBEAR_ARGS ;;
esac
"""


def prepare(box: str) -> None:
    """Leave what such a host has."""
    hide(*SHADOWS)
    call("sh", "-c", "cd /etc && rm -rf " + FILES)
    os.symlink("/var/run/dropbear", "/etc/dropbear")
    put("/etc/init.d/S50dropbear", SCRIPT)
    put("/etc/default/dropbear", "DROPBEAR_ARGS='-p 2222'\n")
    must("cp", box, BOX)
    must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", "/usr/local/sbin")
    for name in APPLETS:
        os.symlink(BOX, "/usr/local/sbin/" + name)


def host_keys() -> Dict[str, Any]:
    """What the module does to the image's keys, and what it tells the console."""
    lines = Lines()
    logging.getLogger("lightinit").addHandler(lines)
    logging.getLogger("lightinit").setLevel(logging.INFO)
    outcome = ssh_host_keys.apply(Instance("real"), System("/"), {"keep_existing": False})
    told = [found for line in lines.lines for found in re.findall(r"SHA256:\S+", line)]
    return {
        "message": outcome.message,
        "warnings": list(outcome.warnings),
        "told": sorted(told),
        "link": os.path.islink("/etc/dropbear"),
        "files": sorted(os.listdir("/etc/dropbear")),
    }


def offered() -> List[str]:
    """The fingerprints of the keys that the running dropbear has."""
    scanned = call("ssh-keyscan", "-T", "60", "-p", PORT, "127.0.0.1")
    lines = [line for line in scanned.split("\n") if not line.startswith("#")]
    put("/run/scanned", "".join(line + "\n" for line in lines))
    said = call("ssh-keygen", "-l", "-f", "/run/scanned")
    return sorted(set(re.findall(r"SHA256:\S+", said)))


def provision() -> User:
    """Give bob what the platform gave: a key and a password."""
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/key")
    admin = User("bob", (SshKey(get("/run/key.pub")),), True, SECRET)
    values = {setting.key: setting.default for setting in SHIPPED["users"].settings}
    users.apply(Instance("real", admin=admin), System("/"), values)
    ssh_authorized_keys.apply(Instance("real", admin=admin), System("/"), {})
    return admin


def lines_of(name: str) -> List[List[str]]:
    """The fields of bob's lines."""
    lines = [line.split(":") for line in get(name).split("\n")]
    return [fields for fields in lines if "bob" in fields[0] or "bob" in fields[-1].split(",")]


def whole(box: str) -> Dict[str, Any]:
    prepare(box)
    seen: Dict[str, Any] = {"keys": host_keys()}
    admin = provision()
    seen["said"] = ask(admin)
    seen["passwd"], seen["group"] = lines_of("/etc/passwd"), lines_of("/etc/group")
    ((_, hashed, day, *_),) = lines_of("/etc/shadow")
    seen["shadow"] = [hashed[:3], day != "0"]
    process = subprocess.Popen(
        ["/bin/sh", "/etc/init.d/S50dropbear", "start"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for_banner(process, int(PORT))
    seen["offered"] = offered()
    seen["by key"] = log_in("", "-i", "/run/key", "-o", "BatchMode=yes")
    seen["by password"] = log_in(SECRET, "-o", "PubkeyAuthentication=no")
    os.unlink("/home/bob/.ssh/authorized_keys")
    put("/etc/default/dropbear", "DROPBEAR_ARGS='-s'\n")
    seen["said with -s"] = ask(User("bob", (), True, SECRET))
    seen["removed by"] = remove_user(System("/"), "bob")
    seen["left"] = lines_of("/etc/passwd") + lines_of("/etc/shadow")
    return seen


if __name__ == "__main__":
    assert sys.argv[1] == "whole"
    enter(int(sys.argv[2]))
    must("ip", "link", "set", "lo", "up")
    print(json.dumps(whole(sys.argv[3])))
