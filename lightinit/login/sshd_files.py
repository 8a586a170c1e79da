"""The files besides the keys that decide about each session of sshd: its root, and host keys."""

from __future__ import annotations

import os
import stat
from typing import Tuple

from lightinit.formats.ssh import login_limits
from lightinit.formats.ssh.effective import Effective
from lightinit.host.files.access import OTHERS_MAY_WRITE
from lightinit.login import key_files
from lightinit.login.question import Question


def find_no_host_key(question: Question, effective: Effective) -> str:
    """Why no host key of sshd's can be used; "" if that is not certain."""
    for word in ("hostcertificate", "hostkeyagent"):
        if effective.words(word, ["none"]) != ["none"]:
            return ""
    kinds = []
    for path in effective.values("hostkey"):
        words = question.system.read_text(path + ".pub").split()
        if not words or not question.system.exists(path):
            return ""  # it may be made later, or has another type
        kinds.append(words[0])
    return login_limits.refuse_host_keys(effective, kinds)


def judge_root(question: Question, effective: Effective) -> Tuple[str, str]:
    """(why sshd ends each session because of ChrootDirectory, what may end it).

    sshd demands that the directory and all above it are root's, and nobody else's to write.
    """
    value, needs_shell = login_limits.split_root(effective)
    if not value or not question.system.live:
        return "", ""
    root = key_files.expand(question.account, value)
    place = ""
    for name in root.rstrip("/").split("/"):
        place = place.rstrip("/") + "/" + name
        try:
            status = os.stat(question.system.path(place))
        except OSError:
            return "ChrootDirectory %s does not exist" % root, ""
        if not stat.S_ISDIR(status.st_mode):
            return "%s in ChrootDirectory %s is no directory" % (place, root), ""
        if status.st_uid != 0 or status.st_mode & OTHERS_MAY_WRITE:
            why = "ChrootDirectory %s: %s is not root's, or others may write to it"
            return why % (root, place), ""
    if needs_shell and not question.system.exists(root + question.account.shell):
        return "", "ChrootDirectory %s has no %s" % (root, question.account.shell)
    return "", ""
