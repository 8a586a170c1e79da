"""The files with the static host name. Some commands set the name in them, others remove it."""

from __future__ import annotations

PLAIN_FILE = "/etc/hostname"
OTHER_PLAIN_FILES = ("/etc/HOSTNAME",)
# The file, its key, and whether to add the key if the file lacks it. The last two files also have
# other settings, so a host that has them may read its name elsewhere.
ASSIGNMENT_FILES = (
    ("/etc/conf.d/hostname", "hostname", True),
    ("/etc/sysconfig/network", "HOSTNAME", False),
    ("/etc/rc.conf", "HOSTNAME", False),
)
HOSTS = "/etc/hosts"
HOSTS_LIMIT_BYTES = 16 * 1024 * 1024  # block lists of advertisers make /etc/hosts long
