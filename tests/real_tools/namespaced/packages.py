"""Run by test_packages_real.py in namespaces of its own: the module packages with this machine's
apt, on a root whose changes are in memory, without a network.

Prints one JSON document: what it saw. The packages are made here, and are in a folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, List

from lightinit.errors import LightinitError
from lightinit.host.init import power
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.modules import packages

REPO = "/srv/repo"
SOURCE = "deb [trusted=yes] file://%s ./" % REPO
LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/apt/lists/lock")
CONTROL = """Package: %s
Version: %s
Architecture: all
Maintainer: Test <test@example.org>
Description: made for a test
"""
TEMPLATE = "Template: %s/answer\nType: string\nDescription: made for a test\n"
BIG_BYTES = 1024 * 1024


def must(*argv: str, **more: Any) -> str:
    ended = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more
    )
    said = ended.stdout.decode("utf-8", "replace")
    assert ended.returncode == 0, "%s: %s" % (argv, said)
    return said


def enter(here: str) -> None:
    """Change into a root that has all of this machine's, and whose changes are in memory."""
    before = os.stat("/").st_dev
    must("mount", "--make-rprivate", "/")
    must("mount", "-t", "tmpfs", "-o", "mode=0755", "none", "/mnt")
    for folder in ("upper", "work", "root"):
        os.mkdir("/mnt/" + folder)
    options = "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work"
    must("mount", "-t", "overlay", "-o", options, "none", "/mnt/root")
    must("mount", "-t", "proc", "none", "/mnt/root/proc")
    must("mount", "--rbind", "/dev", "/mnt/root/dev")
    for folder in {here, os.path.realpath(sys.prefix)} - {"/usr"}:
        os.makedirs("/mnt/root" + folder, exist_ok=True)
        must("mount", "--rbind", folder, "/mnt/root" + folder)
    for folder in ("/run", "/srv", "/opt"):
        must("mount", "-t", "tmpfs", "-o", "mode=0755", "none", "/mnt/root" + folder)
    os.chroot("/mnt/root")
    os.chdir("/")
    if os.stat("/").st_dev == before:
        sys.exit("this is the machine itself: nothing is done")
    # Nothing of this machine's own takes part: neither its sources nor its hooks.
    for folder in ("/etc/apt/sources.list.d", "/etc/apt/apt.conf.d", "/etc/apt/preferences.d"):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    System("/").write("/etc/apt/sources.list", b"")


def make(name: str, version: str = "1.0", size: int = 0, **scripts: str) -> str:
    """Make a package in the repository. Returns its file."""
    folder = "/srv/%s" % name
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder + "/DEBIAN")
    with open(folder + "/DEBIAN/control", "w", encoding="ascii") as handle:
        handle.write(CONTROL % (name, version))
    for script, text in scripts.items():
        with open("%s/DEBIAN/%s" % (folder, script), "w", encoding="ascii") as handle:
            handle.write(text)
        os.chmod("%s/DEBIAN/%s" % (folder, script), 0o755)
    os.makedirs(folder + "/opt")
    with open("%s/opt/%s" % (folder, name), "wb") as content:
        content.write(os.urandom(size))
    os.makedirs(REPO, exist_ok=True)
    path = "%s/%s_%s_all.deb" % (REPO, name, version)
    must("dpkg-deb", "--root-owner-group", "--build", folder, path)
    return path


def index() -> None:
    listed = must("dpkg-scanpackages", "--multiversion", ".", cwd=REPO)
    text = listed[listed.index("Package:") : listed.rindex("\n\n") + 1]
    with open(REPO + "/Packages", "w", encoding="utf-8") as handle:
        handle.write(text)


def apply(timeout_s: float = 300.0, **values: Any) -> Dict[str, Any]:
    """The module's outcome, or its error."""
    settings: Dict[str, Any] = {"timeout_s": timeout_s}
    settings.update(packages.from_cloud_config(values))
    try:
        outcome = packages.apply(Instance("real"), System("/"), settings)
    except LightinitError as error:
        return {"error": str(error)}
    return {"message": outcome.message, "warnings": list(outcome.warnings)}


