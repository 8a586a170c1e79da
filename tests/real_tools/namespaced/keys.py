"""Run by test_host_keys_real.py in namespaces of its own: the module ssh_host_keys with the
machine's ssh-keygen and sshd.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import glob
import json
import logging
import os
import signal
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List

from lightinit.host.system import System
from lightinit.model import Instance
from tests.real_tools.namespaced.accounts import apply, call, enter, must

KEYS = "/etc/ssh/ssh_host_*"
CRASH = """
import os, sys
sys.path.insert(0, %r)
from tests.real_tools.namespaced.accounts import apply
from lightinit.modules import ssh_host_keys
left = [int(sys.argv[1])]
CHANGES = (
    "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.mkdir", "os.symlink",
    "subprocess.Popen",
)
def hook(event, arguments):
    if event in CHANGES:
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)
sys.addaudithook(hook)
%s
"""
NOW = "apply(ssh_host_keys, keep_existing=False)"
# As `lightinit boot` does: begun long before.
EARLY = """
import time
from lightinit.host.ssh import early
from lightinit.host.system import System
from lightinit.model import Instance
system, settings = System("/"), {"keep_existing": False}
ssh_host_keys.begin(system, settings)
ssh_host_keys.apply(Instance("real"), system, settings)
early.abandon(system)
"""


SHORT_KEYS = """#!/bin/sh
[ "$1 $2 $3" != "-q -t rsa" ] || exec /run/real-keygen "$@" -b 1024
[ "$1 $2" = "-A -f" ] || exec /run/real-keygen "$@"
for type in rsa ecdsa ed25519; do
    [ ! -s "$3/etc/ssh/ssh_host_${type}_key" ] || continue
    bits=; [ "$type" != rsa ] || bits="-b 1024"
    /run/real-keygen -q -t "$type" $bits -N "" -f "$3/etc/ssh/ssh_host_${type}_key" || exit 1
