"""slackpkg: slackpkg(8). It installs what its mirror has: no version can be chosen, and nothing is
brought along. Its status does not say whether there was a package to install, so the database of
pkgtools is asked.
"""

from __future__ import annotations

from lightinit.host.packages.manager import Manager

OPTIONS = ("-dialog=off", "-batch=on", "-default_answer=y", "-postinst=off")
# $0 is the package. A file there is named NAME-VERSION-ARCHITECTURE-BUILD, and a name may have
# hyphens, too.
INSTALLED = """for file in /var/lib/pkgtools/packages/"$0"-* /var/log/packages/"$0"-*; do
    test -e "$file" && test "${file%-*-*-*}" = "${file%/*}/$0" && exit 0
done
exit 1
"""

MANAGER = Manager(
    name="slackpkg",
    programs=("slackpkg",),
    signs=("/var/lib/pkgtools/packages", "/var/log/packages"),
    update=(*OPTIONS, "update"),
    upgrade=(*OPTIONS, "upgrade-all"),
    install=(*OPTIONS, "install"),
    pinned="",
    busy=r"Another instance of slackpkg is running",
    telling=r"any mirror selected|ERROR|No packages match|not found|GPG|[Ff]ailed",
    installed=("sh", "-c", INSTALLED),
    is_asked_after=True,
)