def state(name: str) -> str:
    """The state and version of a package, as dpkg has them."""
    ended = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", name],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return ended.stdout.decode()


def own(line: str = SOURCE) -> Dict[str, Any]:
    return {"sources": {"own": {"source": line}}}


# -- what is tried
# --------------------------------------------------------------------------------------------------


def installs() -> Dict[str, Any]:
    """One does not exist, the script of one fails, one asks, one is wanted in an old version."""
    make("li-good")
    make("li-pinned", "1.0")
    make("li-pinned", "2.0")
    make("li-broken", postinst="#!/bin/sh\necho its own word >&2\nexit 3\n")
    make("li-asks", postinst="#!/bin/sh\nif read answer; then exit 1; fi\n")
    index()
    names: List[Any] = ["li-good", "nosuch", ["li-pinned", "1.0"], "li-broken", "li-asks"]
    seen = apply(apt=own(), packages=names)
    every = ("li-good", "li-pinned", "li-broken", "li-asks")
    return {"first": seen, "again": apply(packages=["li-good"]), "states": list(map(state, every))}


def upgrades() -> Dict[str, Any]:
    """A changed configuration file stays; a restart is asked for."""
    make("li-old", "1.0")
    index()
    first = apply(apt=own(), packages=["li-old"])
    make("li-old", "2.0", postinst="#!/bin/sh\n: >/run/reboot-required\n")
    index()
    system = System("/")
    settings: Dict[str, Any] = {"timeout_s": 300.0}
    values = {"package_upgrade": True, "package_reboot_if_required": True}
    settings.update(packages.from_cloud_config(values))
    outcome = packages.apply(Instance("real"), system, settings)
    wish = power.find_wish(system)
    return {
        "first": first,
        "message": outcome.message,
        "state": state("li-old"),
        "wish": wish and wish.mode,
    }


def interrupted() -> Dict[str, Any]:
    """A run before was cut off between unpacking and configuring."""
    must("dpkg", "--unpack", make("li-cut"))
    make("li-more")
    index()
    before = state("li-cut")
    return {
        "before": before,
        "seen": apply(apt=own(), packages=["li-more"]),
        "cut": state("li-cut"),
    }


def locked() -> Dict[str, Any]:
    """Another process has both locks, and goes."""
    make("li-good")
    index()
    # The locks belong to a process, so another one has to hold them.
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, *LOCKS], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == b"held\n"
    threading.Timer(3.0, holder.stdin.close).start()
    return {"seen": apply(apt=own(), packages=["li-good"]), "ended": holder.wait()}


HOLD = """import fcntl, sys
handles = [open(path, "w") for path in sys.argv[1:]]
for handle in handles:
    fcntl.lockf(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def what_is_left() -> str:
    """The script's process, unless it ends: one that was killed is there a moment longer."""
    for _ in range(600):
        found = must("sh", "-c", "pgrep -f '^sleep 3600' || true").strip()
        if not found:
            break
        time.sleep(0.1)
    return found


def hangs() -> Dict[str, Any]:
    """A package's script hangs: it is killed, and the next run completes what it has left."""
    path = "/srv/go"
    script = "#!/bin/sh\ntest -e %s || { : >/srv/hangs; exec sleep 3600; }\n" % path
    make("li-hangs", postinst=script)
    make("li-good")
    index()
    assert apply(apt=own(), packages=["li-good"])["warnings"] == []
    first = apply(30.0, packages=["li-good", "li-hangs"])
    hung = os.path.exists("/srv/hangs")
    left = what_is_left()
    System("/").write(path, b"")
    again = apply(packages=["li-good", "li-hangs"])
    return {"first": first, "hung": hung, "left": left, "again": again, "state": state("li-hangs")}


