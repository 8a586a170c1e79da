"""Run by test_users_real.py in namespaces of its own: the modules with this machine's tools, on a
copy of its /etc.

Prints one JSON document: what it saw. Everything that it changes lies on a file system in memory,
which goes when the process ends; it refuses to start when it is not there.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from typing import Any, Callable, Dict, List, Tuple

from lightinit.host.system import System
from lightinit.model import Instance, Outcome, SshKey, User
from lightinit.modules import hostname, ssh_authorized_keys, ssh_password_login, timezone, users
from lightinit.settings.shipped import SHIPPED

EMPTY = ("/home", "/run", "/var/mail", "/var/log", "/var/lib/sudo")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
USER_TOOLS = ("useradd", "usermod", "adduser", "addgroup")


def call(*argv: str) -> str:
    """Run a command; what it prints, or what went wrong."""
    ended = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said = ended.stdout.decode("utf-8", "replace").strip()
    return said if ended.returncode == 0 else "exit %d: %s" % (ended.returncode, said)


def must(*argv: str) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def as_user(name: str, command: str) -> str:
    return call("su", "-s", "/bin/sh", name, "-c", command)


def enter(outer_device: int) -> None:
    """Put a copy of /etc, and nothing, in the place of what the tools change."""
    must("mount", "--make-rprivate", "/")
    memory = "/mnt"
    must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", memory)
    must("cp", "-a", "/etc", memory + "/etc")
    must("mount", "--bind", memory + "/etc", "/etc")
    for folder in EMPTY:
        if os.path.isdir(folder):
            must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", folder)
    if os.stat("/etc").st_dev == outer_device or not os.path.ismount("/home"):
        sys.exit("this is the machine itself: nothing is done")
    for name in (
        "/etc/lightinit",
        "/etc/sudoers.d/zz-lightinit-users",
        "/etc/doas.conf",
        "/etc/doas.d",
    ):
        call("rm", "-rf", name)
    os.mkdir("/run/sshd")
    seal()


def seal() -> None:
    """Make the machine's own root file system read-only here: a write to it is an error."""
    must("mount", "-o", "remount,bind,ro", "none", "/")  # with a source, fstab is not read


def outside_is_sealed() -> Dict[str, Any]:
    """What happens to a write outside of the copies."""
    return {folder: call("mkdir", folder + "/lightinit-test") for folder in ("/usr", "/etc")}


def hide(*names: str) -> None:
    """Take tools away."""
    for name in names:
        for folder in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
            if os.path.isfile(os.path.join(folder, name)):
                must("mount", "--bind", "/dev/null", os.path.join(folder, name))


def name_of(module: Any) -> str:
    """Its name in the settings."""
    return str(module.__name__.rpartition(".")[2])


def defaults_of(module: Any) -> Dict[str, Any]:
    """The values of its settings if no file sets any."""
    return {setting.key: setting.default for setting in SHIPPED[name_of(module)].settings}


def apply(
    module: Any, user: str = "", login: bool = False, keys: Any = (), **settings: Any
) -> Outcome:
    values = defaults_of(module)
    values.update(settings)
    admin = User(user, tuple(SshKey(key) for key in keys), login) if user else None
    instance = Instance("real", hostnames=("real-tools.example.org",), admin=admin)
    return module.apply(instance, System("/"), values)


def facts(name: str) -> Dict[str, Any]:
    """What the machine says about the account."""
    shadow = [
        line.split(":")[1]
        for line in System("/").read_text("/etc/shadow").split("\n")
        if line.startswith(name + ":")
    ]
    home = os.path.expanduser("~" + name)
    changed = [
        line.split(":")[2]
        for line in System("/").read_text("/etc/shadow").split("\n")
        if line.startswith(name + ":")
    ]
    return {
        "passwd": call("getent", "passwd", name),
        "changed": changed,
        "groups": sorted(call("id", "-nG", name).split()),
        "shadow": shadow,
        "pwck": call("pwck", "-rq"),
        "grpck": call("grpck", "-r"),
        "home": sorted(os.listdir(home)),
        "owner": call("stat", "-c", "%U:%G", home),
        "scratch": [
            each for each in os.listdir("/home") + os.listdir("/etc") if "lightinit-new" in each
        ],
    }


