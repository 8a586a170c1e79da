"""Run by test_login_real.py in namespaces of its own: passwords set and used with this machine's
tools and its sshd.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Tuple

from lightinit.errors import LightinitError
from lightinit.host.system import System
from lightinit.login import CHECKS, load_check
from lightinit.login.admin import make_question
from lightinit.model import Instance, Outcome, SshKey, User
from lightinit.modules import ssh_authorized_keys, ssh_password_login, users
from tests.lib.ssh_banner import wait_for_banner
from tests.real_tools.namespaced.accounts import as_user, call, defaults_of, enter, hide, must

# Every printable character of ASCII, more of Unicode, colons, and spaces at both ends.
PASSWORD = " " + "".join(map(chr, range(32, 127))) + "\u00e4\u0416\u6f22\U0001f600::\u00a0 "
CONFIG = "/etc/ssh/sshd_config"
DROP_INS = "/etc/ssh/sshd_config.d"
PORT = "2222"
PASSWORD_TOOLS = ("chpasswd", "openssl", "mkpasswd", "passwd")


class Lines(logging.Handler):
    """Keeps what was said, at every level."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


SAID = Lines()


def apply(
    module: Any, login: Any = True, password: str = "", keys: Tuple[str, ...] = (), **settings: Any
) -> Outcome:
    values = defaults_of(module)
    values.update(settings)
    admin = User("bob", tuple(SshKey(key) for key in keys), login, password)
    outcome: Outcome = module.apply(Instance("real", admin=admin), System("/"), values)
    return outcome


def attempt(module: Any, **how: Any) -> List[Any]:
    """[message, warnings], or [reason, text]."""
    try:
        outcome = apply(module, **how)
    except LightinitError as error:
        return [error.reason, str(error)]
    return [outcome.message, list(outcome.warnings)]


def attempt_login(**how: Any) -> List[Any]:
    """As :func:`attempt` of the module ssh_authorized_keys, and then the login check."""
    said = attempt(ssh_authorized_keys, **how)
    if isinstance(said[1], str):
        return said
    keys = tuple(SshKey(key) for key in how.get("keys", ()))
    admin = User("bob", keys, how.get("login", True), how.get("password", ""))
    question = make_question(System("/"), Instance("real", admin=admin), admin, True)
    assert question is not None
    answers = [load_check(name)(question) for name in CHECKS]
    for answer in answers:
        if answer.shut:
            return ["nobody could log in", "(why=%s); %s" % (answer.shut, answer.hint)]
    return [said[0], said[1] + [doubt for answer in answers for doubt in answer.doubts]]


def put(name: str, text: str) -> None:
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "w", encoding="utf-8") as handle:
        handle.write(text)


def get(name: str) -> str:
    with open(name, encoding="utf-8") as handle:
        return handle.read()


