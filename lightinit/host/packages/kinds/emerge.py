"""emerge: emerge(1). It builds from source, so it may take hours: timeout_s counts for it too."""

from __future__ import annotations

from lightinit.host.packages.manager import Manager

QUIET = ("--ask=n", "--quiet", "--color=n", "--nospinner")
MANAGER = Manager(
    name="emerge",
    programs=("emerge",),
    signs=("/var/db/pkg/*",),
    update=(*QUIET, "--sync"),
    upgrade=(*QUIET, "--update", "--deep", "--newuse", "@world"),
    install=(*QUIET, "--noreplace"),
    pinned="=%s-%s",
    environment={"EMERGE_WARNING_DELAY": "0", "CLEAN_DELAY": "0", "NOCOLOR": "true"},
    telling=r"^emerge: |ERROR|!!! |there are no ebuilds",
)
