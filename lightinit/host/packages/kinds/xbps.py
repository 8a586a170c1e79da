"""xbps-install: xbps-install(1). Void asks that xbps itself is renewed before all else; until then
it ends with EBUSY. For a package that is there already it may end with EEXIST.
"""

from __future__ import annotations

import errno

from lightinit.host.packages.manager import Manager

MANAGER = Manager(
    name="xbps",
    programs=("xbps-install",),
    signs=("/var/db/xbps/pkgdb-*.plist",),
    update=("--sync", "--yes"),
    upgrade=("--sync", "--yes", "--update"),
    install=("--sync", "--yes"),
    repair=("xbps-reconfigure", "--all"),
    busy=r"[Ff]ailed to lock|Resource temporarily unavailable",
    telling=r"ERROR|not found|Unable to locate|must be updated|broken|MISSING|unresolv|[Ff]ailed",
    installed=("xbps-query", "--property", "pkgver"),
    outdated=(errno.EBUSY, ("--sync", "--yes", "--update", "xbps")),
)
