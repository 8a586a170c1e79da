"""The files in which hosts keep their static name, for setting it and for removing it."""

from __future__ import annotations

PLAIN_FILE = "/etc/hostname"
OTHER_PLAIN_FILES = ("/etc/HOSTNAME",)
# The file, its key, and whether to add the key if the file lacks it. The last two files have other
# purposes too: a host that has them need not read its name from them.
ASSIGNMENT_FILES = (
    ("/etc/conf.d/hostname", "hostname", True),
    ("/etc/sysconfig/network", "HOSTNAME", False),
    ("/etc/rc.conf", "HOSTNAME", False),
)
HOSTS = "/etc/hosts"
HOSTS_LIMIT_BYTES = 16 * 1024 * 1024  # lists of advertisers make it long