def stopped() -> Dict[str, Any]:
    """lightinit gets the signal of a machine that goes down, while a script runs."""
    script = "#!/bin/sh\ntest -e /srv/go || { : >/srv/runs; exec sleep 3600; }\n"
    make("li-stopped", postinst=script)
    index()

    def stop(_number: int, _frame: Any) -> None:
        raise SystemExit(143)

    def send() -> None:
        while not os.path.exists("/srv/runs"):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=send, daemon=True).start()
    try:
        seen: Any = apply(apt=own(), packages=["li-stopped"])
    except SystemExit as error:
        seen = error.code
    left = what_is_left()
    System("/").write("/srv/go", b"")
    again = apply(packages=["li-stopped"])
    return {"seen": seen, "left": left, "again": again, "state": state("li-stopped")}


def full() -> Dict[str, Any]:
    """The disk has no room for one of two."""
    make("li-big", size=BIG_BYTES)
    make("li-good")
    index()
    must("mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "none", "/opt")
    seen = apply(apt=own(), packages=["li-big", "li-good"])
    return {"seen": seen, "good": state("li-good")}


def offline() -> Dict[str, Any]:
    """There is no network, so no list can be fetched."""
    line = "deb http://user:geheim@mirror.invalid/debian stable main"
    return apply(apt=own(line), packages=["li-good"])


def refused() -> Dict[str, Any]:
    """What only apt itself can tell: its own files stay readable."""
    make("li-good")
    index()
    bad = {"source": "deb [signed-by] http://mirror.invalid ./"}
    given = {"sources": {"own": {"source": SOURCE}, "z-bad": bad}, "conf": "a b c d;"}
    return {
        "seen": apply(apt=given, packages=["li-good"]),
        "lists": os.listdir("/etc/apt/sources.list.d"),
        "configuration": os.listdir("/etc/apt/apt.conf.d"),
    }


def answers() -> Dict[str, Any]:
    """debconf has the answer before the package asks for it."""
    config = "#!/bin/sh -e\n. /usr/share/debconf/confmodule\ndb_input high li-ask/answer || true\n"
    post = "#!/bin/sh -e\n. /usr/share/debconf/confmodule\ndb_get li-ask/answer\n"
    post += 'echo "$RET" >/run/answer\n'
    make("li-ask", templates=TEMPLATE % "li-ask", config=config, postinst=post)
    index()
    given = dict(own(), debconf_selections={"one": "li-ask li-ask/answer string forty-two"})
    seen = apply(apt=given, packages=["li-ask"])
    return {"seen": seen, "answer": System("/").read_text("/run/answer")}


def signed() -> Dict[str, Any]:
    """A signed repository, with the key's file named by the source; and with none."""
    make("li-good")
    index()
    os.makedirs("/srv/gpg", 0o700)
    gpg = ["gpg", "--homedir", "/srv/gpg", "--batch", "--quiet", "--passphrase", ""]
    must(*gpg, "--quick-gen-key", "Test <t@example.org>", "rsa2048", "sign", "never")
    key = must(*gpg, "--armor", "--export")
    must(
        "sh",
        "-c",
        "(echo 'Date:' $(date -uR); echo SHA256:;"
        " echo \" $(sha256sum Packages | cut -d' ' -f1) $(stat -c %s Packages) Packages\")"
        " >Release",
        cwd=REPO,
    )
    must(*gpg, "--clearsign", "--output", REPO + "/InRelease", REPO + "/Release")
    line = "deb [signed-by=$KEY_FILE] file://%s ./" % REPO
    without = apply(apt=own("deb file://%s ./" % REPO), packages=["li-good"])
    given = {"sources": {"own": {"source": line, "key": key, "append": False}}}
    return {"without": without, "seen": apply(apt=given, packages=["li-good"])}


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [
    installs,
    upgrades,
    interrupted,
    locked,
    hangs,
    stopped,
    full,
    offline,
    refused,
    answers,
    signed,
]

if __name__ == "__main__":
    enter(os.getcwd())
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
