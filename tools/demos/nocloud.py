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
        return failed + boot_from_image(root)


def write_seed(root: str, instance_id: str, name: str) -> int:
    """Write the seed folder with the real command. Returns 0 if it succeeded."""
    title("A seed: instance-id %s, host name %s" % (instance_id, name))
    put(root, "/user-data", USER_DATA)
    shutil.rmtree(root + SEED_FOLDER, ignore_errors=True)
    os.makedirs(os.path.dirname(root + SEED_FOLDER), exist_ok=True)
    failed = run_emulator(root, "folder", SEED_FOLDER, instance_id, name)
    show_file(root, SEED_FOLDER + "/meta-data")
    return failed


def boot_from_image(root: str) -> int:
    """Boot from the image of a volume, as a VM has it in a drive. Returns 0 if it succeeded."""
    if not any(map(shutil.which, ("genisoimage", "xorriso", "mkisofs"))):
        print("(without an image: genisoimage is not installed)")
        return 0
    title("The image of a volume, with a third instance-id: it counts before the folder")
    put(root, "/etc/lightinit/conf.d/demo.conf", "[nocloud]\nmedia = /seed.iso\n")
    failed = run_emulator(root, "iso9660", "/seed.iso", "desk-3", "desk-from-iso")
    failed += lightinit(root, "boot")
    show_file(root, "/etc/hostname")
    return failed


def run_emulator(root: str, form: str, output: str, instance_id: str, name: str) -> int:
    """Run the emulator's command, as it would be typed. Returns 0 if it succeeded."""
    words = ["seed", "--format", form, "--output", root + output]
    words += ["--user-data", root + "/user-data", "--instance-id", instance_id, "--host-name", name]
    print("$ lightinit-emulator %s" % " ".join(words), flush=True)
    ended = subprocess.run(
        [sys.executable, "-m", "lightinit.emulator", *words], cwd=HERE, check=False
    )
    return min(ended.returncode, 1)
