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
from typing import Any, Callable, Dict, List

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.media.reading import files
from lightinit.host.media.search import MediaSearch
from lightinit.host.media.volumes import list_volumes, read_files
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


def files_of(device: str, busy: str, hanging: str) -> Dict[str, Any]:
    """The files of a volume that the kernel mounts, also of one that is mounted already; and the
    labels, with a device that hangs.
    """
    names = ("user-data", "openstack/latest/meta_data.json", "link")
    read = []
    subprocess.run(["mount", "-o", "rw", busy, "/mnt"], check=True)
    for each in (device, busy):
        found = read_files(System("/"), each, names, 1000)
        _, how = files.read_files(each, names, 1000, True)
        read.append([how, {name: data.decode() for name, data in found.items()}])
    try:
        refused = str(read_files(System("/"), device, ["evil"], 1000))
    except MalformedError as error:
        refused = str(error)
    listed: List[Any] = []
    for limit_s in (3.0, 30.0):  # a busy machine may not even start the reader in time
        listed = listed or list_volumes(System("/"), ["CIDATA-9"], [hanging, device], limit_s)
    try:
        read_files(System("/"), hanging, names, 1000, 1.0)
        hung = ""
    except ProvisioningError as error:
        hung = str(error)
    subprocess.run(["umount", "/mnt"], check=True)
    return {
        "read": read,
        "refused": refused,
        "listed": [list(each) for each in listed],
        "hung": hung,
    }


SCENARIOS: Dict[str, Callable[..., Dict[str, Any]]] = {
    "mounted": mounted,
    "by_tools": by_tools,
    "files_of": files_of,
}

if __name__ == "__main__":
    print(json.dumps(SCENARIOS[sys.argv[1]](*sys.argv[2:])))
