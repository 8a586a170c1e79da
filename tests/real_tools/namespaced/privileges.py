"""Run by test_privileges_real.py in namespaces of its own: whether the admin becomes root, by this
machine's sudo and doas, whatever other rules there are.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Callable, Dict, List, Tuple

from lightinit.errors import LightinitError
from lightinit.host.system import System
from lightinit.login import load_check
from lightinit.login.admin import make_question
from lightinit.model import Instance, User
from lightinit.modules import users
from tests.real_tools.namespaced.accounts import apply, as_user, call, enter, hide, must

SUDOERS_D = "/etc/sudoers.d"
MAIN = "root ALL=(ALL:ALL) ALL\n"
INCLUDE = "@includedir /etc/sudoers.d\n"
WHEEL = "%wheel ALL=(ALL:ALL) ALL\n"
# By name: the main file, and files of the folder.
OTHER_RULES: Dict[str, Tuple[str, Dict[str, str]]] = {
    "a later file": (MAIN + INCLUDE, {"wheel": WHEEL}),
    "the last file": (MAIN + INCLUDE, {"zzz-wheel": WHEEL}),
    "behind the include": (MAIN + INCLUDE + WHEEL, {}),
    "an old include in the middle": (MAIN + "#includedir /etc/sudoers.d\n" + WHEEL, {}),
    "for everybody": (MAIN + INCLUDE + "ALL ALL=(ALL) ALL\nDefaults targetpw\n", {}),
    "for the user": (MAIN + INCLUDE, {"zzz": "bob ALL=(root) PASSWD: ALL\n"}),
    "forbidden": (MAIN + INCLUDE, {"zzz": "bob ALL=(ALL) !ALL\n"}),
    "some forbidden": (MAIN + INCLUDE, {"zzz": "%wheel ALL=(ALL) NOPASSWD: ALL, !/usr/bin/id\n"}),
    "an included file": (MAIN + INCLUDE + "@include /etc/sudo-more\n", {"../sudo-more": WHEEL}),
    "for another user": (MAIN + INCLUDE, {"zzz": "%wheel ALL=(nobody) ALL\n"}),
    "no include": (MAIN + WHEEL, {}),
    "a relative include": (MAIN + "@includedir sudoers.d\n" + WHEEL, {}),
    "by the id of a group": (MAIN + INCLUDE + "%#0 ALL=(ALL) ALL\nALL ALL=(ALL) PASSWD: ALL\n", {}),
    "by an alias": (MAIN + "User_Alias A = bob\n" + INCLUDE + "A ALL=(ALL) ALL\n", {}),
    "a list of commands": (MAIN + INCLUDE + "bob ALL=(ALL) /usr/bin/id, /bin/sh\n", {}),
    "on this host": (MAIN + INCLUDE + "bob %s=(ALL) ALL\n" % os.uname()[1], {}),
    "until a day": (MAIN + INCLUDE + "bob ALL=(ALL) NOTAFTER=20990101000000Z ALL\n", {}),
    "no newline": (MAIN + INCLUDE + WHEEL.strip(), {}),
    "to be continued": (MAIN + INCLUDE + WHEEL.strip() + " \\", {}),
}
NOPASSWD = "%wheel ALL=(ALL:ALL) NOPASSWD: ALL\n"
# Images whose sudoers.d cannot be changed. By name: the main file, whether it can be changed, and
# what is in the place of the folder.
UNWRITABLE: Dict[str, Tuple[str, bool, str]] = {
    "the main file can": (MAIN + INCLUDE + WHEEL, True, "read-only"),
    "the image's rule is enough": (MAIN + INCLUDE + NOPASSWD, False, "read-only"),
    "nothing can": (MAIN + INCLUDE + WHEEL, False, "read-only"),
    "a file": (MAIN + INCLUDE + WHEEL, True, "file"),
    "a dangling link": (MAIN + INCLUDE + WHEEL, True, "link"),
    "a store without an include": (MAIN + NOPASSWD, False, "read-only"),
}
DOAS_WHEEL = "permit persist :wheel\n"
# By name: doas.conf, and files of the folder.
OTHER_DOAS_RULES: Dict[str, Tuple[str, Dict[str, str]]] = {
    "a later file": ("", {"doas.conf": DOAS_WHEEL}),
    "the last file": ("", {"zzz.conf": DOAS_WHEEL}),
    "the main file": (DOAS_WHEEL, {}),
    "both": (DOAS_WHEEL, {"doas.conf": DOAS_WHEEL, "zzz.conf": DOAS_WHEEL + "deny bob cmd id\n"}),
    "what is not read": ("", {"README": "permit persist", "zzz.conf~": "deny bob\n"}),
}
STRANGE_NAMES = (
    "sudoedit",
    "sha256",
    "1.2.3.4",
    "10.0.0.0",
    "a.b",
    "Bob.Smith-2",
    "ALL",
    "TIMEOUT",
    "Defaults",
    "Host_Alias",
    "fe80",
    "1e3",
    "permit",
    "nopass",
    "_",
)


def put(name: str, text: str, mode: int = 0o440) -> None:
    os.makedirs(os.path.dirname(name), exist_ok=True)
    with open(name, "w", encoding="utf-8") as handle:
        handle.write(text)
    os.chmod(name, mode)


def get(name: str) -> str:
    return System("/").read_text(name)


def set_rules(main: str, folder: Dict[str, str]) -> None:
    call("rm", "-rf", SUDOERS_D, "/etc/sudo-more")
    os.mkdir(SUDOERS_D, 0o750)
    put("/etc/sudoers", main)
    for name, text in folder.items():
        put(os.path.normpath(os.path.join(SUDOERS_D, name)), text)


def try_to_apply(name: str, **more: Any) -> List[Any]:
    """[message, warnings] of the module and then of the login check, or [what went wrong]."""
    try:
        outcome = apply(users, name, **more)
    except LightinitError as error:
        return [str(error)]
    return [outcome.message, list(outcome.warnings) + ask(name, **more)]


def ask(name: str, login: bool = False, privileges: str = "auto", **_: Any) -> List[str]:
    """What the login check says about becoming root."""
    admin = User(name, (), login)
    question = make_question(System("/"), Instance("real", admin=admin), admin, True, privileges)
    assert question is not None
    return list(load_check("root")(question).doubts)


def everything() -> List[str]:
    """The text of each file with rules."""
    names = ["/etc/sudoers", "/etc/doas.conf"]
    for folder in (SUDOERS_D, "/etc/doas.d"):
        names += [os.path.join(folder, name) for name in System("/").list_dir(folder)]
    return ["%s: %s" % (name, get(name)) for name in names]


def sudo_rules() -> Dict[str, Any]:
    """[warnings, what sudo runs, whether a second run changes nothing, visudo] for each."""
    must("groupadd", "-f", "wheel")
    seen: Dict[str, Any] = {}
    for name, (main, folder) in OTHER_RULES.items():
        set_rules(main, folder)
        first = try_to_apply("bob")
        before = everything()
        again = try_to_apply("bob")
        seen[name] = [
            first[-1],
            as_user("bob", "sudo -n id -u"),
            again == ["user bob was there already", []] and everything() == before,
            call("visudo", "-cq"),
        ]
    return seen


def sudo_that_cannot_be_reached() -> Dict[str, Any]:
    """The rule of lightinit cannot win, or sudo does not answer root."""
    must("groupadd", "-f", "wheel")
    seen: Dict[str, Any] = {}
    set_rules(MAIN + INCLUDE + WHEEL, {})
    must("mount", "--bind", "-o", "ro", "/etc/sudoers", "/etc/sudoers")
    must("mount", "-o", "remount,bind,ro", "/etc/sudoers")
    seen["read-only"] = [try_to_apply("bob")[-1], as_user("bob", "sudo -n id -u")]
    must("sh", "-c", "echo bob:secret | chpasswd")
    seen["with a password"] = [try_to_apply("bob", login=True)[-1]]
    must("umount", "/etc/sudoers")
    must("userdel", "bob")
    set_rules(MAIN + INCLUDE + WHEEL + "Defaults requiretty\n", {})
    seen["requiretty"] = [try_to_apply("bob")[-1], get("/etc/sudoers").split("\n")[-2]]
    set_rules(MAIN + "Defaults !root_sudo\n" + INCLUDE + WHEEL, {})
    seen["root_sudo"] = [try_to_apply("bob")[-1], as_user("bob", "sudo -n id -u")]
    set_rules(MAIN + INCLUDE + "this is ((( no rule\n", {})
    seen["faulty"] = [try_to_apply("bob")[-1], get("/etc/sudoers").split("\n")[-2]]
    return seen


def _read_only(path: str) -> None:
    must("mount", "--bind", path, path)
    must("mount", "-o", "remount,bind,ro", path)


def unwritable() -> Dict[str, Any]:
    """[warnings or what went wrong, what sudo runs] for each of ``UNWRITABLE``; and doas."""
    must("groupadd", "-f", "wheel")
    seen: Dict[str, Any] = {}
    for name, (main, can_change, folder) in UNWRITABLE.items():
        set_rules(main, {})
        if folder == "read-only":
            _read_only(SUDOERS_D)
        else:
            os.rmdir(SUDOERS_D)
        if folder == "file":
            put(SUDOERS_D, "")
        elif folder == "link":
            os.symlink("/usr/nowhere/sudoers.d", SUDOERS_D)
        if not can_change:
            _read_only("/etc/sudoers")
        seen[name] = [try_to_apply("bob")[-1], as_user("bob", "sudo -n id -u")]
        for path in (SUDOERS_D, "/etc/sudoers"):
            call("umount", path)
    hide("sudo", "visudo")
    for name, rule in (("doas", DOAS_WHEEL), ("doas: enough", "permit nopass :wheel\n")):
        put("/etc/doas.conf", rule, 0o600)
        _read_only("/etc/doas.conf")
        seen[name] = [try_to_apply("bob")[-1], as_user("bob", "doas -n id -u")]
        must("umount", "/etc/doas.conf")
    return seen


def own_password_wins() -> Dict[str, Any]:
    """Behind lightinit's rule sudo is told to ask for root's password."""
    call("sed", "-i", "s/pam_unix.so nullok/& nodelay/", "/etc/pam.d/common-auth")
    apply(users, "bob")
    must("sh", "-c", "printf 'root:roots\nbob:own\n' | chpasswd")
    seen: Dict[str, Any] = {}
    for setting in ("Defaults targetpw", "Defaults!ALL rootpw"):
        set_rules(MAIN + INCLUDE, {"zzz": setting + "\n"})
        warnings = try_to_apply("bob", login=True)[-1]
        said = as_user("bob", "sudo -k; echo own | sudo -S -p '' id -u")
        seen[setting] = [warnings, said.split("\n")[-1]]
    return seen


def former_names() -> Dict[str, Any]:
    """What an earlier version wrote under another name."""
    must("useradd", "-m", "ann")
    rule = " ALL=(ALL:ALL) NOPASSWD:ALL\n"
    set_rules(MAIN + INCLUDE, {"90-lightinit-users": "ann" + rule + "bob" + rule})
    seen: Dict[str, Any] = {"sudo": try_to_apply("bob", login=True)[-1]}
    seen["sudo files"] = {name: get(SUDOERS_D + "/" + name) for name in os.listdir(SUDOERS_D)}
    seen["ann"] = as_user("ann", "sudo -n id -u")
    hide("sudo", "visudo")
    put("/etc/doas.d/90-lightinit.conf", 'permit nopass "ann"\npermit "bob"\n', 0o600)
    seen["doas"] = try_to_apply("bob")[-1]
    seen["doas files"] = {name: get("/etc/doas.d/" + name) for name in os.listdir("/etc/doas.d")}
    return seen


def doas_rules() -> Dict[str, Any]:
    """This machine's doas reads one file. Others read a folder, too: they are asked with all that
    they would read in that one file.
    """
    hide("sudo", "visudo")
    must("groupadd", "-f", "wheel")
    seen: Dict[str, Any] = {}
    for name, (main, folder) in OTHER_DOAS_RULES.items():
        call("rm", "-rf", "/etc/doas.d", "/etc/doas.conf")
        if main:
            put("/etc/doas.conf", main, 0o600)
        for each, text in folder.items():
            put("/etc/doas.d/" + each, text, 0o600)
        first = try_to_apply("bob")
        before = everything()
        again = try_to_apply("bob")
        seen[name] = [
            first[-1],
            _doas_in_each_order(),
            again == ["user bob was there already", []] and everything() == before,
        ]
    put("/etc/doas.d/zzz.conf", "this is no rule\n", 0o600)
    seen["faulty"] = try_to_apply("bob")
    return seen


def _doas_in_each_order() -> List[str]:
    folder = [
        "/etc/doas.d/" + name
        for name in sorted(System("/").list_dir("/etc/doas.d"))
        if name.endswith(".conf")
    ]
    said = []
    for order in (["/etc/doas.conf"], folder, ["/etc/doas.conf"] + folder):
        if order:
            put("/etc/whole", "\n".join(get(name) for name in order), 0o600)
            must("mount", "--bind", "/etc/whole", "/etc/doas.conf")
            said.append(as_user("bob", "doas -n id -u"))
            must("umount", "/etc/doas.conf")
    return said


def names() -> Dict[str, Any]:
    """Names that have a meaning in the rules. [what went wrong, sudo, visudo, doas] for each."""
    seen: Dict[str, Any] = {}
    set_rules(MAIN + INCLUDE, {})
    for name in STRANGE_NAMES:
        first = try_to_apply(name, groups=())
        seen[name] = [first[1:], as_user(name, "sudo -n id -u"), call("visudo", "-cq")]
        must("sh", "-c", "echo %s:own | chpasswd" % name)
        seen[name].append(try_to_apply(name, login=True, groups=())[1:])
        seen[name].append(call("visudo", "-cq"))
    hide("sudo", "visudo")
    for name in STRANGE_NAMES:
        call("usermod", "-p", "*", name)
        seen[name] += [try_to_apply(name, groups=())[1:], as_user(name, "doas -n id -u")]
    return seen


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [
    sudo_rules,
    sudo_that_cannot_be_reached,
    unwritable,
    own_password_wins,
    former_names,
    doas_rules,
    names,
]

if __name__ == "__main__":
    enter(int(sys.argv[2]))
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[1]]()))
