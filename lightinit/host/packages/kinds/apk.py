"""apk: apk(8), apk-add(8). It asks nothing; a transaction is done as a whole or not at all."""

from __future__ import annotations

from lightinit.host.packages.manager import Manager

MANAGER = Manager(
    name="apk",
    programs=("apk",),
    signs=("/lib/apk/db/installed", "/usr/lib/apk/db/installed"),
    update=("--wait", "60", "--no-progress", "update"),
    upgrade=("--wait", "60", "--no-progress", "upgrade", "--available"),
    install=("--wait", "60", "--no-progress", "add"),
    pinned="%s=%s",
    repair=("apk", "--wait", "60", "--no-progress", "fix"),
    busy=r"Unable to lock database",
    telling=r"^ERROR|no such package|^  \S.*:$",
    installed=("apk", "info", "-e"),
)
