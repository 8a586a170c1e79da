"""opkg, as in images made by Yocto. It installs what the lists have: no version can be chosen."""

from __future__ import annotations

from lightinit.host.packages.manager import Manager

MANAGER = Manager(
    name="opkg",
    programs=("opkg",),
    signs=("/var/lib/opkg/status", "/usr/lib/opkg/status"),
    update=("update",),
    install=("install",),
    pinned="",
    repair=("opkg", "configure"),
    busy=r"Could not lock",
    telling=r"^ \* |[Ee]rror|[Uu]nknown package",
)
