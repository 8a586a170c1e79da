"""Mode and owner of a file, as one value."""

from __future__ import annotations

import os
import stat

from lightinit.model import NamedTuple

# Write permission for the group and for all others.
OTHERS_MAY_WRITE = 0o022


class Access(NamedTuple):
    """The mode and the owner of a file.

    Attributes:
        mode: permission bits.
        uid: numeric owner.
        gid: numeric group.
    """

    mode: int
    uid: int = 0
    gid: int = 0


# A file in /etc that everybody may read.
NEW_FILE = Access(0o644)


def access_of(status: os.stat_result) -> Access:
    """The mode and the owner of an existing file."""
    return Access(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