done
"""


class Lines(logging.Handler):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def module() -> Any:
    from lightinit.modules import ssh_host_keys

    return ssh_host_keys


def state() -> Dict[str, Any]:
    found = {}
    for path in sorted(glob.glob(KEYS)):
        with open(path) as handle:
            found[os.path.basename(path)] = handle.read()
    return found


def fresh() -> Dict[str, Any]:
    """What it makes, against what `ssh-keygen -A` makes."""
    return compared(lambda: apply(module()))


def begun() -> Dict[str, Any]:
    """The same for keys that are begun early."""

    def begin_and_apply() -> Any:
        system, settings = System("/"), {"keep_existing": False}
        starts: List[str] = []
        system.on_command = lambda argv, duration_s, code: starts.append(" ".join(argv[1:4]))
        module().begin(system, settings)
        with open("/proc/sys/kernel/hostname", "w") as handle:
            handle.write("named-later")
        outcome = module().apply(Instance("real"), system, settings)
        seen.update(starts=sorted(starts), comments=call("sh", "-c", "cut -d' ' -f3 %s.pub" % KEYS))
        return outcome

    seen: Dict[str, Any] = {}
    seen.update(compared(begin_and_apply))
    return seen


def compared(make: Callable[[], Any]) -> Dict[str, Any]:
    call("sh", "-c", "rm -f %s" % KEYS)
    must("ssh-keygen", "-A")
    before = state()
    with open("/etc/ssh/ssh_host_dsa_key", "w") as handle:
        handle.write("old\n")
    lines = Lines()
    logger = logging.getLogger("lightinit.ssh_host_keys")
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    outcome = make()
    after = state()
    shown = sorted(call("ssh-keygen", "-lf", path).split()[1] for path in glob.glob(KEYS + ".pub"))
    return {
        "message": outcome.message,
        "warnings": list(outcome.warnings),
        "same_files": sorted(before) == sorted(after),
        "all_new": not set(before.values()) & set(after.values()),
        "sshd": call("sshd", "-t"),
        "told": sorted(line.split()[-1] for line in lines.lines),
        "shown": shown,
        "count": len(shown),
        "modes": sorted(
            {call("stat", "-c", "%a %U %G", path) for path in glob.glob("/etc/ssh/ssh_host_*_key")}
        ),
        "left": [name for name in os.listdir("/etc/ssh") if name.startswith(".")],
    }


def make_short_keys() -> None:
    """From now on `ssh-keygen -A` makes an RSA key of 1024 bits: a longer one takes most of a
    run's time.
    """
    must("cp", "/usr/bin/ssh-keygen", "/run/real-keygen")
    with open("/run/keygen", "w") as handle:
        handle.write(SHORT_KEYS)
    os.chmod("/run/keygen", 0o755)
    must("mount", "--bind", "/run/keygen", "/usr/bin/ssh-keygen")


def crash() -> Dict[str, Any]:
    """Killed before each change in turn; sshd starts on whatever is left, and so does the next
    run.
    """
    make_short_keys()
    return killed_at_each(NOW)


def crash_of_begun() -> Dict[str, Any]:
    """As crash, with keys that are begun early: their programs go on after the crash."""
    make_short_keys()
    return killed_at_each(EARLY)


def run_once_more() -> str:
    return str(apply(module()).message)


def killed_at_each(
    work: str, end: Callable[[], Any] = run_once_more, step: int = 1
) -> Dict[str, Any]:
    apply(module())
    wrong: List[str] = []
    ended = 9
    count = 0
    while ended == 9 and count < 200:
        ended = subprocess.run(
            [sys.executable, "-c", CRASH % (os.getcwd(), work), str(count)],
            stdout=subprocess.DEVNULL,
        ).returncode
        said = call("sshd", "-t")
        pairs = [
            path
            for path in glob.glob("/etc/ssh/ssh_host_*_key")
            if os.path.exists(path + ".pub")
            and call("ssh-keygen", "-yf", path).split()[1] != call("cat", path + ".pub").split()[1]
        ]
        if said or pairs or is_open() or not glob.glob("/etc/ssh/ssh_host_*_key"):
            wrong.append("%d: %s %s" % (count, said, pairs))
        count += step
    after = end()
    return {
        "wrong": wrong,
        "ended": ended,
        "count": count,
        "after": after,
        "left": [name for name in os.listdir("/etc/ssh") if name.startswith(".")],
    }


def is_open() -> bool:
    """Whether anybody but root could read a private key."""
    return call("find", "/etc/ssh", "-name", "*_key", "-perm", "/0077", "-type", "f") != ""


def reload() -> Dict[str, Any]:
    """A sshd that runs takes the new keys, and its process stays."""
    apply(module())
    with open("/etc/ssh/sshd_config", "w") as handle:
        handle.write("UsePAM no\nListenAddress 127.0.0.1:2222\nPidFile /run/sshd.pid\n")
    must("ip", "link", "set", "lo", "up")
    with open("/run/sshd.log", "wb") as log:
        server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e"], stderr=log)
    try:

        def scan() -> str:
            for _ in range(600):
                said = call("ssh-keyscan", "-p", "2222", "-t", "ed25519", "127.0.0.1").split()
                if "ssh-ed25519" in said:
                    return said[said.index("ssh-ed25519") + 1]
                time.sleep(0.1)
            return ""

        def wanted() -> str:
            with open("/etc/ssh/ssh_host_ed25519_key.pub") as handle:
                return handle.read().split()[1]

        first = scan() == wanted()
        outcome = apply(module())
        for _ in range(600):
            if scan() == wanted():
                break
            time.sleep(0.1)
        second = scan() == wanted()
        with open("/etc/ssh/sshd_config", "a") as handle:
            handle.write("This is no keyword\n")
        faulty = apply(module())
        time.sleep(0.3)
        # Not every version keeps its keys in memory, so that the right one is shown does not prove
        # that it was told.
        return {
            "first": first,
            "second": second,
            "told": call("grep", "-c", "Received SIGHUP", "/run/sshd.log"),
            "warnings": list(outcome.warnings),
            "runs": server.poll() is None,
            "faulty": list(faulty.warnings),
        }
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def used() -> Dict[str, Any]:
    """sshd is set to use one key, which `ssh-keygen -A` does not make: it is kept; without it the
    module fails.
    """
    from lightinit.errors import ProvisioningError

    key = "/etc/ssh/ssh_host_web_key"
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    with open("/etc/ssh/sshd_config", "w") as handle:
        handle.write("HostKey %s\n" % key)
    before = call("cat", key)
    kept = apply(module())
    same, with_it = before == call("cat", key), call("sshd", "-t")
    os.unlink(key)
    os.unlink(key + ".pub")
    try:
        said = apply(module()).message
    except ProvisioningError as error:
        said = error.reason
    return {
        "same": same,
        "message": kept.message,
        "warnings": list(kept.warnings),
        "sshd": with_it,
        "said": said,
        "without": call("sshd", "-t"),
    }


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [fresh, begun, crash, crash_of_begun, reload, used]

if __name__ == "__main__":
    enter(int(sys.argv[2]))
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