def made_and_made_again(name: str, **more: Any) -> Dict[str, Any]:
    first = apply(users, name, **more)
    seen = facts(name)
    second = apply(users, name, **more)
    return dict(
        seen,
        first=[first.message, list(first.warnings)],
        second=[second.message, list(second.warnings)],
        same=facts(name) == seen,
    )


def useradd() -> Dict[str, Any]:
    seen = made_and_made_again("bob")
    rule = "/etc/sudoers.d/zz-lightinit-users"
    seen["visudo"] = call("visudo", "-c")
    seen["sudo"] = as_user("bob", "sudo -n id -u")
    seen["mode"] = "%04o" % stat.S_IMODE(os.stat(rule).st_mode)
    seen["left"] = os.listdir("/run/lightinit/candidates")
    return seen


def names() -> Dict[str, Any]:
    """Names that sudoers or useradd might take for something else."""
    seen = {}
    for name in ("ALL", "ADMINS", "Bob.Smith-2", "1bob", "Defaults", "User_Alias", "a" * 32):
        call("rm", "-f", "/etc/sudoers.d/zz-lightinit-users")
        apply(users, name, groups=())
        seen[name] = [
            as_user(name, "sudo -n id -u"),
            as_user("nobody", "sudo -n id -u")[:6],
            call("visudo", "-cq"),
        ]
    return seen


def whose_password() -> Dict[str, Any]:
    """A sudo that asks for the password of root, and of the admin all the same; of others it is
    asked for as before.
    """
    # A wrong password costs no time.
    call("sed", "-i", "s/pam_unix.so nullok/& nodelay/", "/etc/pam.d/common-auth")
    must("useradd", "-m", "eve")
    must("sh", "-c", "printf 'root:roots\neve:own\n' | chpasswd")
    seen: Dict[str, Any] = {}

    def ask(name: str, password: str) -> str:
        return as_user(name, "sudo -k; echo %s | sudo -S -p '' id -u" % password).split("\n")[-1]

    for setting in ("targetpw", "rootpw", "runaspw"):
        with open("/etc/sudoers", "w") as handle:
            handle.write(
                "Defaults %s\nroot ALL=(ALL) ALL\neve ALL=(ALL) ALL\n@includedir /etc/sudoers.d\n"
                % setting
            )
        for name in (
            "bob",
            "ALL",
            "ADMINS",
            "Bob.Smith-2",
            "1bob",
            "Defaults",
            "User_Alias",
            "_",
            "a" * 32,
        ):
            call("rm", "-f", "/etc/sudoers.d/zz-lightinit-users")
            apply(users, name, groups=())
            must("sh", "-c", "echo %s:own | chpasswd" % name)
            warnings = apply(users, name, login=True, groups=()).warnings
            again = apply(users, name, login=True, groups=()).message
            seen["%s %s" % (setting, name)] = [
                list(warnings),
                again,
                ask(name, "own"),
                ask(name, "roots"),
                ask("eve", "own"),
                ask("eve", "roots"),
                call("visudo", "-cq"),
            ]
    return seen


