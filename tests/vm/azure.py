"""Azure around one machine: a network namespace with a cable to it, a DHCP server, and the emulator
at the platform's addresses.

What the platform hears is in requests.jsonl, what the DHCP server does in dnsmasq.log and
dnsmasq.leases.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from tests.lib.netns import Namespace, wait_until
from tests.lib.scratch import HERE
from tests.vm.qemu import Hardware

TAP = "tap0"
GATEWAY = "10.99.0.1"
PLATFORM = ("168.63.129.16", "169.254.169.254")
# Another address for the WireServer, which only option 245 names.
ELSEWHERE = "10.99.0.2"
# As Azure's server: routes to both addresses of the platform.
ROUTES = "121,0.0.0.0/0,%s,%s" % (
    GATEWAY,
    ",".join("%s/32,%s" % (each, GATEWAY) for each in PLATFORM),
)


def network_of(hardware: Hardware, address: str) -> Dict[str, Any]:
    """What IMDS says of a VM's NIC, as far as agents configure the network from it.

    Args:
        hardware: of the VM.
        address: its address in the network of GATEWAY.
    """
    return {
        "interface": [
            {
                "macAddress": hardware.mac.replace(":", "").upper(),
                "ipv6": {"ipAddress": []},
                "ipv4": {
                    "ipAddress": [{"privateIpAddress": address, "publicIpAddress": ""}],
                    "subnet": [{"address": "10.99.0.0", "prefix": "24"}],
                },
            }
        ]
    }


class Person:
    """Who logs in: a name and a key pair of their own.

    Args:
        name: of the account.
        folder: where the key goes.

    Attributes:
        password: what sudo wants of them; "" if nothing.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.password = ""
        self.key = folder / ("key-" + name)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.key)],
            check=True,
        )
        self.public = self.key.with_suffix(".pub").read_text()


class Azure:
    """The platform's side.

    Args:
        machine: a namespace that is open.
        folder: where logs go.
        cable: the interface that VMs are behind; a tap device is made unless it is another one,
            which must be there.
    """

    def __init__(self, machine: Namespace, folder: Path, cable: str = TAP) -> None:
        self.machine = machine
        self.folder = folder
        self._cable = cable
        self._log = folder / "requests.jsonl"
        self._emulator: Optional["subprocess.Popen[bytes]"] = None
        self._wireserver = PLATFORM[0]
        if cable == TAP:
            machine.run("ip", "tuntap", "add", "dev", TAP, "mode", "tap")
        machine.add_address(cable, GATEWAY + "/24")
        for address in PLATFORM:
            machine.add_address("lo", address + "/32")

    def move_wireserver(self) -> None:
        """Be the WireServer at an address that only option 245 names, from the next start on: a
        guest that does not read the option finds none.
        """
        self._wireserver = ELSEWHERE
        self.machine.add_address("lo", ELSEWHERE + "/32")

    def serve_dhcp(
        self, first: str = "10.99.0.50", last: str = "10.99.0.99", lease_time: str = "1h"
    ) -> None:
        """Start the DHCP server; one that runs makes room for another, which knows nothing of the
        first one's leases.
        """
        server = ":".join("%02x" % int(each) for each in self._wireserver.split("."))
        options = ("245," + server, ROUTES)
        self.machine.serve_dhcp(self._cable, first, last, self.folder, options, lease_time)

    def stand_for(
        self,
        hardware: Hardware,
        name: str,
        person: Person,
        scenario: str = "good",
        more: Optional[Dict[str, Any]] = None,
        arguments: Sequence[str] = (),
        has_keys: bool = True,
    ) -> None:
        """Be the platform of a VM from now on; what was heard before is forgotten.

        Args:
            hardware: of that VM.
            name: its host name.
            person: its admin.
            scenario: of the emulator.
            more: further parts of its IMDS document.
            arguments: further ones of the emulator's command.
            has_keys: whether IMDS has the admin's key.
        """
        if self._emulator is not None:
            self._emulator.terminate()
            self._emulator.wait(120)
        number = len(list(self.folder.glob("requests*.jsonl")))
        self._log = self.folder / ("requests-%d.jsonl" % number if number else "requests.jsonl")
        self._log.touch()
        instance: Dict[str, Any] = {
            "compute": {
                "name": name,
                "vmId": hardware.uuid,
                "osProfile": {
                    "computerName": name,
                    "adminUsername": person.name,
                    "disablePasswordAuthentication": "true",
                },
                "publicKeys": [
                    {
                        "keyData": person.public,
                        "path": "/home/%s/.ssh/authorized_keys" % person.name,
                    }
                ]
                if has_keys
                else [],
            }
        }
        instance.update(more or {})
        (self.folder / "instance.json").write_text(json.dumps(instance))
        ready = self.folder / ("ready-%d" % number)
        self._emulator = self.machine.start(
            sys.executable,
            "-m",
            "lightinit.emulator",
            "run",
            "--wireserver",
            self._wireserver + ":80",
            "--imds",
            PLATFORM[1] + ":80",
            "--scenario",
            scenario,
            "--instance",
            str(self.folder / "instance.json"),
            "--log",
            str(self._log),
            "--ready-file",
            str(ready),
            *arguments,
            log=self.folder / "emulator.log",
            env={"PYTHONPATH": HERE},
        )
        wait_until(ready.exists, 60, "the emulator does not start; see emulator.log")

    def heard(self) -> List[Dict[str, Any]]:
        """Every request, in order."""
        # The last line may be only half there.
        return [json.loads(line) for line in self._log.read_text().split("\n")[:-1]]

    def posts(self) -> List[Dict[str, Any]]:
        """The health reports among them that do not only tell of progress."""
        return [
            request
            for request in self.heard()
            if request["method"] == "POST"
            and "<SubStatus>Provisioning</SubStatus>" not in request["body"]
        ]

    def accepted(self, state: str) -> List[Dict[str, Any]]:
        """The health reports of ``state`` (Ready, NotReady) that were accepted."""
        return [
            post
            for post in self.posts()
            if "<State>%s</State>" % state in post["body"] and post["status"] == 200
        ]

    def leases(self) -> Dict[str, List[str]]:
        """The DHCP server's database: MAC -> time of end, MAC, address, host name, client. It is
        empty for a moment whenever the server writes it.
        """
        database = self.folder / "dnsmasq.leases"
        lines = (
            [line.split() for line in database.read_text().splitlines()]
            if database.exists()
            else []
        )
        return {words[1]: words for words in lines if len(words) >= 4}

    def name_of(self, mac: str) -> str:
        """The host name in that database; "" if there is none, or the server is writing it."""
        return self.leases().get(mac, [""] * 4)[3]
