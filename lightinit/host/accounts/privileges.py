"""Reads and replaces the rule files of sudo and doas. visudo or doas checks a file before that.

It does not know the grammar of the rules.
"""

from __future__ import annotations

import os
import stat
from typing import Callable, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.command import Completed
from lightinit.host.files.access import OTHERS_MAY_WRITE
from lightinit.host.files.candidate import candidate
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import encode_text, read_text_file
from lightinit.host.system import System
from lightinit.model import NamedTuple

# The administrator's own file, and the vendor's.
SUDOERS = ("/etc/sudoers", "/usr/etc/sudoers")
SUDOERS_FOLDER = "/etc/sudoers.d"
# The last rule that matches counts, and files are read in the order of their names. sudo ignores
# files whose names have a dot.
SUDOERS_FILE = SUDOERS_FOLDER + "/zz-lightinit-users"
# The rules of a cloud-config; before the file of the admin, so that its rule counts.
GIVEN_FILE = SUDOERS_FOLDER + "/zz-lightinit-cloud-config"
DOAS_FOLDER = "/etc/doas.d"
DOAS_FILE = DOAS_FOLDER + "/zz-lightinit.conf"
DOAS_CONF = "/etc/doas.conf"
# The names that earlier versions of lightinit used: new name -> old name.
FORMER_NAMES = {
    SUDOERS_FILE: SUDOERS_FOLDER + "/90-lightinit-users",
    DOAS_FILE: DOAS_FOLDER + "/90-lightinit.conf",
}


class RuleKind(NamedTuple):
    """The checker and the mode of one program's rule files.

    Attributes:
        checker: the tool that checks a file, and its arguments before the path.
        mode: the permission bits of a new file.
    """

    checker: Tuple[str, ...]
    mode: int


SUDO = RuleKind(("visudo", "-cf"), 0o440)
DOAS = RuleKind(("doas", "-C"), 0o600)


def read_rules(system: System, path: str) -> str:
    """The text of a rule file; "" if there is none.

    Raises:
        ProvisioningError: the file cannot be read. The caller must not replace it then.
    """
    return read_text_file(system, path, reason="privilege rules cannot be read") or ""


def edit_rules(system: System, path: str, kind: RuleKind, edit: Callable[[str], str]) -> bool:
    """Replace the text of a rule file, as :func:`write_checked` does.

    Args:
        system: the machine.
        path: the file; it need not exist.
        kind: ``SUDO`` or ``DOAS``.
        edit: takes the old text and returns the new one.

    Returns:
        Whether the file was written.

    Raises:
        ProvisioningError: as :func:`read_rules` and :func:`write_checked`.
    """
    before = read_rules(system, path)
    after = edit(before)
    if after == before:
        return False
    is_new = not system.exists(path)
    write_checked(system, path, kind, after)
    if is_new:
        restore_labels(system, [path])
    return True


def edit_own_rules(system: System, path: str, kind: RuleKind, edit: Callable[[str], str]) -> bool:
    """As :func:`edit_rules`, for lightinit's own file. If an earlier version wrote a file under
    another name, its rules are moved into the new file.
    """
    former = FORMER_NAMES[path]
    left = read_rules(system, former)
    if left and not system.exists(path):
        written = edit_rules(system, path, kind, lambda _: edit(left))
    else:
        written = edit_rules(system, path, kind, edit)
    return system.remove(former) or written


def write_checked(system: System, path: str, kind: RuleKind, text: str) -> None:
    """Replace the file ``path`` by ``text`` if the checker accepts the text.

    If the checker is not installed, the text is not checked.

    Args:
        system: the machine.
        path: the file. An existing file keeps its mode, without write permission for others.
        kind: ``SUDO`` or ``DOAS``.
        text: the whole content.

    Raises:
        ProvisioningError: the checker rejected the text, or the file cannot be written. The old
            file stays.
    """
    check_rules(system, path, kind, text)
    system.write(path, encode_text(text), _mode_for(system, path, kind))


def check_rules(system: System, path: str, kind: RuleKind, text: str) -> None:
    """Have the checker check a text, if it is installed.

    Args:
        system: the machine.
        path: the file that the text is for.
        kind: ``SUDO`` or ``DOAS``.
        text: the whole content.

    Raises:
        ProvisioningError: the checker rejected it.
    """
    tool = system.tool(kind.checker[0])
    if tool is None:
        return
    with candidate(system, path, text, kind.mode) as place:
        ended = system.run([tool] + list(kind.checker[1:]) + [system.path(place)])
    if not ended.ok:
        raise ProvisioningError(
            "privilege rules were found faulty",
            path=path,
            checker=kind.checker[0],
            said=_first_words(ended),
        )


def _first_words(ended: Completed) -> str:
    # visudo's first line says what is wrong. The next lines show the place.
    said = ended.stderr.strip() or ended.stdout.strip() or ended.last_words
    return said.splitlines()[0]


def _mode_for(system: System, path: str, kind: RuleKind) -> int:
    try:
        status = os.stat(system.path(path))
    except OSError:
        return kind.mode
    # sudo and doas refuse a file that others may write to.
    return stat.S_IMODE(status.st_mode) & ~OTHERS_MAY_WRITE