def strange_visudo() -> Dict[str, Any]:
    """A sudo that does not know one of the settings, as sudo-rs does not: it does without that one,
    or without all.
    """
    apply(users, "bob")
    must("sh", "-c", "echo bob:secret | chpasswd")
    for copy in ("/run/real", "/run/visudo"):
        must("cp", "-a", "/usr/sbin/visudo", copy)
    must("mount", "--bind", "/run/visudo", "/usr/sbin/visudo")
    seen: Dict[str, Any] = {}
    for unknown in ("runaspw", "targetpw", "ALL"):
        with open("/usr/sbin/visudo", "w") as handle:
            handle.write(
                "#!/bin/sh\nif grep -q '%s' \"$2\"; then echo 'unknown setting: %s' >&2; exit 1;"
                ' fi\nexec /run/real "$@"\n' % (unknown, unknown)
            )
        apply(users, "bob", privileges="none")
        call("rm", "-f", "/etc/sudoers.d/zz-lightinit-users")
        try:
            said = [apply(users, "bob", login=True).message for _ in range(2)]
        except Exception as raised:  # reported to the test
            said = [str(raised)]
        seen[unknown] = [
            said,
            System("/").read_text("/etc/sudoers.d/zz-lightinit-users").split("\n")[1:],
        ]
    return seen


def existing_group() -> Dict[str, Any]:
    must("groupadd", "bob")
    return made_and_made_again("bob")


def password() -> Dict[str, Any]:
    seen = made_and_made_again("bob", login=True)
    seen["none_yet"] = as_user("bob", "sudo -n id -u")
    must("sh", "-c", "echo bob:secret | chpasswd")
    seen["then"] = apply(users, "bob", login=True).message
    seen["sudo"] = as_user("bob", "sudo -n id -u")
    seen["with_password"] = as_user("bob", "echo secret | sudo -S -p '' id -u")
    return seen


def faulty_sudoers() -> Dict[str, Any]:
    """A main file that lacks the include, with a fault that visudo sees: it is not touched."""
    with open("/etc/sudoers", "w") as handle:
        handle.write("this is ((( no rule\n")
    try:
        apply(users, "bob")
        error = ""
    except Exception as raised:  # reported to the test
        error = str(raised)
    with open("/etc/sudoers") as handle:
        return {
            "error": error,
            "sudoers": handle.read(),
            "left": os.listdir("/run/lightinit/candidates"),
        }


def no_include() -> Dict[str, Any]:
    with open("/etc/sudoers", "w") as handle:
        handle.write("root ALL=(ALL) ALL")
    seen = made_and_made_again("bob")
    seen["sudo"] = as_user("bob", "sudo -n id -u")
    return seen


def half_made() -> Dict[str, Any]:
    """An account as some other tool left it: locked for a sshd without PAM, no home, no groups."""
    must("useradd", "-M", "-s", "/bin/sh", "bob")
    return made_and_made_again("bob")


def written(path: str) -> Tuple[int, ...]:
    """What changes if a file is written, and not if it is read: a stat has the time of reading."""
    status = os.stat(path)
    return (status.st_ino, status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns)


def refused_accounts() -> Dict[str, Any]:
    """Accounts that are there and that nobody could use as an admin: nothing of them is changed."""
    must("useradd", "-M", "-s", "/bin/zsh-missing", "noshell")
    must("useradd", "-M", "-s", "/bin/sh", "-d", "/", "top")
    must("useradd", "-r", "-M", "-s", "/bin/sh", "-d", "/home/svc", "svc")
    must(
        "sed",
        "-i",
        "-e",
        "/^sync:/d",
        "-e",
        "$async:x:4:65534:sync:/home/sync:/bin/sync",
        "/etc/passwd",
    )
    must(
        "sh",
        "-c",
        "sed 's/^top:x:[0-9]*:/empty:x:4242:/; s!:/:!::!' /etc/passwd | grep ^empty: >>/etc/passwd",
    )
    os.mkdir("/run/elsewhere")
    os.chdir("/run/elsewhere")
    watched = ("/etc/passwd", "/etc/shadow", "/etc/group")
    before = [written(name) for name in watched]
    seen: Dict[str, Any] = {}
    for name in ("noshell", "top", "empty", "svc", "sync"):
        seen[name] = []
        for module in (users, ssh_authorized_keys):
            try:
                seen[name].append(apply(module, name, keys=[KEY]).message)
            except Exception as raised:  # reported to the test
                seen[name].append(str(raised).split(" (")[0])
    return {
        "said": seen,
        "same": [written(name) for name in watched] == before,
        "left": os.listdir("/run/elsewhere") + os.listdir("/home"),
    }


