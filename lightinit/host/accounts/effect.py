"""Asks sudo and doas what a user may do. Their answers cover all of their rules in order.

It does not know the grammar of the rules, nor that of sudo's answer.
"""

from __future__ import annotations

import os
import stat
from typing import List, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.accounts.as_user import Identity, run_as
from lightinit.host.accounts.privileges import DOAS_CONF, DOAS_FOLDER, read_rules
from lightinit.host.files.text import encode_text
from lightinit.host.system import System
from lightinit.model import NamedTuple

LIMIT_S = 15.0
PROBE = "/run/lightinit/doas-probe.conf"
ANY_COMMAND = "lightinit-asks"  # no rule names it: a rule for one command does not count


class ToolAnswer(NamedTuple):
    """The output of a program.

    Attributes:
        text: standard output, which should have the answer.
        said: the last line of output, for a warning if ``text`` is not an answer.
    """

    text: str
    said: str


def ask_sudo(system: System, user: str) -> ToolAnswer:
    """List all rules of sudo for ``user``. It runs as root, so sudo asks for no password and opens
    no session.
    """
    argv = [system.tool("sudo") or "sudo", "-n", "-l", "-l", "-U", user]
    try:
        ended = system.run(argv, timeout_s=LIMIT_S)
    except ProvisioningError as error:
        return ToolAnswer("", str(error))
    return ToolAnswer(ended.stdout, ended.last_words)


def doas_folder_files(system: System) -> List[str]:
    """The files in the folder doas.d that doas reads, in its order (Alpine's doas.d(5)); empty if
    there is no such folder.
    """
    if not has_doas_folder(system):
        return []
    found = []
    for name in sorted(system.list_dir(DOAS_FOLDER), key=os.fsencode):
        path = "%s/%s" % (DOAS_FOLDER, name)
        try:
            regular = stat.S_ISREG(os.stat(system.path(path)).st_mode)
        except OSError:
            continue
        if name.endswith(".conf") and regular:
            found.append(path)
    return found


def has_doas_folder(system: System) -> bool:
    """Whether the folder doas.d exists. A link does not count."""
    path = system.path(DOAS_FOLDER, follow_last=False)
    return os.path.isdir(path) and not os.path.islink(path)


def doas_orders(system: System) -> List[Tuple[str, ...]]:
    """The lists of files that the different kinds of doas read, each in order.

    OpenDoas reads only doas.conf. Alpine's doas also reads the folder, after doas.conf (since 3.18)
    or instead of it (before). lightinit cannot find out which kind the host has.
    """
    folder = tuple(doas_folder_files(system))
    orders: List[Tuple[str, ...]] = [(DOAS_CONF,)]
    if folder:
        orders += [folder, (DOAS_CONF,) + folder]
    return orders


def ask_doas(system: System, identity: Identity, files: Sequence[str]) -> ToolAnswer:
    """Ask doas whether the rules in some files let the user run any command as root.

    doas answers for the user who runs it, and reads the rules as that user.

    Args:
        system: the machine.
        identity: the user.
        files: the rule files; their texts are joined in this order.
    """
    try:
        text = "\n".join(read_rules(system, path) for path in files)
        system.write(PROBE, encode_text(text), 0o400, identity.uid, identity.gid, durable=False)
        try:
            argv = [system.tool("doas") or "doas", "-C", PROBE, ANY_COMMAND]
            ended = run_as(system, identity, argv, LIMIT_S)
        finally:
            system.remove(PROBE)
    except ProvisioningError as error:
        return ToolAnswer("", str(error))
    return ToolAnswer(ended.stdout, ended.last_words)
