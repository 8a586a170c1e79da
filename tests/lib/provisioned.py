"""Scratch roots that look provisioned, and `lightinit clean` on them."""

from __future__ import annotations

import json
import os
from typing import Any, List

from lightinit.formats.accounts.privileges import HEADER
from tests.lib.scratch import Machine

PASSWD = "root:x:0:0:root:/root:/bin/sh\nmail:x:8:8::/var/mail:/bin/sh\n"


ID = "0123456789abcdef0123456789abcdef\n"


def record(machine: Machine, instance: str, admin: Any) -> None:
    """What the fetch stage leaves, as far as it matters here."""
    machine.put(
        "/var/lib/lightinit/instances/%s/instance.json" % instance,
        json.dumps(
            {
                "id": instance,
                "platform": "azure",
                "hostnames": [],
                "admin": (
                    {"name": admin, "ssh_keys": [], "password_login": False} if admin else None
                ),
            }
        ),
    )


def provisioned(root: Any, *names: str) -> Machine:
    """A machine whose instances, one for each name, were provisioned by editing the account
    files.
    """
    machine = Machine(root)
    passwd, shadow, group = (
        PASSWD,
        "root:*:19000:0:99999:7:::\n",
        "root:x:0:\nadm:x:4:syslog,%s\nsudo:x:27:%s\n",
    )
    group %= (",".join(names), ",".join(names))
    for number, name in enumerate(names):
        passwd += "%s:x:%d:%d::/home/%s:/bin/bash\n" % (name, 1000 + number, 1000 + number, name)
        shadow += "%s:*:19000:0:99999:7:::\n" % name
        group += "%s:x:%d:\n" % (name, 1000 + number)
        machine.put("/home/%s/.bash_history" % name, "x\n")
        if os.geteuid() == 0:
            os.chown("%s/home/%s" % (machine.root, name), 1000 + number, 1000 + number)
        machine.put("/var/mail/" + name, "x\n")
        record(machine, "instance-%d" % number, name)
    rules = "".join(
        "Defaults:%s !targetpw, !rootpw, !runaspw\n%s ALL=(ALL:ALL) ALL\n" % (name, name)
        for name in names
    )
    for path, text in (
        ("/etc/passwd", passwd),
        ("/etc/shadow", shadow),
        ("/etc/group", group),
        ("/etc/gshadow", group.replace(":x:", ":!:")),
        ("/etc/subuid", "%s:100000:65536\n" % names[0]),
        ("/etc/sudoers.d/zz-lightinit-users", HEADER + rules),
    ):
        machine.put(path, text)
    return machine


def clean(machine: Machine, *flags: str) -> List[str]:
    ended = machine.run("clean", *flags)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def enable(machine: Machine) -> None:
    """Install lightinit's unit, and let systemd start it."""
    machine.put("/usr/lib/systemd/system/lightinit.service", "[Unit]\n")
    os.makedirs(machine.root + "/etc/systemd/system/multi-user.target.wants", exist_ok=True)
    os.symlink(
        "/usr/lib/systemd/system/lightinit.service",
        machine.root + "/etc/systemd/system/multi-user.target.wants/lightinit.service",
    )
