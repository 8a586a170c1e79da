"""zypper: zypper(8), with its exit codes; ZYPP_LOCK_TIMEOUT is in zypp.conf(5)."""

from __future__ import annotations

from lightinit.host.packages.manager import Manager

MANAGER = Manager(
    name="zypper",
    programs=("zypper",),
    signs=("/etc/zypp/repos.d/*.repo",),
    update=("--non-interactive", "refresh"),
    upgrade=("--non-interactive", "update"),
    install=("--non-interactive", "install", "--auto-agree-with-licenses"),
    pinned="%s=%s",
    environment={"ZYPP_LOCK_TIMEOUT": "60"},
    busy=r"System management is locked",
    telling=r"not found|^Problem|[Ee]rror|^No provider|[Ff]ailed",
    installed=("rpm", "-q", "--whatprovides"),
    needs_reboot=(("zypper", "needs-rebooting"),),
    reboot_status=102,
    # It says that the machine, or zypper itself, should be restarted.
    done_statuses=(102, 103),
)
