"""Where hosts keep their static name: for what sets it, and for what takes it away again."""

from __future__ import annotations

PLAIN_FILE = "/etc/hostname"
OTHER_PLAIN_FILES = ("/etc/HOSTNAME",)
# The file, its key, and whether the key is added when the file lacks it. The last two serve other
# ends as well, so that they are there does not mean that the host takes its name from them.
ASSIGNMENT_FILES = (
    ("/etc/conf.d/hostname", "hostname", True),
    ("/etc/sysconfig/network", "HOSTNAME", False),
    ("/etc/rc.conf", "HOSTNAME", False),
)
HOSTS = "/etc/hosts"
HOSTS_LIMIT_BYTES = 16 * 1024 * 1024  # lists against advertising make it long
