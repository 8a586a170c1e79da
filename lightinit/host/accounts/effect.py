"""Ask sudo and doas what a user may do. They answer for all their rules together, in their order.

The grammar of the rules and of sudo's answer is not known here.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import List, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.accounts.as_user import Identity, run_as
from lightinit.host.accounts.privileges import DOAS_CONF, DOAS_FOLDER, read_rules
from lightinit.host.files.text import encode_text
from lightinit.host.system import System

LIMIT_S = 15.0
PROBE = "/run/lightinit/doas-probe.conf"
ANY_COMMAND = "true"


@dataclass(frozen=True)
class ToolAnswer:
    """What a program said.

    Attributes:
        text: its answer, on standard output.
        said: its last words, for the case that the text is no answer.
    """

    text: str
    said: str


def ask_sudo(system: System, user: str) -> ToolAnswer:
    """List all rules of sudo for ``user``, as root: no password is asked for, no session opened."""
    argv = [system.tool("sudo") or "sudo", "-n", "-l", "-l", "-U", user]
    try:
        ended = system.run(argv, timeout_s=LIMIT_S)
    except ProvisioningError as error:
        return ToolAnswer("", str(error))
    return ToolAnswer(ended.stdout, ended.last_words)


def doas_folder_files(system: System) -> List[str]:
    """The files in doas' folder that it reads, in its order (Alpine's doas.d(5)); none without the
    folder.
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
    """Whether doas' folder exists. A link does not count."""
    path = system.path(DOAS_FOLDER, follow_last=False)
    return os.path.isdir(path) and not os.path.islink(path)


def doas_orders(system: System) -> List[Tuple[str, ...]]:
    """Every order in which a kind of doas may read its files.

    OpenDoas reads doas.conf alone. Alpine's reads the folder after it (since 3.18), or instead of
    it (before). A host does not say which kind it has.
    """
    folder = tuple(doas_folder_files(system))
    orders: List[Tuple[str, ...]] = [(DOAS_CONF,)]
    if folder:
        orders += [folder, (DOAS_CONF,) + folder]
    return orders


def ask_doas(system: System, identity: Identity, files: Sequence[str]) -> ToolAnswer:
    """Ask doas whether the user may run any command as root, by the rules of some files.

    It answers for the user who asks, and reads the rules as that user.

    Args:
        system: the machine.
        identity: the user.
        files: read as one, in this order.
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
