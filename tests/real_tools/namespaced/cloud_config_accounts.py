"""Run by test_cloud_config_accounts_real.py in namespaces of its own: the accounts of a
cloud-config, with this machine's tools, or with busybox's.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, List

from lightinit.accounts.given.logins import lay_over, read_logins
from lightinit.accounts.given.passwords import RANDOM_FILE
from lightinit.host.accounts.privileges import GIVEN_FILE
from lightinit.host.system import System
from lightinit.login import CHECKS, load_check
from lightinit.login.admin import make_question
from lightinit.model import Instance, SshKey, User
from lightinit.modules import ssh_authorized_keys, ssh_password_login, users
from tests.real_tools.namespaced.accounts import as_user, call, defaults_of, enter, hide, must
from tests.real_tools.namespaced.login import CONFIG, DROP_INS, Sshd, get, log_in, put

TEXT = "Given-in-the-Document-1"
BUSYBOX_LACKS = "useradd usermod groupadd gpasswd adduser addgroup".split()
FILES = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", GIVEN_FILE)


def document(key: str) -> Dict[str, Any]:
    """Accounts of all kinds: good ones, and some that the host refuses."""
    crypted = call("openssl", "passwd", "-6", TEXT)
    ada = {
        "name": "ada",
        "gecos": "Ada L.",
        "homedir": "/home/people/ada",
        "uid": 2001,
        "primary_group": "staff2",
        "groups": ["adm", "fresh"],
        "shell": "/bin/sh",
        "lock_passwd": False,
        "plain_text_passwd": TEXT,
        "expiredate": "2062-09-01",
        "sudo": ["ALL=(ALL) NOPASSWD:ALL"],
        "ssh_authorized_keys": [key],
    }
    broken = ["ALL=(root) NOPASSWD: /usr/bin/id", "ALL=(((", "NOBODY_KNOWS_THIS", "a b = c \\"]
    return {
        "groups": ["extra", {"crew": ["ada", "bob", "nobody-here"]}],
        "users": [
            "default",
            ada,
            {"name": "Bob.Smith", "sudo": broken, "passwd": crypted},
            {"name": "bot", "system": True},
            {"name": "plain", "no_user_group": True, "no_create_home": True, "uid": 2001},
            {"name": "linked", "homedir": "/home/file"},
            {"name": "left", "ssh_redirect_user": True},
            {"name": "www-data", "groups": "extra", "shell": "/bin/sh"},
            {"name": "1234"},
        ],
        "ssh_pwauth": True,
        "password": TEXT,
        "disable_root": True,
    }


def run(values: Dict[str, Any], key: str) -> Dict[str, Any]:
    """What each module said, and then the login check."""
    instance = Instance("real", admin=User("bob", (SshKey(key),), False))
    said: Dict[str, Any] = {}
    for module in (users, ssh_authorized_keys, ssh_password_login):
        settings = defaults_of(module)
        settings.update(module.from_cloud_config(values))
        outcome = module.apply(instance, System("/"), settings)
        said[module.__name__.rpartition(".")[2]] = [outcome.message, list(outcome.warnings)]
    wish = lay_over(instance, read_logins(values))
    assert wish is not None
    question = make_question(System("/"), instance, wish.admin, True, "auto")
    assert question is not None
    answers = [load_check(name)(question) for name in CHECKS]
    said["shut"] = [answer.shut for answer in answers if answer.shut]
    said["doubts"] = [doubt for answer in answers for doubt in answer.doubts]
    return said


def shadow(name: str) -> List[str]:
    lines = [line.split(":") for line in get("/etc/shadow").split("\n")]
    return next((line for line in lines if line[0] == name), [])


def facts() -> Dict[str, Any]:
    names = ("bob", "ada", "Bob.Smith", "bot", "plain", "linked", "left", "www-data", "1234")
    return {
        "passwd": {name: call("getent", "passwd", name).split(":")[2:] for name in names},
        "groups": {name: sorted(call("id", "-nG", name).split()) for name in names},
        "shadow": {
            name: [shadow(name)[1:2], shadow(name)[2:3], shadow(name)[7:8]] for name in names
        },
        "homes": {
            path: call("stat", "-c", "%U", path)
            for path in ("/home/people/ada", "/home/Bob.Smith", "/home/plain", "/home/bot")
        },
        "pwck": call("pwck", "-rq"),
        "grpck": call("grpck", "-r"),
        "rules": get(GIVEN_FILE).split("\n")[1:],
        "visudo": call("visudo", "-cq"),
    }


def prepare() -> str:
    must("ip", "link", "set", "lo", "up")
    must("ssh-keygen", "-A")
    call("sh", "-c", "rm -rf %s/*" % DROP_INS)
    put(CONFIG, "UsePAM yes\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n")
    must("mount", "-t", "tmpfs", "-o", "mode=0700", "lightinit", "/root")
    must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", "/var/lib")
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/key")
    put("/home/file", "")
    return get("/run/key.pub").strip()


def useradd() -> Dict[str, Any]:
    key = prepare()
    values = document(key)
    seen: Dict[str, Any] = {"said": run(values, key)}
    seen.update(facts())
    seen["sudo"] = {
        "ada": as_user("ada", "sudo -n id -u"),
        "id": as_user("Bob.Smith", "sudo -n /usr/bin/id -u"),
        "ls": as_user("Bob.Smith", "sudo -n /bin/ls")[:6],
        "bob": as_user("bob", "sudo -n id -u"),
    }
    with Sshd():
        by_key = ["-i", "/run/key", "-o", "BatchMode=yes"]
        seen["by key"] = {
            name: log_in("", "-l", name, *by_key) for name in ("ada", "left", "root", "bob")
        }
        seen["by password"] = log_in(TEXT, "-l", "ada", "-o", "PubkeyAuthentication=no")
    seen["random"] = random_passwords(key)
    # Without passwords, which get another salt, nothing is left to do.
    del values["password"], values["users"][1]["plain_text_passwd"]
    run(values, key)
    before = {name: (get(name), os.stat(name).st_ino) for name in FILES}
    run(values, key)
    seen["same"] = {name: (get(name), os.stat(name).st_ino) for name in FILES} == before
    return seen


def random_passwords(key: str) -> Dict[str, Any]:
    listed = [{"name": "ada", "type": "RANDOM"}, {"name": "bob", "type": "RANDOM"}]
    said = run({"chpasswd": {"users": listed}, "ssh_pwauth": True}, key)
    found = dict(line.split(":") for line in get(RANDOM_FILE).split())
    call("sh", "-c", "sed -i 's/^\\(ada:[^:]*\\):0:/\\1:20000:/' /etc/shadow")
    with Sshd():
        answer = log_in(found["ada"], "-l", "ada", "-o", "PubkeyAuthentication=no")
    return {
        "warnings": said["users"][1],
        "doubts": said["doubts"],
        "names": sorted(found),
        "long": [len(each) for each in found.values()],
        "differ": len(set(found.values())) == 2,
        "mode": "%o" % (os.stat(RANDOM_FILE).st_mode & 0o777),
        "ada": answer,
        "bob": shadow("bob")[2],
        "told": any(each in json.dumps(said) for each in found.values()),
    }


def busybox() -> Dict[str, Any]:
    box = sys.argv[3]
    hide(*BUSYBOX_LACKS)
    for name in ("adduser", "addgroup"):
        must("mount", "--bind", box, "/usr/sbin/" + name)
    key = prepare()
    seen: Dict[str, Any] = {"said": run(document(key), key)}
    seen.update(facts())
    seen["sudo"] = as_user("ada", "sudo -n id -u")
    return seen


def doas() -> Dict[str, Any]:
    hide("sudo", "visudo")
    os.unlink("/etc/sudoers")
    key = prepare()
    listed = [
        "default",
        {"name": "ada", "sudo": ["ALL=(ALL) NOPASSWD:ALL", "ALL=(root) /bin/ls"]},
        {
            "name": "eve",
            "doas": [
                "permit nopass eve cmd id",
                "permit (((",
                "no rule",
                "permit eve nonsense here",
            ],
        },
    ]
    said = run({"users": listed}, key)
    seen = {
        "warnings": said["users"][1],
        "doubts": said["doubts"],
        "conf": get("/etc/doas.conf").split("\n"),
    }
    for name, command in (("bob", "id -u"), ("ada", "id -u"), ("eve", "id -u"), ("eve", "ls /")):
        seen["%s: %s" % (name, command)] = as_user(name, "doas -n " + command)
    return seen


SCENARIOS = {"useradd": useradd, "busybox": busybox, "doas": doas}

if __name__ == "__main__":
    enter(int(sys.argv[2]))
    print(json.dumps(SCENARIOS[sys.argv[1]]()))
