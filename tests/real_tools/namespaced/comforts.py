"""Run by test_comforts_real.py in namespaces of its own: what must not cost a VM, with this
machine's tools, on a copy of its /etc.

Prints one JSON document: what it saw. See accounts.py, whose enclosure this is.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import sys
from typing import Any, Callable, Dict, List

from lightinit.host.system import System
from lightinit.modules import hostname, ssh_host_keys, users
from tests.real_tools.namespaced.accounts import apply, call, enter, hide, must

HOOK = "/etc/shadow-maint/useradd-post.d/50-index"


def put(path: str, text: str, mode: int = 0o644) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)  # it may be a link out of /etc
    with open(path, "w") as handle:
        handle.write(text)
    os.chmod(path, mode)


def hook() -> Dict[str, Any]:
    """useradd's hook leaves a process behind that has useradd's output open."""
    put(HOOK, "#!/bin/sh\nsleep 3600 &\necho $! > /run/hook\n", 0o755)
    outcome = apply(users, "bob")
    with open("/run/hook") as handle:
        pid = handle.read().strip()
    return {
        "outcome": [outcome.message, list(outcome.warnings)],
        "account": call("getent", "passwd", "bob").split(":")[0],
        "alive": os.path.exists("/proc/%s" % pid),
    }


def store() -> Dict[str, Any]:
    """The files with the host's name are links into a read-only file system."""
    os.mkdir("/run/store")
    must("mount", "-t", "tmpfs", "lightinit", "/run/store")
    put("/run/store/hostname", "image\n")
    put("/run/store/hosts", "127.0.0.1 localhost\n")
    must("mount", "-o", "remount,ro", "/run/store")
    for name in ("hostname", "hosts"):
        if os.path.lexists("/etc/" + name):
            os.unlink("/etc/" + name)
        os.symlink("/run/store/" + name, "/etc/" + name)
    return named()


def sealed() -> Dict[str, Any]:
    """All of /etc is read-only."""
    put("/etc/hostname", "image\n")
    must("mount", "-o", "remount,bind,ro", "/etc")
    return named()


def named() -> Dict[str, Any]:
    socket.sethostname("image")
    outcome = apply(hostname)
    with open("/etc/hostname") as handle:
        text = handle.read()
    return {
        "outcome": [outcome.message, list(outcome.warnings)],
        "live": socket.gethostname(),
        "file": text,
    }


def move_sshd(folder: str) -> None:
    """Take OpenSSH's programs out of the usual folders; there are copies in ``folder`` alone."""
    os.makedirs(folder, exist_ok=True)
    for name in ("sshd", "ssh-keygen"):
        must("cp", str(System("/").tool(name)), folder)
    hide("sshd", "ssh-keygen")


def profile() -> Dict[str, Any]:
    """They are in the system's profile, as on NixOS."""
    move_sshd("/run/current-system/sw/bin")
    return host_keys()


def unit() -> Dict[str, Any]:
    """A systemd unit alone names sshd."""
    move_sshd("/run/store/abc-openssh-9.6p1/bin")
    text = "[Service]\nExecStart=/run/store/abc-openssh-9.6p1/bin/sshd -D -f /etc/ssh/sshd_config\n"
    put("/etc/systemd/system/sshd.service", text)
    return host_keys()


def runit() -> Dict[str, Any]:
    """A service of runit names it; the tools are in another folder."""
    move_sshd("/run/pkg/bin")
    os.mkdir("/run/pkg/sbin")
    must("mv", "/run/pkg/bin/sshd", "/run/pkg/sbin/sshd")
    put("/etc/service/sshd/run", "#!/bin/sh\nexec /run/pkg/sbin/sshd -D 2>&1\n", 0o755)
    return host_keys()


def openrc() -> Dict[str, Any]:
    """OpenRC's script names itself, too."""
    move_sshd("/run/pkg/sbin")
    put("/etc/init.d/sshd", "#!/sbin/openrc-run\ncommand=${SSHD:-/run/pkg/sbin/sshd}\n", 0o755)
    return host_keys()


def others_may_write() -> Dict[str, Any]:
    """Somebody else than root can change the program: it is not run."""
    move_sshd("/run/store/bin")
    os.chmod("/run/store/bin", 0o777)
    put("/etc/systemd/system/sshd.service", "[Service]\nExecStart=/run/store/bin/sshd -D\n")
    return host_keys()


KEEPER = (
    '{"userName": "keeper", "uid": %d, "gid": %d, "disposition": "regular",'
    ' "homeDirectory": "/home/keeper", "shell": "/bin/sh"}'
)


def userdb() -> Dict[str, Any]:
    """Records of userdb have an account with the first free id, and a group of bob's name."""
    taken = max([999] + [each.pw_uid for each in pwd.getpwall() if 1000 <= each.pw_uid < 60000]) + 1
    put("/etc/userdb/keeper.user", KEEPER % (taken, taken))
    put("/etc/userdb/keeper.group", '{"groupName": "keeper", "gid": %d}' % taken)
    put("/etc/userdb/bob.group", '{"groupName": "bob", "gid": 59123}')
    for link, name in (("%d.user", "keeper"), ("%d.group", "keeper")):
        os.symlink(name + link[2:], "/etc/userdb/" + link % taken)
    os.symlink("bob.group", "/etc/userdb/59123.group")
    put("/etc/nsswitch.conf", "passwd: files systemd\ngroup: files systemd\n")
    seen: Dict[str, Any] = {"taken": call("id", "-un", str(taken))}
    apply(users, "bob")
    seen["bob"] = call("id", "-gn", "bob")
    hide("useradd", "adduser")
    apply(users, "eve")
    seen["eve"] = int(call("id", "-u", "eve")) != taken and call("id", "-gn", "eve")
    outcome = apply(users, "keeper")
    seen["keeper"] = outcome.message.split(", ")[0]
    seen["home"] = call("stat", "-c", "%U:%G", "/home/keeper", "/home/keeper/.profile")
    return seen


def host_keys() -> Dict[str, Any]:
    """The module, on a machine that has the image's key."""
    for name in os.listdir("/etc/ssh"):
        if name.startswith("ssh_host_"):
            os.unlink("/etc/ssh/" + name)
    for folder in ("/etc/systemd/system", "/usr/lib/systemd/system"):
        call("sh", "-c", "mount --bind /dev/null %s/ssh.service" % folder)
    put("/etc/ssh/ssh_host_ed25519_key", "the image's\n", 0o600)
    outcome = apply(ssh_host_keys)
    with open("/etc/ssh/ssh_host_ed25519_key") as handle:
        return {
            "outcome": [outcome.message, list(outcome.warnings)],
            "new": "OPENSSH PRIVATE KEY" in handle.read(),
        }


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [
    hook,
    store,
    sealed,
    profile,
    unit,
    runit,
    openrc,
    others_may_write,
    userdb,
]

if __name__ == "__main__":
    enter(int(sys.argv[2]))
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
