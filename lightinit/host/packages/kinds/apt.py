"""apt-get: apt-get(8), apt.conf(5), debconf(7), needrestart(1)."""

from __future__ import annotations

from lightinit.host.packages.manager import Manager

# For dpkg's lock. apt-get of before Debian 11 does not know this, and is then called again.
LOCK_S = 60
OPTIONS = (
    "--assume-yes",
    "--quiet",
    "-o",
    "DPkg::Lock::Timeout=%d" % LOCK_S,
    # A changed configuration file stays; for an unchanged one, the package's own default is taken.
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "Dpkg::Use-Pty=0",
    "-o",
    "Acquire::Retries=3",
)

MANAGER = Manager(
    name="apt",
    programs=("apt-get",),
    signs=("/var/lib/dpkg/status",),
    # Otherwise a source that cannot be fetched is only a warning of its own.
    update=(*OPTIONS, "-o", "APT::Update::Error-Mode=any", "update"),
    upgrade=(*OPTIONS, "dist-upgrade"),
    install=(*OPTIONS, "install"),
    pinned="%s=%s",
    environment={
        "DEBIAN_FRONTEND": "noninteractive",
        "DEBCONF_NONINTERACTIVE_SEEN": "true",
        "APT_LISTCHANGES_FRONTEND": "none",
        "NEEDRESTART_MODE": "l",  # it lists, and restarts nothing: sshd is in use
        "UCF_FORCE_CONFFOLD": "1",
    },
    repair=("dpkg", "--force-confdef", "--force-confold", "--configure", "-a"),
    busy=r"Could not get lock|Unable to (acquire|lock)|using it\?|locked by another process",
    telling=r"^(dpkg: error|E: (?!Sub-process))",
    installed=("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}\n"),
    installed_prints="installed",
)
