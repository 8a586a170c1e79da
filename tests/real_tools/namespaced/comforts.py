"""Run by test_comforts_real.py in namespaces of its own: what must not cost a VM, with this
machine's tools, on a copy of its /etc.

Prints one JSON document: what it saw. See accounts.py, whose enclosure this is.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any, Callable, Dict, List

from lightinit.modules import hostname, users
from tests.real_tools.namespaced.accounts import apply, call, enter, must

HOOK = "/etc/shadow-maint/useradd-post.d/50-index"


def put(path: str, text: str, mode: int = 0o644) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
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


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [hook, store, sealed]

if __name__ == "__main__":
    enter(int(sys.argv[2]))
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
