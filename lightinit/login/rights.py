"""Asks sudo what the admin may do, and keeps the answer; and judges what PAM says to sudo and doas.

Both the module users, which puts its rule where it counts, and the login check need the answer. It
is kept while the files on which it depends stay unchanged.
"""

from __future__ import annotations

import os
from typing import List, Sequence, Tuple

from lightinit.formats.accounts.privileges import list_includes
from lightinit.host.accounts import effect
from lightinit.host.accounts.privileges import SUDOERS, SUDOERS_FOLDER
from lightinit.host.system import System
from lightinit.login.answers import ask_once, states_of
from lightinit.login.pam_modules import find_service, judge_stage
from lightinit.login.question import Question

MAX_FILES = 200
OTHER_FILES = (
    "/etc/group",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/sudo.conf",
    "/usr/bin/sudo",
)


def ask_sudo(system: System, user: str) -> effect.ToolAnswer:
    """The answer of ``sudo -l -l -U USER``, which runs as root."""
    key = ("sudo", user, _state_of(system))
    return ask_once(system, key, lambda: effect.ask_sudo(system, user))


def find_refusal(question: Question, services: Sequence[str]) -> str:
    """Why PAM's stage account refuses the user, or may do so; "" if it does not. sudo and doas ask
    it after the password, or if none is asked. A service without a file is not judged: the program
    may be made without PAM.
    """
    for service in services:
        if not find_service(question.system, service):
            continue
        for _, verdict in judge_stage(question, service, "account", is_local=True):
            if verdict.refuses is not False:
                return "%s (look at /etc/pam.d/%s)" % (verdict.why, service)
    return ""


def _state_of(system: System) -> Tuple[object, ...]:
    """A value that changes if anything changes on which sudo's answer depends. This includes the
    host name, since rules may name this host.
    """
    paths = _list_rule_files(system) + list(OTHER_FILES)
    return (os.uname().nodename,) + states_of(system, paths)


def _list_rule_files(system: System) -> List[str]:
    """The files and folders of rules, including those that they include."""
    found: List[str] = []
    to_read = list(SUDOERS) + [SUDOERS_FOLDER]
    while to_read and len(found) < MAX_FILES:
        path = to_read.pop(0)
        if path in found:
            continue
        found.append(path)
        if system.is_dir(path):
            to_read += ["%s/%s" % (path, name) for name in system.list_dir(path)]
        else:
            folder = os.path.dirname(path)
            included = list_includes(system.read_text(path))
            to_read += [os.path.join(folder, each) for each in included]
    return found
