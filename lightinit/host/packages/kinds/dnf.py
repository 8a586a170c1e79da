"""dnf in its forms: dnf5(8), dnf(8), microdnf(8), yum(8), tdnf(8). All take these words."""

from __future__ import annotations

from lightinit.host.packages.manager import Manager

MANAGER = Manager(
    name="dnf",
    programs=("dnf5", "dnf", "microdnf", "yum", "tdnf"),
    signs=("/var/lib/rpm/*", "/usr/lib/sysimage/rpm/*"),
    update=("-y", "makecache"),
    upgrade=("-y", "upgrade"),
    install=("-y", "install"),
    busy=r"[Ww]aiting for process|lock on |is locked by",
    telling=(
        r"^(Error|Unable to find|No match for|Problem|Curl error|No package )|scriptlet failed"
        r"|^Failed to (?!set locale)"
    ),
    installed=("rpm", "-q", "--whatprovides"),
    needs_reboot=(
        ("needs-restarting", "-r"),
        ("dnf5", "needs-restarting"),
        ("dnf", "needs-restarting", "-r"),
    ),
    # A dnf without this plugin fails with the same status.
    reboot_prints=r"[Rr]eboot is (required|recommended)",
)
