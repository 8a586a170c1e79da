"""``make demo``: the whole pipeline against the embedded Azure platform, in a scratch root,
unprivileged.

Everything shown is real: the command is the one that a VM runs, the platform is the emulator that
the tests use, and nothing outside the scratch directory is touched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, Dict, List

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HERE)

from lightinit.emulator import Platform  # noqa: E402
from lightinit.emulator.documents.ovf import make_ovf  # noqa: E402
from lightinit.emulator.host_side.kvp import read_pool  # noqa: E402
from tests.lib.scratch import FILES, LEASE  # noqa: E402

NOBODY = 65534
LEASE_FILE = "/var/lib/dhcp/dhclient.eth0.leases"

FIRST_UUID = "5c9fd3a1-6f0a-4c0f-9d6e-2f1c3b7a9e10"
SECOND_UUID = "d1e0a7b4-93c2-4b55-8a11-77f0c2a4e6d8"
THIRD_UUID = "0b7d4c1e-52aa-4f0e-8f3b-6c1d9e2f7a55"
KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDcbg8o5BZtK+hy2qrfeIr5qrTTCf8N/SK/uB2XS5X+E demo@example"
)


def main() -> int:
    """Show it all. Returns the exit code."""
    give_up_root()
    with tempfile.TemporaryDirectory(prefix="lightinit-demo-") as root:
        for name, text in FILES.items():
            if name != LEASE_FILE:
                put(root, name, text)
        put(root, "/sys/class/dmi/id/product_uuid", FIRST_UUID + "\n")
        first = start_platform(root, FIRST_UUID, "web-1", "alice")
        title("First boot: four stages. The DHCP lease appears half a second after the start")
        timer = threading.Timer(0.5, put, (root, LEASE_FILE, LEASE))
        timer.start()
        failed = lightinit(root, "boot")
        show_platform(first)
        show_tree(root)
        title("Where the time went (lightinit analyze blame)")
        lightinit(root, "analyze", "blame")
        title("Second boot: nothing to do, nothing sent")
        before = len(first.requests)
        failed += lightinit(root, "boot")
        failed += lightinit(root, "status", "--long")
        print("requests since the first boot: %d" % (len(first.requests) - before))
        failed += len(first.requests) - before + abs(first.ready_count - 1)
        first.close()

        put(root, "/sys/class/dmi/id/product_uuid", SECOND_UUID + "\n")
        second = start_platform(root, SECOND_UUID, "web-2", "bob")
        title("The same disk as a new instance: all of it again")
        failed += lightinit(root, "boot")
        show_platform(second)
        show_tree(root)
        failed += abs(second.ready_count - 1)
        second.close()

        failed += from_media(root)
    print(
        "\n%s"
        % ("demo: something went wrong, see above" if failed else "demo: all as it should be")
    )
    return 1 if failed else 0


def give_up_root() -> None:
    """Go on as nobody, if we are root and nobody can read the checkout: the demo needs no
    privilege, and shows it.
    """
    if os.geteuid() != 0:
        return

    def drop() -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    tried = subprocess.run(
        [sys.executable, "-c", "import lightinit.cli"],
        cwd=HERE,
        preexec_fn=drop,
        check=False,
        stderr=subprocess.DEVNULL,
    )
    if tried.returncode == 0:
        drop()
        print("(started as root, going on as nobody)")


def start_platform(root: str, uuid: str, name: str, admin: str) -> Platform:
    """An Azure of our own on loopback, and the settings that lead to it."""
    instance: Dict[str, Any] = {
        "compute": {
            "name": name,
            "vmId": uuid,
            "osProfile": {
                "adminUsername": admin,
                "computerName": name,
                "disablePasswordAuthentication": "true",
            },
            "publicKeys": [{"keyData": KEY, "path": "/home/%s/.ssh/authorized_keys" % admin}],
        }
    }
    platform = Platform(instance=instance)
    platform.__enter__()
    put(
        root,
        "/etc/lightinit/conf.d/demo.conf",
        "[azure]\nwireserver = %s\nimds = %s\n" % (platform.wireserver, platform.imds),
    )
    title(
        "An Azure platform on loopback: WireServer %s, IMDS %s"
        % (platform.wireserver, platform.imds)
    )
    return platform


def from_media(root: str) -> int:
    """A third VM, whose IMDS is down: the provisioning media alone say who it is. Returns 0 if all
    went well.
    """
    put(root, "/sys/class/dmi/id/product_uuid", THIRD_UUID + "\n")
    put(
        root,
        "/media/ovf-env.xml",
        make_ovf(
            user_name="carol",
            host_name="web-3",
            ssh_keys=[KEY],
            custom_data=b"#!/bin/sh\necho hello\n",
        ).decode("utf-8"),
    )
    silent = {
        "name": "imds-down",
        "description": "Nobody listens at IMDS.",
        "listen_after_s": {"imds": "forever"},
    }
    with Platform(scenario=silent, instance={"compute": {"vmId": THIRD_UUID}}) as third:
        put(
            root,
            "/etc/lightinit/conf.d/demo.conf",
            "[azure]\nwireserver = %s\nimds = %s\nmedia = /media\n"
            "media_only_s = 1\n" % (third.wireserver, third.imds),
        )
        title("A third instance: IMDS is down, and the provisioning media alone must do")
        failed = lightinit(root, "boot")
        show_platform(third)
        title("What the host reads in Hyper-V's key-value pool")
        for key, value in read_pool(root + "/var/lib/hyperv/.kvp_pool_1")[-1:]:
            print("%s: %s" % (key, value))
        title("What is kept of the media: custom data, and the document without its secrets")
        for name in ("custom-data", "ovf-env.xml"):
            show_file(root, "/var/lib/lightinit/instance/" + name)
        return failed + abs(third.ready_count - 1)


def lightinit(root: str, *arguments: str) -> int:
    """Run the real command on the scratch root. Returns 0 if it succeeded, else 1."""
    print("$ lightinit --root %s %s" % (root, " ".join(arguments)), flush=True)
    began_s = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "lightinit", "--root", root, *arguments],
        cwd=HERE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    print(
        "(exit code %d after %.3f s)" % (ended.returncode, time.monotonic() - began_s), flush=True
    )
    return min(ended.returncode, 1)


def show_platform(platform: Platform) -> None:
    """What the platform heard."""
    title("What the platform heard")
    for record in platform.requests:
        query = "&".join("%s=%s" % item for item in sorted(record["query"].items()))
        print(
            "%-10s %-4s %s?%s -> %s"
            % (record["server"], record["method"], record["path"], query, record["status"])
        )
    for report in platform.health_reports:
        print(
            "health report: "
            + json.dumps(
                {
                    key: report[key]
                    for key in (
                        "state",
                        "substatus",
                        "accepted",
                        "incarnation",
                        "container_id",
                        "role_instance_id",
                        "agent",
                    )
                }
            )
        )


def show_tree(root: str) -> None:
    """What became of the scratch root."""
    title("What became of the root")
    for name in ("/etc/hostname", "/etc/hosts", "/etc/passwd", "/etc/sudoers.d/90-lightinit-users"):
        show_file(root, name)
    for folder in sorted(os.listdir(root + "/home")):
        show_file(root, "/home/%s/.ssh/authorized_keys" % folder)
    print("-- /var/lib/lightinit")
    for folder, _, files in sorted(os.walk(root + "/var/lib/lightinit")):
        for file in sorted(files):
            path = os.path.join(folder, file)
            print(
                "   %s %6d  %s"
                % (oct(os.stat(path).st_mode)[-4:], os.path.getsize(path), path[len(root) :])
            )


def show_file(root: str, name: str) -> None:
    """One file, or that it is not there."""
    print("-- %s" % name)
    try:
        with open(root + name, encoding="utf-8") as handle:
            print("".join("   " + line for line in handle.readlines()), end="")
    except OSError as error:
        print("   %s" % error.strerror)


def put(root: str, name: str, text: str) -> None:
    """Write one file of the scratch root, whole."""
    path = root + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as handle:
        handle.write(text)
    os.replace(path + ".new", path)


def title(text: str) -> None:
    """A heading."""
    lines: List[str] = ["", "=== " + text]
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
