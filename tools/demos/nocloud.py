"""The demo of NoCloud: a VM on a desk, with a seed that ``lightinit-emulator seed`` writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

from tests.lib.scratch import FILES
from tools.demos.shared import HERE, lightinit, put, show_file, show_tree, title

NOT_THERE = ("/sys/class/dmi/id/chassis_asset_tag", "/var/lib/dhcp/dhclient.eth0.leases")
MACHINE = {
    "/sys/class/dmi/id/chassis_asset_tag": "desk",
    "/sys/class/dmi/id/sys_vendor": "QEMU",
    "/proc/cmdline": "root=/dev/vda1 ro",
}
SEED_FOLDER = "/var/lib/cloud/seed/nocloud"
KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDcbg8o5BZtK+hy2qrfeIr5qrTTCf8N/SK/uB2XS5X+E demo@example"
)
USER_DATA = (
    """#cloud-config
users:
- name: ada
  groups: [sudo]
  sudo: ALL=(ALL) NOPASSWD:ALL
  ssh_authorized_keys:
  - %s
write_files:
- path: /etc/motd
  content: |
    Welcome to the desk.
runcmd:
- [touch, /srv/opened]
"""
    % KEY
)


def show() -> int:
    """Run the demo. Returns 0 if everything succeeded."""
    with tempfile.TemporaryDirectory(prefix="lightinit-demo-") as root:
        for name, text in {**FILES, **MACHINE}.items():
            if name in MACHINE or name not in NOT_THERE:
                put(root, name, text + "\n" * (name in MACHINE))
        title("The user data of the VM")
        print(USER_DATA, end="")
        failed = write_seed(root, "desk-1", "desk")
        title("First boot: no network is waited for, and there is nobody to report to")
        failed += lightinit(root, "boot")
        show_tree(root)
        show_file(root, "/etc/motd")
        title("Which datasource was found, and what lightinit knows of it")
        failed += lightinit(root, "datasources")
        for path in ("platform", "subplatform", "raw.meta_data"):
            failed += lightinit(root, "query", path)
        title("Second boot: the seed is the same, nothing to do")
        failed += lightinit(root, "boot")
        title("Another instance-id in the seed: a new instance, everything runs again")
        failed += write_seed(root, "desk-2", "desk-again")
        failed += lightinit(root, "boot")
        show_file(root, "/etc/hostname")
        return failed


def write_seed(root: str, instance_id: str, name: str) -> int:
    """Write the seed with the real command. Returns 0 if it succeeded."""
    title("A seed: instance-id %s, host name %s" % (instance_id, name))
    put(root, "/user-data", USER_DATA)
    folder = root + SEED_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    words = ["seed", "--format", "folder", "--output", folder, "--user-data", root + "/user-data"]
    words += ["--instance-id", instance_id, "--host-name", name]
    print("$ lightinit-emulator %s" % " ".join(words), flush=True)
    ended = subprocess.run(
        [sys.executable, "-m", "lightinit.emulator", *words], cwd=HERE, check=False
    )
    for file in ("meta-data", "user-data"):
        print("%6d bytes  %s/%s" % (os.path.getsize("%s/%s" % (folder, file)), SEED_FOLDER, file))
    show_file(root, SEED_FOLDER + "/meta-data")
    return min(ended.returncode, 1)