def stale_locks() -> Dict[str, Any]:
    """What a power cut inside useradd leaves; the process that a lock names is another one by
    now.
    """
    for name, text in (
        ("passwd", "1"),
        ("shadow", str(os.getpid())),
        ("group", ""),
        ("gshadow", "999999"),
        ("subuid", "rubbish"),
        ("subgid", "1\0"),
    ):
        with open("/etc/%s.lock" % name, "w") as handle:
            handle.write(text)
    alone = call("useradd", "-M", "eve")
    seen = made_and_made_again("bob")
    return dict(
        seen,
        alone=alone,
        left=[name for name in os.listdir("/etc") if name.endswith(".lock") and name[0] != "."],
    )


def lock_in_use() -> Dict[str, Any]:
    """A tool that is at work keeps its lock."""
    must("cp", "/bin/sleep", "/run/useradd")
    os.chmod("/run/useradd", 0o755)
    holder = subprocess.Popen(["/run/useradd", "60"])
    try:
        while System("/").read_text("/proc/%d/comm" % holder.pid) != "useradd\n":
            pass
        with open("/etc/group.lock", "w") as handle:
            handle.write(str(holder.pid))
        try:
            error = apply(users, "bob").message
        except Exception as raised:  # reported to the test
            error = str(raised)
        return {"error": error, "there": os.path.exists("/etc/group.lock")}
    finally:
        holder.kill()
        holder.wait()


def no_place_for_homes() -> Dict[str, Any]:
    """The homes' directory is a link to one that is not there yet, as /home is on ostree; it was
    /home by then.
    """
    os.symlink("/etc/var-homes", "/etc/homes")
    must("sed", "-i", "/^HOME=/d", "/etc/default/useradd")
    with open("/etc/default/useradd", "a") as handle:
        handle.write("HOME=/etc/homes\n")
    alone = call("useradd", "-m", "eve")
    must("sh", "-c", "rm -rf /etc/var-homes; getent passwd eve && userdel eve || true")
    seen = made_and_made_again("bob")
    return dict(
        seen, alone=alone, mode="%04o" % stat.S_IMODE(os.stat("/etc/var-homes/bob").st_mode)
    )


def doas() -> Dict[str, Any]:
    hide("sudo", "visudo")
    os.unlink("/etc/sudoers")
    seen = made_and_made_again("bob")
    seen["doas"] = as_user("bob", "doas -n id -u")
    seen["nobody"] = as_user("nobody", "doas -n id -u")
    with open("/etc/doas.conf", "a") as handle:
        handle.write("this is no rule\n")
    try:
        apply(users, "eve")
        seen["error"] = ""
    except Exception as raised:  # reported to the test
        seen["error"] = str(raised)
    with open("/etc/doas.conf") as handle:
        seen["conf"] = handle.read()
    return seen


def doas_beside_a_sudoers() -> Dict[str, Any]:
    """sudo was removed, and its /etc/sudoers stayed, as `apt remove sudo` leaves it."""
    hide("sudo", "visudo")
    seen = made_and_made_again("bob")
    return dict(seen, doas=as_user("bob", "doas -n id -u"))


def neither() -> Dict[str, Any]:
    """Both were removed, and /etc/sudoers stayed; then sudo comes back."""
    hide("sudo", "visudo", "doas")
    seen = made_and_made_again("bob")
    must("umount", "/usr/bin/sudo")
    return dict(seen, sudo=as_user("bob", "sudo -n id -u"))


