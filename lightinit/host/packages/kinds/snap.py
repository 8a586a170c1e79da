"""snap, which takes only what ``packages`` names for it. A version is a channel: snap(8)."""

from __future__ import annotations

from lightinit.host.packages.manager import Manager

MANAGER = Manager(
    name="snap",
    programs=("snap",),
    signs=("/var/lib/snapd/state.json",),
    install=("install",),
    pinned="%s --channel=%s",
    telling=r"^error",
    # On a first boot, snapd first puts in place what the image has brought.
    repair=("snap", "wait", "system", "seed.loaded"),
    installed=("snap", "list"),
    one_by_one=True,
)
