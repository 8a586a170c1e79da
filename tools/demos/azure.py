"""The demo of Azure: the platform is the emulator of the tests."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import tempfile
import threading
from typing import Any, Dict

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from lightinit.emulator.host_side.kvp import read_pool
from tests.lib.scratch import FILES, LEASE
from tools.demos.shared import lightinit, put, show_file, show_tree, title

LEASE_FILE = "/var/lib/dhcp/dhclient.eth0.leases"

FIRST_UUID = "5c9fd3a1-6f0a-4c0f-9d6e-2f1c3b7a9e10"
SECOND_UUID = "d1e0a7b4-93c2-4b55-8a11-77f0c2a4e6d8"
THIRD_UUID = "0b7d4c1e-52aa-4f0e-8f3b-6c1d9e2f7a55"
# Its user data. The time zones of the scratch root are made up.
CLOUD_CONFIG = """#cloud-config
hostname: shop-1
timezone: Europe/Berlin
write_files:
- path: /etc/motd
  content: |
    Welcome to the shop.
runcmd:
- [touch, /srv/opened]
- echo the shop is open
"""
ZONE = "/usr/share/zoneinfo/Europe/Berlin"
KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDcbg8o5BZtK+hy2qrfeIr5qrTTCf8N/SK/uB2XS5X+E demo@example"
)


def show() -> int:
    """Run the demo. Returns 0 if everything succeeded."""
    with tempfile.TemporaryDirectory(prefix="lightinit-demo-") as root:
        for name, text in FILES.items():
            if name != LEASE_FILE:
                put(root, name, text)
        put(root, "/sys/class/dmi/id/product_uuid", FIRST_UUID + "\n")
        put(
            root, ZONE, "TZif2" + "\0" * 39 + "TZif2" + "\0" * 39 + "\nCET-1CEST,M3.5.0,M10.5.0/3\n"
        )
        first = start_platform(root, FIRST_UUID, "web-1", "alice", find_user_data())
        title("First boot: four stages. The DHCP lease appears half a second after the start")
        timer = threading.Timer(0.5, put, (root, LEASE_FILE, LEASE))
        timer.start()
        failed = lightinit(root, "boot")
        show_platform(first)
        show_tree(root)
        show_cloud_config(root)
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
        title("The same disk in a new instance: everything runs again")
        failed += lightinit(root, "boot")
        show_platform(second)
        show_tree(root)
        failed += abs(second.ready_count - 1)
        second.close()

        failed += from_media(root)
    return failed


def find_user_data() -> str:
    """The user data of the first VM: nothing if python3-yaml is missing, which reads them."""
    if importlib.util.find_spec("yaml") is None:
        print("(without user data: PyYAML is not installed)")
        return ""
    print("=== The user data of the first VM\n" + CLOUD_CONFIG)
    return CLOUD_CONFIG


def show_cloud_config(root: str) -> None:
    """Print what has become of the user data."""
    title("What the user data have become: the host name above, a time zone, a file, a script")
    if os.path.islink(root + "/etc/localtime"):
        print("-- /etc/localtime -> %s" % os.readlink(root + "/etc/localtime"))
    for name in ("/etc/motd", "/var/lib/lightinit/instance/runcmd-script"):
        show_file(root, name)


def start_platform(root: str, uuid: str, name: str, admin: str, user_data: str = "") -> Platform:
    """Start an emulator on loopback and write settings with its addresses."""
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
            "userData": base64.b64encode(user_data.encode("utf-8")).decode("ascii"),
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
    """Boot a third VM without IMDS: its data come only from the provisioning media.

    Returns:
        0 if everything succeeded.
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
        "description": "IMDS refuses connections.",
        "listen_after_s": {"imds": "forever"},
    }
    with Platform(scenario=silent, instance={"compute": {"vmId": THIRD_UUID}}) as third:
        put(
            root,
            "/etc/lightinit/conf.d/demo.conf",
            "[azure]\nwireserver = %s\nimds = %s\nmedia = /media\n"
            "media_only_s = 1\n" % (third.wireserver, third.imds),
        )
        title("A third instance: IMDS is unavailable; only the provisioning media have its data")
        failed = lightinit(root, "boot")
        show_platform(third)
        title("What the host reads in Hyper-V's key-value pool")
        for key, value in read_pool(root + "/var/lib/hyperv/.kvp_pool_1")[-1:]:
            print("%s: %s" % (key, value))
        title("Copies from the media: custom data, and ovf-env.xml without its secrets")
        for name in ("custom-data", "ovf-env.xml"):
            show_file(root, "/var/lib/lightinit/instance/" + name)
        return failed + abs(third.ready_count - 1)


def show_platform(platform: Platform) -> None:
    """Print the requests and reports that the platform received."""
    title("What the platform received")
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
