"""Asks sudo what the admin may do, once for all who want to know.

The module users asks, to put its rule where it wins, and the login check asks after all modules. So
an answer is kept as long as what it depends on stays as it is.
"""

from __future__ import annotations

import os
from typing import Dict, List, Tuple
from weakref import WeakKeyDictionary

from lightinit.formats.accounts.privileges import list_includes
from lightinit.host.accounts import effect
from lightinit.host.accounts.privileges import SUDOERS, SUDOERS_FOLDER
from lightinit.host.system import System

MAX_FILES = 200
OTHER_FILES = (
    "/etc/group",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/sudo.conf",
    "/usr/bin/sudo",
)

_ANSWERS: "WeakKeyDictionary[System, Dict[object, effect.ToolAnswer]]" = WeakKeyDictionary()


def ask_sudo(system: System, user: str) -> effect.ToolAnswer:
    """What ``sudo -l -l -U USER`` says, as root."""
    kept = _ANSWERS.setdefault(system, {})
    key = (user, _state_of(system))
    if key not in kept:
        kept[key] = effect.ask_sudo(system, user)
    return kept[key]


def _state_of(system: System) -> Tuple[object, ...]:
    """What changes with anything that sudo's answer depends on. Rules may name this host."""
    state: List[object] = [os.uname().nodename]
    for path in _list_rule_files(system) + list(OTHER_FILES):
        try:
            status = os.stat(system.path(path))
        except OSError:
            state.append((path, None))
            continue
        state.append((path, status.st_ino, status.st_size, status.st_ctime_ns))
    return tuple(state)


def _list_rule_files(system: System) -> List[str]:
    """The files and folders of rules, with what they include."""
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
