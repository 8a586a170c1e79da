"""Run by test_generalize_real.py in namespaces of its own: `lightinit generalize` and `clean` on
the live machine there.

Prints one JSON document: what it saw. All that these commands change lies on file systems in
memory; it refuses to start when it does not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Callable, Dict, List

from lightinit.model import Instance, SshKey, User
from tests.lib.scratch import HERE
from tests.real_tools.namespaced.accounts import KEY, apply, call, enter, facts, hide, must

COMMAND = "cd %s && exec %s -m lightinit " % (HERE, sys.executable)
MEMORY = ("/var/lib", "/var/log", "/var/spool", "/var/db", "/var/mail", "/root", "/boot", "/efi")
REMOVED = {
    "/root/.bash_history",
    "/var/lib/dhcp/dhclient.eth0.leases",
    "/var/lib/systemd/random-seed",
    "/var/log/journal/0123456789abcdef0123456789abcdef/system.journal",
}
DELUSER = """#!/bin/sh
# Stands in for busybox deluser: no options but --remove-home, the account files alone.
if [ "$1" = --help ]; then
    echo "BusyBox v0 stand-in. Usage: deluser [--remove-home] USER"; exit 0
fi
[ $# = 1 ] && grep -q "^$1:" /etc/passwd || exit 1
sed -i "/^$1:/d" /etc/passwd /etc/shadow /etc/group /etc/gshadow
sed -i -e "s/\\([:,]\\)$1,/\\1/" -e "s/[,]$1\\$//" -e "s/:$1\\$/:/" /etc/group /etc/gshadow
"""


def cover_temporary_files() -> None:
    """Hide this machine's own temporary files. The sources, which may be below /tmp, stay seen."""
    sources = "/run/lightinit-sources"
    os.mkdir(sources)
    must("mount", "--bind", HERE, sources)
    for folder in ("/tmp", "/var/tmp"):
        must("mount", "-t", "tmpfs", "-o", "mode=1777", "lightinit", folder)
    if HERE.startswith(("/tmp/", "/var/tmp/")):
        os.makedirs(HERE)
        must("mount", "--bind", sources, HERE)


def prepare() -> None:
    """A machine that was provisioned with the account bob, and used."""
    from lightinit.formats.secrets import redact
    from lightinit.host.system import System
    from lightinit.modules import ssh_host_keys, users
    from lightinit.state import State

    cover_temporary_files()
    for folder in MEMORY:
        if os.path.isdir(folder):
            must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", folder)
    for folder in ("/var/lib", "/var/log", "/root", "/var/spool", "/tmp", "/var/tmp"):
        if not os.path.ismount(folder):
            sys.exit("this is the machine itself: nothing is done")
    apply(users, "bob")
    apply(ssh_host_keys)
    state = State(System("/"), "first")
    state.make_current()
    state.save_instance(Instance("first", admin=User("bob", (SshKey(KEY),), False)), redact)
    for name in sorted(REMOVED) + [
        "/var/spool/cron/crontabs/bob",
        "/var/spool/mail/bob",
        "/home/bob/deep/er/file",
    ]:
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "w") as handle:
            handle.write("x\n")
    for name in ("/home/bob/deep", "/home/bob/deep/er"):
        os.chown(name, 0, 0)
    with open("/etc/machine-id", "w") as handle:
        handle.write("0123456789abcdef0123456789abcdef\n")
    with open("/etc/hostname", "w") as handle:
        handle.write("used\n")
    wants = "/etc/systemd/system/multi-user.target.wants"
    os.makedirs(wants, exist_ok=True)
    with open("/etc/systemd/system/lightinit.service", "w") as handle:
        handle.write("[Service]\nExecStart=/bin/true\n")
    if not os.path.lexists(wants + "/lightinit.service"):
        os.symlink("../lightinit.service", wants + "/lightinit.service")


def look() -> Dict[str, Any]:
    with open("/etc/machine-id") as one, open("/etc/hostname") as other:
        return {
            "user": call("getent", "passwd", "bob"),
            "group": call("getent", "group", "bob"),
            "member": call(
                "sh", "-c", "grep -c bob /etc/group /etc/gshadow /etc/shadow /etc/subuid || true"
            ),
            "home": os.listdir("/home"),
            "cron": call("sh", "-c", "ls /var/spool/cron/crontabs /var/spool/mail"),
            "machine_id": one.read(),
            "hostname": other.read(),
            "left": sorted(name for name in REMOVED if os.path.exists(name)),
            "keys": [name for name in os.listdir("/etc/ssh") if "host" in name],
            "rule": os.path.exists("/etc/sudoers.d/zz-lightinit-users"),
            "visudo": call("visudo", "-cq"),
            "pwck": call("pwck", "-rq"),
            "grpck": call("grpck", "-r"),
            "locks": [
                name
                for name in os.listdir("/etc")
                if name.endswith((".lock", "+")) and name[0] != "."
            ],
        }


def by_its_own_user() -> Dict[str, Any]:
    """bob, logged in with more than this one process, makes the image: sudo lightinit generalize
    --user --yes.
    """
    prepare()
    other = subprocess.Popen(["su", "-s", "/bin/sh", "bob", "-c", "cd && exec sleep 300"])
    try:
        while call("pgrep", "-u", "bob", "sleep").startswith("exit"):
            pass
        said = call(
            "su",
            "-s",
            "/bin/sh",
            "bob",
            "-c",
            "cd && sudo -n sh -c '%sgeneralize --user --yes' && echo and the session went on"
            % COMMAND,
        )
        seen = look()
        runs = other.poll() is None
    finally:
        subprocess.run(["pkill", "-P", str(other.pid)])
        other.terminate()
        other.wait()
    again = call("sh", "-c", COMMAND + "generalize --user --yes")
    return dict(seen, said=said, runs=runs, again=again)


