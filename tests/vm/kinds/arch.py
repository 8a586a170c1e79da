"""Arch Linux, and what other distributions will have next year: Debian's unstable release, with its
systemd, networkd and Python.

That release moves on every day: only names of packages are pinned here.
"""

from __future__ import annotations

from tests.vm.kinds.kind import COMMON_FILES, KEEP_IMAGE_KEYS, PYTHON, Kind
from tests.vm.recipe import FILES, MASKED, STACKS

NETWORKD = STACKS["networkd"]
# What a first boot of a new /etc does, besides; no test looks at it.
UNTESTED = (
    "ldconfig.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-update-done.service",
)

KIND = Kind(
    name="arch",
    stands_for="Arch: newest systemd and Python, networkd, sshd, sudo",
    release="sid",
    packages=(
        "systemd-sysv",
        "udev",
        "dbus",
        "libpam-systemd",
        "openssh-server",
        "sudo",
        "iproute2",
        "kmod",
        *PYTHON,
    ),
    files={**FILES, **COMMON_FILES, **NETWORKD.files},
    links={
        "/etc/systemd/system/" + unit: "/dev/null"
        for unit in (*MASKED, *NETWORKD.masked, *UNTESTED)
    },
    script=(
        "systemctl enable lightinit.service " + " ".join(NETWORKD.units),
        KEEP_IMAGE_KEYS,
    ),
)
