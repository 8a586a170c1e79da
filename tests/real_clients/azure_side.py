"""The platform and its DHCP server in a namespace of their own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List

from tests.lib.netns import Namespace, wait_until
from tests.lib.scratch import DMI, HERE, SPARE_THE_DISK, UUID

ENV = {"PYTHONPATH": HERE}


def start_emulator(machine: Namespace, folder: Path, log: Path, *arguments: str) -> None:
    """Start the emulator at the platform's own addresses, and wait until it listens.

    Args:
        machine: has these addresses.
        folder: has instance.json; its own output goes there.
        log: where it writes down each request.
        arguments: further ones of its command.
    """
    ready = folder / "ready"
    machine.start(
        sys.executable,
        "-m",
        "lightinit.emulator",
        "run",
        "--wireserver",
        "168.63.129.16:80",
        "--imds",
        "169.254.169.254:80",
        "--instance",
        str(folder / "instance.json"),
        "--log",
        str(log),
        "--ready-file",
        str(ready),
        *arguments,
        log=folder / "emulator.log",
        env=ENV,
    )
    wait_until(ready.exists, 60, "the emulator does not start")


@contextlib.contextmanager
def open_vm(azure: "Azure") -> Iterator[Namespace]:
    """A live machine with files of its own, cabled to the platform by its eth0."""
    with Namespace(
        [
            "/run",
            "/var/lib/dhcp",
            "/var/lib/lightinit",
            "/var/log",
            "/home",
            "/var/mail",
            "/var/lib/hyperv",
        ]
    ) as vm:
        azure.machine.connect("vs", vm, "eth0")
        azure.machine.add_address("vs", "10.99.0.1/24")
        vm.run("sh", "-c", DMI)
        vm.write("/etc/lightinit/conf.d/05-test.conf", SPARE_THE_DISK)
        yield vm


class Azure:
    """The platform's side: its machine, the log of what it heard, and the key that it gives out."""

    def __init__(self, machine: Namespace, folder: Path) -> None:
        self.machine = machine
        self.folder = folder
        self.log = folder / "requests.jsonl"
        self.key = folder / "key"
        self.arguments: List[str] = []  # further ones of the emulator's command

    def start(self, **overrides: Any) -> None:
        """Start the emulator on the platform's own addresses."""
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True
        )
        public = self.key.with_suffix(".pub").read_text()
        instance = {
            "compute": dict(
                {
                    "name": "vm-1",
                    "vmId": UUID,
                    "osProfile": {
                        "computerName": "web-1",
                        "adminUsername": "alice",
                        "disablePasswordAuthentication": "true",
                    },
                    "publicKeys": [{"keyData": public, "path": "/home/alice/.ssh/authorized_keys"}],
                },
                **overrides,
            )
        }
        (self.folder / "instance.json").write_text(json.dumps(instance))
        for address in ("168.63.129.16/32", "169.254.169.254/32"):
            self.machine.add_address("lo", address)
        start_emulator(self.machine, self.folder, self.log, *self.arguments)

    def heard(self) -> List[Dict[str, Any]]:
        """Every request, in order."""
        # The last line may be only half there.
        return [json.loads(line) for line in self.log.read_text().split("\n")[:-1]]

    def posts(self) -> List[Dict[str, Any]]:
        """The health reports among them, but for those that say that the VM is at work."""
        return [
            request
            for request in self.heard()
            if request["method"] == "POST"
            and "<SubStatus>Provisioning</SubStatus>" not in request["body"]
        ]


# With a host name of its own: this machine keeps its own.
BOOT = ("unshare", "--uts", sys.executable, "-m", "lightinit", "boot")


def start_dhcp(azure: Azure, vm: Namespace, *options: str) -> None:
    """A server with option 245 and ``options``, and dhclient, which asks it."""
    azure.machine.serve_dhcp(
        "vs", "10.99.0.50", "10.99.0.99", azure.folder, ["245,a8:3f:81:10", *options]
    )
    start_dhclient(azure, vm)


def start_dhclient(azure: Azure, vm: Namespace) -> None:
    """Start dhclient on the VM's eth0."""
    vm.start(
        "dhclient",
        "-d",
        "-pf",
        "/run/dhclient.pid",
        "-lf",
        "/var/lib/dhcp/dhclient.eth0.leases",
        "eth0",
        log=azure.folder / "dhclient.log",
    )


def boot(vm: Namespace) -> str:
    """Boot the live root, in a UTS namespace of its own. Returns the host name that resulted and
    what was said.
    """
    return vm.run(
        "unshare",
        "--uts",
        "sh",
        "-c",
        '"$0" -m lightinit boot 2>&1 || echo "exit status $?"; echo "name=$(uname -n)"',
        sys.executable,
        env=ENV,
    )
