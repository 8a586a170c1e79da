"""Roots with a few programs of a Debian release that is not this machine's: their packages are only
unpacked, which takes some 20 s where an installation takes minutes.

No package is configured, so there are no users but those that the caller names.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from pathlib import Path
from typing import Sequence

from tests.lib.chroot import ROOTS
from tests.lib.running import MIRROR, fetch

# Debian's newest programs, for those tests that need one of them: one root for all.
NEWEST = (
    "sid",
    ("systemd", "systemd-imds", "connman", "dbus", "ifupdown-ng", "dhcpcd-base"),
    ("systemd-network:x:998", "messagebus:x:997", "_dhcpcd:x:996"),
)
# Where the tests mount what the programs share with the machine.
MOUNT_POINTS = ("proc", "sys", "run", "dev", "var/lib/connman", "var/lib/dhcpcd")
LINKS = ("bin", "sbin", "lib", "lib64")
# Debian's unstable changes daily, and so do its dependencies.
OPTIONS = ('--aptopt=Acquire::Check-Valid-Until "false"', '--aptopt=Acquire::Languages "none"')


def extracted_root(release: str, packages: Sequence[str], users: Sequence[str] = ()) -> str:
    """The root with ``packages`` and what they depend on, made now if it is not there.

    Args:
        release: Debian's name of it.
        packages: their names.
        users: ``name:x:number`` of each user and its group.

    Returns:
        the directory. Several tests may use it, each with mounts of its own.

    Raises:
        AssertionError: mmdebstrap failed; the message has its words.
    """
    recipe = hashlib.sha256(repr((release, packages, users, MIRROR)).encode()).hexdigest()[:12]
    folder = os.path.join(ROOTS, "extracted-%s-%s" % (release, recipe))
    os.makedirs(ROOTS, exist_ok=True)
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(folder):
            return folder
        shutil.rmtree(folder + ".new", ignore_errors=True)
        argv = ["mmdebstrap", "--quiet", "--variant=extract", *OPTIONS]
        argv += ["--include=" + ",".join(packages), release, folder + ".new", MIRROR]
        fetch(release, *argv, without=folder + ".new")
        root = Path(folder + ".new")
        for name in LINKS:
            if (root / "usr" / name).exists() and not os.path.lexists(str(root / name)):
                (root / name).symlink_to("usr/" + name)
        for name in MOUNT_POINTS:
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "etc/passwd").write_text(
            "".join(
                "%s:%s::/:/bin/sh\n" % (user, user.split(":")[2]) for user in ("root:x:0", *users)
            )
        )
        (root / "etc/group").write_text("".join(user + ":\n" for user in ("root:x:0", *users)))
        root.rename(folder)
    return folder