def and_then_booted() -> Dict[str, Any]:
    """After generalize an instance gets keys and an account anew, and the plain tools of the system
    work.
    """
    from lightinit.modules import ssh_host_keys, users

    prepare()
    said = call("sh", "-c", COMMAND + "generalize --user --yes")
    without = call("sshd", "-t")
    os.unlink("/etc/systemd/system/multi-user.target.wants/lightinit.service")
    keys = apply(ssh_host_keys).message
    not_enabled = call("sh", "-c", COMMAND + "generalize --yes")
    user = apply(users, "bob").message
    return {
        "said": said,
        "without": without,
        "keys": keys,
        "not_enabled": not_enabled,
        "sshd": call("sshd", "-t"),
        "user": user,
        "facts": facts("bob"),
        "machine_id": call("systemd-machine-id-setup", "--print"),
    }


def with_a_password() -> Dict[str, Any]:
    """S2: bob has a password, and every tool and habit has left copies that name him."""
    prepare()
    password = subprocess.run(["chpasswd"], input=b"bob:secret-of-bob\n")
    password.check_returncode()
    must("usermod", "-c", "Bob", "bob")
    must("chage", "-W", "8", "bob")  # leaves a shadow- with the hash
    files = ["passwd", "shadow", "group", "gshadow", "subuid", "subgid"]
    os.makedirs("/var/backups", exist_ok=True)
    must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", "/var/backups")
    for name in files:
        if os.path.exists("/etc/" + name):
            for copy in ("/etc/%s.bak", "/etc/%s~", "/var/backups/%s.bak", "/etc/%s.org"):
                must("cp", "-p", "/etc/" + name, copy % name)
    os.makedirs("/var/lib/hyperv")
    os.makedirs("/var/spool/cron/atjobs")
    for path, text in (
        ("/var/lib/hyperv/.kvp_pool_1", "vm_id=5c9fd3a1"),
        ("/var/lib/hyperv/.kvp_pool_3", "VirtualMachineId"),
        (
            "/etc/sudoers.d/90-cloud-init-users",
            "# User rules for bob\nbob ALL=(ALL) NOPASSWD:ALL\n",
        ),
        ("/var/spool/cron/atjobs/a0000101234567", "x"),
        ("/var/log/lastlog", "x"),
        ("/var/log/faillog", "x"),
    ):
        with open(path, "w") as handle:
            handle.write(text)
    os.symlink("/usr", "/tmp/to-usr")
    must(
        "su",
        "-s",
        "/bin/sh",
        "bob",
        "-c",
        "ln -s /usr ~/to-usr; mkdir /tmp/bobs; ln -s /etc /tmp/bobs/x",
    )
    must("chown", "bob:bob", "/var/spool/cron/atjobs/a0000101234567")
    os.makedirs("/tmp/share")
    must("mount", "-t", "tmpfs", "lightinit", "/tmp/share")
    with open("/tmp/share/data", "w") as handle:
        handle.write("x")
    before = call("sh", "-c", "grep -lrsw bob /etc /var/backups | sort")
    plan = call("sh", "-c", COMMAND + "generalize --user --dry-run")
    unchanged = call("sh", "-c", "grep -lrsw bob /etc /var/backups | sort") == before
    said = call("sh", "-c", COMMAND + "generalize --user --yes")
    return {
        "before": before.split("\n"),
        "plan": plan,
        "unchanged": unchanged,
        "said": said,
        "left": call("sh", "-c", "grep -lrsw bob /etc /var/backups /var/spool /var/lib; true"),
        "pool": [os.path.getsize("/var/lib/hyperv/.kvp_pool_%d" % each) for each in (1, 3)],
        "tmp": sorted(os.listdir("/tmp")),
        "share": os.listdir("/tmp/share"),
        "logs": [os.path.getsize("/var/log/" + each) for each in ("lastlog", "faillog")],
        "jobs": os.listdir("/var/spool/cron/atjobs"),
        "copies": sorted(name for name in os.listdir("/etc") if name.endswith("-")),
        "again": call("sh", "-c", COMMAND + "generalize --user --yes"),
        "pwck": call("pwck", "-rq"),
    }


def without_tools() -> Dict[str, Any]:
    hide("userdel", "deluser")
    prepare()
    said = call("sh", "-c", COMMAND + "clean --user --machine-id --ssh-host-keys")
    return dict(look(), said=said)


def busybox() -> Dict[str, Any]:
    hide("userdel")
    with open("/run/deluser", "w") as handle:
        handle.write(DELUSER)
    os.chmod("/run/deluser", 0o755)
    must("mount", "--bind", "/run/deluser", "/usr/sbin/deluser")
    prepare()
    said = call("sh", "-c", COMMAND + "clean --user")
    return dict(look(), said=said)


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [
    by_its_own_user,
    and_then_booted,
    with_a_password,
    without_tools,
    busybox,
]

if __name__ == "__main__":
    enter(int(sys.argv[2]))
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