class Sshd:
    """A sshd on loopback, with the configuration as it stands."""

    def __init__(self, *options: str) -> None:
        self.options = options

    def __enter__(self) -> "Sshd":
        self.process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-p", PORT, *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_banner(self.process, int(PORT))
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def log_in(password: str = "", *options: str) -> str:
    """What `id -u` says as bob, or why bob was not let in: with the methods that sshd offers."""
    put("/run/password", password)
    put("/run/askpass", "#!/bin/sh\ncat /run/password\n")
    os.chmod("/run/askpass", 0o700)
    ended = subprocess.run(
        [
            "setsid",
            "ssh",
            "-F",
            "none",
            "-o",
            "KexAlgorithms=curve25519-sha256",
            "-p",
            PORT,
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "LogLevel=ERROR",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "NumberOfPasswordPrompts=1",
            *options,
            "bob@127.0.0.1",
            "id -nu",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        env=dict(os.environ, SSH_ASKPASS="/run/askpass", SSH_ASKPASS_REQUIRE="force", DISPLAY=":0"),
    )
    return ended.stdout.strip().split("\n")[-1]


def by_password(password: str) -> str:
    return log_in(password, "-o", "PubkeyAuthentication=no")


def logins(password: str) -> Dict[str, List[str]]:
    """For a sshd with PAM and one without: in with the password, not with a part of it, not with
    none.
    """
    seen = {}
    for pam in ("yes", "no"):
        put(
            CONFIG, "UsePAM %s\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\n" % pam
        )
        with Sshd():
            seen[pam] = [
                by_password(each) for each in (password, password[:-1], password[:8], "", "*")
            ]
        put(
            CONFIG, "UsePAM %s\nPasswordAuthentication no\nKbdInteractiveAuthentication yes\n" % pam
        )
        with Sshd():
            seen[pam].append(by_password(password))
    return seen


def field() -> List[str]:
    """Password and day of the last change, as shadow has them."""
    return next(
        line.split(":")[1:3] for line in get("/etc/shadow").split("\n") if line.startswith("bob:")
    )


def tell(first: List[Any]) -> Dict[str, Any]:
    """What every way of setting a password must come to."""
    seen: Dict[str, Any] = {
        "first": first,
        "logins": logins(PASSWORD),
        "hash": field()[0],
        "day": field()[1],
    }
    seen["tool"] = [line.rsplit(" set by ", 1)[1] for line in SAID.lines if " set by " in line]
    put("/run/password", PASSWORD + "\n")
    seen["sudo"] = [
        as_user("bob", "sudo -n id -u"),
        as_user("bob", "sudo -S -p '' id -u </run/password"),
    ]
    seen["locks"] = [
        name
        for name in os.listdir("/etc")
        if name.endswith((".lock", "+", "-new")) and name[0] != "."
    ]
    seen["secret_said"] = [
        line for line in SAID.lines + [str(first)] if PASSWORD[1:9] in line or seen["hash"] in line
    ]
    return seen


# -- setting it
# --------------------------------------------------------------------------------------------------


def chpasswd() -> Dict[str, Any]:
    put("/etc/shadow.lock", "1")  # a power cut left it
    return tell(attempt(users, password=PASSWORD))


def pam_refuses() -> Dict[str, Any]:
    put("/etc/pam.d/chpasswd", "password required pam_deny.so\n")
    return tell(attempt(users, password=PASSWORD))


def no_pam() -> Dict[str, Any]:
    """As in a chroot of little content."""
    call("rm", "-f", "/etc/pam.d/chpasswd", "/etc/pam.d/other")
    return tell(attempt(users, password=PASSWORD))


def weak_default() -> Dict[str, Any]:
    """A chpasswd that is built without PAM, and told to take DES: it stands in as one with that
    method.
    """
    put("/run/chpasswd", '#!/bin/sh\n[ $# = 0 ] && exec /run/real -c DES\nexec /run/real "$@"\n')
    os.chmod("/run/chpasswd", 0o755)
    must("cp", "/usr/sbin/chpasswd", "/run/real")
    must("mount", "--bind", "/run/chpasswd", "/usr/sbin/chpasswd")
    return tell(attempt(users, password=PASSWORD))


def busybox() -> Dict[str, Any]:
    hide(*PASSWORD_TOOLS[1:])
    must("mount", "--bind", sys.argv[3], "/usr/sbin/chpasswd")
    return tell(attempt(users, password=PASSWORD))


def busybox_passwd() -> Dict[str, Any]:
    hide(*PASSWORD_TOOLS[:3])
    must("mount", "--bind", sys.argv[3], "/usr/bin/passwd")
    return tell(attempt(users, password=PASSWORD))


def openssl() -> Dict[str, Any]:
    hide("chpasswd", "mkpasswd", "passwd")
    return tell(attempt(users, password=PASSWORD))


def mkpasswd() -> Dict[str, Any]:
    hide(*PASSWORD_TOOLS)
    must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", "/usr/local/sbin")
    must("cp", sys.argv[3], "/usr/local/sbin/mkpasswd")
    return tell(attempt(users, password=PASSWORD))


def passwd() -> Dict[str, Any]:
    hide("chpasswd", "openssl", "mkpasswd")
    return tell(attempt(users, password=PASSWORD))


def no_tool() -> Dict[str, Any]:
    """The account is made all the same, with its privileges."""
    hide(*PASSWORD_TOOLS)
    return {
        "first": attempt(users, password=PASSWORD),
        "field": field()[0],
        "sudo": as_user("bob", "sudo -n id -u"),
        "keys": attempt(ssh_authorized_keys, password=PASSWORD),
    }


def tool_that_blabs() -> Dict[str, Any]:
    """Every tool fails, and repeats what it was given."""
    hide("openssl", "mkpasswd", "passwd")
    put("/run/chpasswd", '#!/bin/sh\nread -r line; echo "bad line: $line" >&2; exit 1\n')
    os.chmod("/run/chpasswd", 0o755)
    must("mount", "--bind", "/run/chpasswd", "/usr/sbin/chpasswd")
    first = attempt(users, password="Tr0ub4dor: x&3 horse")
    return {"first": first, "said": SAID.lines}


def another_password() -> Dict[str, Any]:
    """An account that the image has, with a shell and a password of its own."""
    must("useradd", "-m", "-s", "/bin/dash", "bob")
    must("sh", "-c", "echo bob:old-password | chpasswd")
    seen = tell(attempt(users, password=PASSWORD))
    put(CONFIG, "UsePAM no\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\n")
    with Sshd():
        seen["old"] = by_password("old-password")
    seen["shell"] = call("getent", "passwd", "bob").split(":")[-1]
    seen["none"] = [attempt(users, password=given)[0] for given in ("", "REDACTED", "*", "*****")]
    seen["kept"] = field()[0] == seen["hash"]
    return seen


def locked() -> Dict[str, Any]:
    """Without a password: open for keys, and for no password, with PAM and without."""
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/key")
    if len(sys.argv[3]) > 1:
        hide("useradd", "usermod", "adduser", "addgroup")
        for name in ("adduser", "addgroup"):
            must("mount", "--bind", sys.argv[3], "/usr/sbin/" + name)
    seen: Dict[str, Any] = {"first": attempt(users), "field": field()[0]}
    seen["keys"] = attempt(ssh_authorized_keys, keys=(get("/run/key.pub"),))
    for pam in ("yes", "no"):
        put(
            CONFIG,
            "UsePAM %s\nPasswordAuthentication yes\nKbdInteractiveAuthentication yes\n" % pam,
        )
        with Sshd():
            seen[pam] = [
                log_in("", "-i", "/run/key", "-o", "BatchMode=yes"),
                by_password("*"),
                by_password(""),
                by_password("!"),
            ]
    return seen


# -- in force
# --------------------------------------------------------------------------------------------------

INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf\n"
CONFIGS: Dict[str, Tuple[str, Dict[str, str]]] = {
    "include": (
        INCLUDE
        + "UsePAM yes\nPasswordAuthentication %(other)s\nKbdInteractiveAuthentication yes\n",
        {},
    ),
    "other drop-ins": (
        INCLUDE + "UsePAM yes\n",
        {
            "50-cloud-init.conf": "PasswordAuthentication %(other)s\n",
            "01-permitrootlogin.conf": "PermitRootLogin no\n",
            "60-cloudimg-settings.conf": (
                "PasswordAuthentication %(other)s\nKbdInteractiveAuthentication yes\n"
            ),
        },
    ),
    "an earlier drop-in": (
        INCLUDE + "UsePAM yes\n",
        {"00-hard.conf": "PasswordAuthentication %(other)s\n"},
    ),
    "commented out": ("# " + INCLUDE + "UsePAM yes\nPasswordAuthentication %(other)s\n", {}),
    "include too late": ("PasswordAuthentication %(other)s\n" + INCLUDE + "UsePAM yes\n", {}),
    "include in a match": ("UsePAM yes\nMatch User eve\n" + INCLUDE, {}),
    "old": ("UsePAM yes\nPasswordAuthentication %(other)s\nMatch User eve\nX11Forwarding no\n", {}),
}


def policies() -> Dict[str, Any]:
    """The configuration that the command line names, on and off."""
    apply(users, password=PASSWORD)
    seen: Dict[str, Any] = {}
    config, drop_ins = CONFIGS[sys.argv[3]]
    for login in (True, False):
        other = {"other": "no" if login else "yes"}
        call("rm", "-rf", DROP_INS)
        put(CONFIG, config % other)
        for file, text in drop_ins.items():
            put("%s/%s" % (DROP_INS, file), text % other)
        first, again = (attempt(ssh_password_login, login=login) for _ in range(2))
        stays = get(CONFIG).endswith(config % other)
        with Sshd():
            got = [by_password(PASSWORD)]
        flipped = attempt(ssh_password_login, login=not login)
        with Sshd():
            got.append(by_password(PASSWORD))
        seen["on" if login else "off"] = {
            "first": first,
            "again": again,
            "got": got,
            "flipped": flipped[1],
            "stays": stays,
            "check": call("/usr/sbin/sshd", "-t"),
        }
    return seen


def files() -> Dict[str, str]:
    there = [CONFIG] + ["%s/%s" % (DROP_INS, name) for name in sorted(os.listdir(DROP_INS))]
    return {name: get(name) for name in there}


def trouble() -> Dict[str, Any]:
    """Configurations that are faulty, become so, or say otherwise."""
    apply(users, password=PASSWORD)
    seen: Dict[str, Any] = {}
    for name, config, login, keys in (
        ("faulty", INCLUDE + "UsePAM yes\nNoSuchKeyword yes\n", False, ()),
        (
            "methods",
            INCLUDE + "UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive\n",
            False,
            (),
        ),
        ("match", INCLUDE + "UsePAM yes\nMatch User bob\nPasswordAuthentication yes\n", False, ()),
        ("match on", INCLUDE + "UsePAM yes\nMatch User bob\nPasswordAuthentication no\n", True, ()),
        (
            "match on, keys",
            INCLUDE + "UsePAM yes\nMatch User bob\nPasswordAuthentication no\n",
            True,
            ("a key",),
        ),
        (
            "others",
            INCLUDE + "UsePAM yes\nMatch Address 10.0.0.0/8\nPasswordAuthentication yes\n",
            False,
            (),
        ),
        ("methods on", INCLUDE + "AuthenticationMethods publickey,password\n", True, ()),
    ):
        call("sh", "-c", "rm -f %s/*" % DROP_INS)
        put(CONFIG, config)
        before = files()
        seen[name] = [attempt(ssh_password_login, login=login, keys=keys), files() == before]
    seen["left"] = os.listdir("/run/lightinit/candidates")
    return seen


def no_host_keys() -> Dict[str, Any]:
    """sshd finds no key: that is no fault of its configuration, and one that is faulty is still
    found.
    """
    call("sh", "-c", "rm -rf /run/sshd /etc/ssh/ssh_host_*")
    put(CONFIG, INCLUDE + "UsePAM yes\n")
    good = attempt(ssh_password_login, login=False)
    put(CONFIG, INCLUDE + "NoSuchKeyword yes\n")
    bad = attempt(ssh_password_login, login=True)
    must("ssh-keygen", "-A")
    put(CONFIG, INCLUDE + "UsePAM yes\n")
    again = attempt(ssh_password_login, login=False)
    return {"good": good, "bad": bad, "again": again, "check": call("/usr/sbin/sshd", "-t")}


def running() -> Dict[str, Any]:
    """A sshd that runs goes on, by the new policy."""
    apply(users, password=PASSWORD)
    put(CONFIG, INCLUDE + "UsePAM yes\nPidFile /run/sshd.pid\n")
    seen: Dict[str, Any] = {"on": attempt(ssh_password_login, login=True)}
    with Sshd() as sshd:
        seen["before"] = by_password(PASSWORD)
        seen["off"] = attempt(ssh_password_login, login=False)
        for _ in range(1200):  # it takes itself anew; meanwhile a connection is refused or reset
            seen["after"] = by_password(PASSWORD)
            if "Permission denied" in seen["after"]:
                break
            time.sleep(0.05)
        seen["same"] = sshd.process.poll() is None
    return seen


def local_match() -> Dict[str, Any]:
    """A configuration that names another file for logins from this host itself: the key is for
    those from elsewhere.
    """
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/key")
    must("ip", "address", "add", "10.9.8.7/32", "dev", "lo")
    apply(users)
    seen: Dict[str, Any] = {}
    for condition in ("Address 127.0.0.1,::1", "Host localhost"):
        call("rm", "-rf", "/home/bob/.ssh", "/etc/ssh/local")
        put(CONFIG, "UsePAM no\nMatch %s\nAuthorizedKeysFile /etc/ssh/local/%%u\n" % condition)
        first = attempt(ssh_authorized_keys, login=False, keys=(get("/run/key.pub"),))
        with Sshd():
            seen[condition] = [
                first,
                log_in("", "-i", "/run/key", "-o", "BatchMode=yes", "-o", "HostName=10.9.8.7"),
            ]
    return seen


# What may keep bob out, though his key is right: sshd's configuration, and shadow's fields from the
# second to the eighth.
RULES: Dict[str, Tuple[str, str]] = {
    "nothing": ("UsePAM yes\n", "*:DAY:0:99999:7::"),
    "allow users": ("AllowUsers eve root\n", "*:DAY:0:99999:7::"),
    "allow groups": ("AllowGroups root ssh-*\n", "*:DAY:0:99999:7::"),
    "in a group": ("AllowGroups root ad?\n", "*:DAY:0:99999:7::"),
    "deny users": ("DenyUsers eve b*\n", "*:DAY:0:99999:7::"),
    "deny groups": ("DenyGroups sudo\n", "*:DAY:0:99999:7::"),
    "match": ("Match User bob\nAllowGroups root\n", "*:DAY:0:99999:7::"),
    "match local": (
        "AllowUsers bob\nMatch Address 192.0.2.0/24\nAllowUsers eve\n",
        "*:DAY:0:99999:7::",
    ),
    "no negation": ("AllowUsers !eve\n", "*:DAY:0:99999:7::"),
    "no negation either": ("AllowGroups !bob *\nDenyUsers !eve\n", "*:DAY:0:99999:7::"),
    "from here": ("AllowUsers bob@127.0.0.0/8\n", "*:DAY:0:99999:7::"),
    "not from there": ("DenyUsers bob@10.0.0.0/8\n", "*:DAY:0:99999:7::"),
    "expired": ("UsePAM yes\n", "*:DAY:0:99999:7::19000"),
    "expired, no PAM": ("UsePAM no\n", "$6$x$y:DAY:0:99999:7::19000"),
    "expired long ago": ("UsePAM yes\n", "*:DAY:0:99999:7::0"),
    "locked": ("UsePAM yes\n", "!$6$x$y:DAY:0:99999:7::"),
    "locked, no PAM": ("UsePAM no\n", "!$6$x$y:DAY:0:99999:7::"),
    "aged": ("UsePAM yes\n", "$6$x$y:19000:0:90:7::"),
    "aged, no PAM": ("UsePAM no\n", "$6$x$y:19000:0:90:7::"),
    "aged without one": ("UsePAM yes\n", "*:19000:0:90:7::"),
    "aged for long": ("UsePAM yes\n", "$6$x$y:19000:0:90:7:5:"),
}


def rules() -> Dict[str, Any]:
    """What the module says, and whether sshd lets bob in by a key that was put in place before."""
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/key")
    apply(users, groups=("adm", "sudo"))
    key = get("/run/key.pub")
    apply(ssh_authorized_keys, login=False, keys=(key,))
    others = [
        line for line in get("/etc/shadow").split("\n") if line and not line.startswith("bob:")
    ]
    seen: Dict[str, Any] = {}
    for name, (config, fields) in RULES.items():
        put(CONFIG, config)
        today = int(time.time() // 86400)
        put(
            "/etc/shadow",
            "\n".join(others + ["bob:%s:" % fields.replace("DAY", str(today))]) + "\n",
        )
        apply(users, groups=("adm", "sudo"))  # which may mend what is there
        said = attempt_login(login=False, keys=(key,))
        with Sshd():
            seen[name] = [said, log_in("", "-i", "/run/key", "-o", "BatchMode=yes")]
    put(CONFIG, "UsePAM yes\nPasswordAuthentication yes\nAllowUsers eve\n")
    seen["password"] = [attempt(users, password=PASSWORD), attempt_login(password=PASSWORD)]
    put(CONFIG, "UsePAM yes\nPasswordAuthentication yes\n")
    seen["renewed"] = [attempt_login(password=PASSWORD)]
    with Sshd():
        seen["renewed"].append(by_password(PASSWORD))
    return seen


def argv() -> Dict[str, Any]:
    """Every program that is started, with its arguments: strace is at the outside."""
    call("rm", "-f", "/etc/pam.d/chpasswd")
    put("/etc/pam.d/chpasswd", "password required pam_deny.so\n")
    return {"first": attempt(users, password=PASSWORD), "again": attempt(users, password=PASSWORD)}


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [
    chpasswd,
    pam_refuses,
    no_pam,
    weak_default,
    busybox,
    busybox_passwd,
    openssl,
    mkpasswd,
    passwd,
    no_tool,
    tool_that_blabs,
    another_password,
    locked,
    policies,
    trouble,
    no_host_keys,
    running,
    local_match,
    rules,
    argv,
]

if __name__ == "__main__":
    enter(int(sys.argv[2]))
    must("ip", "link", "set", "lo", "up")
    # Other types cost time.
    call("sh", "-c", "rm -f /etc/ssh/ssh_host_*")
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key")
    call("mkdir", "-p", DROP_INS)
    # A wrong password costs no time.
    call("sed", "-i", "s/pam_unix.so nullok/& nodelay/", "/etc/pam.d/common-auth")
    logging.getLogger("lightinit").setLevel(logging.DEBUG)
    logging.getLogger("lightinit").addHandler(SAID)
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