def busybox() -> Dict[str, Any]:
    box = sys.argv[3]
    hide(*USER_TOOLS)
    with open("/etc/passwd+", "w") as handle:  # what a power cut inside busybox leaves
        handle.write("half")
    for name in ("adduser", "addgroup"):
        must("mount", "--bind", box, "/usr/sbin/" + name)
    seen = made_and_made_again("bob")
    seen["sudo"] = as_user("bob", "sudo -n id -u")
    return seen


def no_tools() -> Dict[str, Any]:
    hide(*USER_TOOLS)
    seen = made_and_made_again("bob")
    seen["sudo"] = as_user("bob", "sudo -n id -u")
    return seen


def debian_adduser() -> Dict[str, Any]:
    """An adduser that is not busybox's must not be used, whatever it is."""
    hide("useradd", "usermod", "addgroup")
    with open("/run/adduser", "w") as handle:
        handle.write("#!/bin/sh\necho called \"$@\" >>/run/called\necho 'adduser [--uid id]'\n")
    os.chmod("/run/adduser", 0o755)
    must("mount", "--bind", "/run/adduser", "/usr/sbin/adduser")
    seen = made_and_made_again("bob")
    with open("/run/called") as handle:
        seen["called"] = sorted(set(handle.read().split("\n")[:-1]))
    return seen


def ssh() -> Dict[str, Any]:
    """The whole way: a new user logs in through a real sshd without PAM, by each file that sshd may
    name.
    """
    must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/key")
    with open("/run/key.pub") as handle:
        public = handle.read().replace("\n", "\r\n")
    apply(users, "bob")
    seen: Dict[str, Any] = {}
    for name, config in (
        ("default", ""),
        ("own", "AuthorizedKeysFile .keys/%u\n"),
        ("etc", "AuthorizedKeysFile /etc/ssh/keys/%u .ssh/authorized_keys\n"),
        ("match", "AuthorizedKeysFile none\nMatch User bob\nAuthorizedKeysFile %h/matched\n"),
    ):
        call("rm", "-rf", "/home/bob/.ssh")
        with open("/etc/ssh/sshd_config", "w") as handle:
            handle.write("UsePAM no\nPasswordAuthentication no\n" + config)
        # Without host keys sshd -T says nothing, so the configuration is read instead.
        for keys in (True, False):
            if keys:
                must("ssh-keygen", "-A")
            else:
                must("sh", "-c", "mkdir -p /run/keys && mv /etc/ssh/ssh_host_* /run/keys/")
                call(
                    "rm",
                    "-rf",
                    "/home/bob/.ssh",
                    "/home/bob/.keys",
                    "/etc/ssh/keys",
                    "/home/bob/matched",
                )
            outcome = apply(ssh_authorized_keys, "bob", keys=[public])
            if not keys:
                must("sh", "-c", "mv /run/keys/* /etc/ssh/")
            seen["%s %s" % (name, keys)] = [
                outcome.message,
                list(outcome.warnings),
                call(
                    "ssh",
                    "-F",
                    "none",
                    "-o",
                    "KexAlgorithms=curve25519-sha256",
                    "-i",
                    "/run/key",
                    "-o",
                    "StrictHostKeyChecking=no",
                    "-o",
                    "BatchMode=yes",
                    "-o",
                    "UserKnownHostsFile=/dev/null",
                    "-o",
                    "LogLevel=ERROR",
                    "-o",
                    "ProxyCommand=/usr/sbin/sshd -i",
                    "bob@local",
                    "sudo -n id -u",
                ),
            ]
    return seen


def host() -> Dict[str, Any]:
    """The old name is the kernel's alone, as on an image whose /etc/hostname was removed."""
    call("rm", "-f", "/etc/hostname")
    socket.sethostname("kernels-own")
    with open("/etc/hosts", "w") as handle:
        handle.write("127.0.0.1 localhost\n127.0.1.1 kernels-own printer\n")
    first = apply(hostname)
    again = apply(hostname)
    with open("/etc/hosts") as handle:
        hosts = handle.read()
    with open("/etc/hostname") as handle:
        return {
            "message": first.message,
            "again": again.message,
            "live": os.uname().nodename,
            "static": handle.read(),
            "hosts": hosts,
            "resolves": call("getent", "hosts", "real-tools"),
        }


