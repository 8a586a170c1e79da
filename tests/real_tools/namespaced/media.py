"""Run by test_media_real.py in a mount namespace of its own, whose mounts are shared as systemd
makes them.

Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any, Dict, List

from lightinit.host.media.search import MediaSearch
from lightinit.host.system import System
from tests.lib.scratch import HERE

NAMES = ("ovf-env.xml",)
TOOLS = ("7z", "7zz", "grub-fstest", "bsdtar")
MOUNTER = """import sys
sys.path.insert(0, %r)
from lightinit.host.media.reading import document, mounting
point = mounting.mount(sys.argv[1], "ext4")
with open("/proc/self/mountinfo") as handle:
    mine = [line for line in handle if line.split()[4] == point]
print(point, document.read_from(point, ["ovf-env.xml"], 1000), mine[-1], flush=True)
input()
"""


def mounts(device: str = "") -> List[str]:
    """The mounts that this process sees: all, or those of a device. Mounts of other programs come
    and go here, too.
    """
    with open("/proc/self/mountinfo") as handle:
        return [line for line in handle if not device or device in line.split()]


def is_free(device: str) -> bool:
    """Whether nobody has mounted the device, within a while."""
    for _ in range(1800):
        try:
            os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
            return True
        except OSError:
            time.sleep(0.1)
    return False


def mounted(device: str) -> Dict[str, Any]:
    """The reader's own mount, of a file system that this kernel has; and what is left when it is
    killed.
    """
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", MOUNTER % HERE, device],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
        busy = False
    except OSError:
        busy = True
    seen = {
        "said": said,
        "busy": busy,
        "during": mounts(device) == [],
        "shared": any("shared:" in each for each in mounts()),
    }
    process.kill()
    process.wait()
    return dict(seen, free=is_free(device), after=mounts(device) == [])


def by_tools(*devices: str) -> Dict[str, Any]:
    """Each device or image, with each of the tools alone, and with none of them."""
    folders = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
    paths = {
        name: sorted(
            {
                os.path.realpath(os.path.join(folder, name))
                for folder in folders
                if os.path.exists(os.path.join(folder, name))
            }
        )
        for name in TOOLS
    }
    seen: Dict[str, Any] = {"missing": [name for name in TOOLS if not paths[name]]}
    for only in TOOLS + ("none",):
        hidden = [path for name in TOOLS if name != only for path in paths[name]]
        for path in hidden:
            subprocess.run(["mount", "--bind", "/dev/null", path], check=True)
        seen[only] = {}
        for device in devices:
            search = MediaSearch(System("/"), NAMES, lambda data: True, device)
            search.start()
            while not search.result(0.05) and not search.tried:
                pass
            medium = search.result(0)
            search.stop()
            seen[only][device] = (
                [medium.how, medium.data.decode()] if medium else ["nothing", search.tried[0][1]]
            )
        for path in hidden:
            subprocess.run(["umount", path], check=True)
    return seen


if __name__ == "__main__":
    print(json.dumps(mounted(sys.argv[2]) if sys.argv[1] == "mounted" else by_tools(*sys.argv[2:])))
