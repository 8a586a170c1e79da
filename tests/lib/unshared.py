"""Whether tests can run in mount and UTS namespaces of their own, with this machine's tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

IN_CI = os.environ.get("CI") == "true"


def why_not(*tools: str) -> str:
    """Why the tests cannot run here, or ""."""
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    if os.geteuid() != 0:
        return "root is needed for namespaces"
    for tool in ("unshare", "mount", "getent", "su") + tools:
        if shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            return "not installed here: %s" % tool
    probe = subprocess.run(
        ["unshare", "--mount", "--uts", "--fork", "sh", "-c", "mount -t tmpfs none /mnt"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return "" if probe.returncode == 0 else "namespaces may not be made here"