def hosts_mounted() -> Dict[str, Any]:
    """/etc/hosts comes from elsewhere, as in a container: nothing can take its place."""
    with open("/run/hosts", "w") as handle:
        handle.write("127.0.0.1 localhost\n")
    with open("/etc/hosts", "a"):  # a bare root has none
        pass
    must("mount", "--bind", "/run/hosts", "/etc/hosts")
    outcome = apply(hostname)
    return {
        "message": outcome.message,
        "warnings": list(outcome.warnings),
        "live": os.uname().nodename,
    }


LABELLED = (
    "/etc/hostname",
    "/etc/hosts",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/ssh/sshd_config",
)


def labels() -> Dict[str, Any]:
    """Files that the modules replace, each with a label of its own, which is a word like any other
    without SELinux.

    Then some are new, and something that looks like SELinux is there, with a restorecon that notes
    what it is asked.
    """
    hide(*USER_TOOLS)
    for name in LABELLED:
        if not os.path.lexists(name):
            must("touch", name)
    with open("/etc/sudoers", "w") as handle:
        handle.write("root ALL=(ALL) ALL\n")
    os.chmod("/etc/sudoers", 0o440)
    with open("/etc/ssh/sshd_config", "w") as handle:
        handle.write("Port 22\n")
    must("ln", "-sfn", "../usr/share/zoneinfo/Etc/UTC", "/etc/localtime")
    before = {name: os.lstat(name).st_ino for name in LABELLED}
    try:
        for name in LABELLED:
            os.setxattr(
                name,
                "security.selinux",
                ("system_u:object_r:%s_t:s0" % name).encode(),
                follow_symlinks=False,
            )
    except OSError as error:
        return {"why_not": error.strerror}
    must("ssh-keygen", "-A")

    def all_of_them() -> None:
        apply(hostname)
        apply(timezone, zone="Etc/GMT+5")
        apply(users, "bob")
        apply(ssh_password_login, "bob", keys=[KEY])

    all_of_them()
    seen: Dict[str, Any] = {
        "replaced": {name: os.lstat(name).st_ino != before[name] for name in LABELLED}
    }
    seen["labels"] = {
        name: os.getxattr(name, "security.selinux", follow_symlinks=False).decode()
        for name in LABELLED
    }
    for name in ("/etc/hostname", "/etc/localtime", "/etc/sudoers.d/zz-lightinit-users"):
        os.unlink(name)
    must("mount", "-t", "tmpfs", "lightinit", "/sys/fs")
    must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", "/usr/local/sbin")
    must("sh", "-c", "mkdir /sys/fs/selinux && echo 1 >/sys/fs/selinux/enforce")
    with open("/usr/local/sbin/restorecon", "w") as handle:
        handle.write("#!/bin/sh\nshift\nprintf '%s\\n' \"$@\" >>/run/restored\n")
    os.chmod("/usr/local/sbin/restorecon", 0o755)
    hide("restorecon")
    all_of_them()
    all_of_them()
    seen["restored"] = sorted(System("/").read_text("/run/restored").split())
    return seen


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [
    useradd,
    names,
    whose_password,
    strange_visudo,
    existing_group,
    password,
    faulty_sudoers,
    no_include,
    half_made,
    refused_accounts,
    stale_locks,
    lock_in_use,
    no_place_for_homes,
    doas,
    doas_beside_a_sudoers,
    neither,
    busybox,
    no_tools,
    debian_adduser,
    ssh,
    host,
    hosts_mounted,
    labels,
    outside_is_sealed,
]

if __name__ == "__main__":
    enter(int(sys.argv[2]))
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
