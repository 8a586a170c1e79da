"""What runs inside the machine, reached as an administrator reaches it: over SSH, and by sudo."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple

from tests.vm.azure import Azure, Person
from tests.vm.machine import Machine
from tests.vm.qemu import Hardware

SSH_TIMEOUT_S = 600.0
SSH_EVERY_S = 0.5


def soon(command: str) -> str:
    """Words of a shell that run ``command``, which ends the machine, when the connection is not in
    use any more: some hosts end without closing it.
    """
    return "setsid sh -c 'sleep 1; %s' >/dev/null 2>&1 </dev/null &" % command


class Said(NamedTuple):
    """What a command in the guest came to.

    Attributes:
        status: its exit status.
        text: all that it printed, without the last line's end.
    """

    status: int
    text: str


class Guest:
    """A guest that is up, or soon will be.

    Args:
        azure: its platform.
        machine: what it runs on.
        hardware: by which the DHCP server knows it.
        person: who logs in.
        become_root: the words before a command that runs as root.
    """

    def __init__(
        self,
        azure: Azure,
        machine: Machine,
        hardware: Hardware,
        person: Person,
        become_root: str = "sudo -n",
    ) -> None:
        self.become_root = become_root
        self._azure = azure
        self._machine = machine
        self._hardware = hardware
        self._person = person
        self.known_hosts: Path = azure.folder / ("known_hosts-" + hardware.uuid)

    @property
    def address(self) -> str:
        """The address that the DHCP server gave it."""
        return self._azure.leases()[self._hardware.mac][2]

    def wait_for_ssh(self, timeout_s: float) -> None:
        """Wait until the person's key opens a session."""
        self._machine.wait_until(
            lambda: self.ssh("true", timeout_s=60.0).status == 0,
            timeout_s,
            "nobody can log in by SSH",
            SSH_EVERY_S,
        )

    def ssh(
        self, command: str, given: str = "", timeout_s: float = SSH_TIMEOUT_S, password: str = ""
    ) -> Said:
        """Run a command in the guest. The host's keys are learned at the first contact and must
        stay the same.

        The commands of one boot share the connection of the first that got through: an emulated
        processor takes seconds for another.

        Args:
            command: for the login shell.
            given: what it reads.
            timeout_s: seconds.
            password: log in with that instead of the person's key.
        """
        lease = self._azure.leases().get(self._hardware.mac)
        if lease is None:
            # A guest that goes down may give its lease back; the server may be writing its file.
            return Said(255, "ssh: no address")
        how = ["-i", str(self._person.key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
        asked = ""
        if password:
            how = [
                "-o",
                "PubkeyAuthentication=no",
                "-o",
                "PreferredAuthentications=password",
                "-o",
                "NumberOfPasswordPrompts=1",
            ]
            asked = self._askpass(password)
        argv = [
            "env",
            "SSH_ASKPASS=" + asked,
            "SSH_ASKPASS_REQUIRE=force",
            "ssh",
            *how,
            "-o",
            "StrictHostKeyChecking=accept-new",
            "-o",
            "UserKnownHostsFile=%s" % self.known_hosts,
            "-o",
            "LogLevel=ERROR",
            "-o",
            "ConnectTimeout=20",
            "-o",
            "KexAlgorithms=curve25519-sha256",  # the cheapest on an emulated processor
            "-o",
            "ControlMaster=auto",
            "-o",
            "ControlPersist=yes",
            "-o",
            "ControlPath=%s" % self._shared_connection("password" if password else "key"),
            "-F",
            "none",
            "%s@%s" % (self._person.name, lease[2]),
            command,
        ]
        try:
            ended = subprocess.run(
                self._azure.machine.command(*argv),
                input=given.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            return Said(255, "ssh: no end within %d s" % timeout_s)
        return Said(ended.returncode, ended.stdout.decode("utf-8", "replace").rstrip("\n"))

    def _shared_connection(self, how: str) -> Path:
        """The socket of the connection that the commands of this boot share."""
        name = "ssh-%d-%s-%s" % (self._machine.starts, self._person.name, how)
        return self._machine.sockets / name

    def _askpass(self, password: str) -> str:
        """The program that ssh gets the password from."""
        secret, program = self._azure.folder / "password", self._azure.folder / "askpass"
        secret.write_text(password + "\n")
        program.write_text("#!/bin/sh\ncat %s\n" % secret)
        program.chmod(0o700)
        return str(program)

    def reboot(self) -> None:
        """Let the guest reboot itself, and start the machine again where it ends."""
        self.ssh('%s sh -c "%s"' % (self.become_root, soon("reboot")))
        self._machine.wait_for_end()
        self._machine.start()

    def power_off(self) -> None:
        """Let the guest switch itself off."""
        self.ssh("sudo -n systemctl --no-block poweroff")
        self._machine.wait_for_end()

    def ask(self, commands: Mapping[str, str]) -> Dict[str, Said]:
        """Run shell commands as root, all in one session, one after the other.

        Args:
            commands: name -> command.

        Returns:
            name -> what it came to.
        """
        mark = secrets.token_hex(8)
        script = "".join(
            "( %s\n) 2>&1 </dev/null\nprintf '\\n%s %%s %s\\n' $?\n" % (command, mark, name)
            for name, command in commands.items()
        )
        password = self._person.password
        if password:
            said = self.ssh("sudo -S -p '' sh -s", password + "\n" + script)
        else:
            said = self.ssh(self.become_root + " sh -s", script)
        answers: Dict[str, Said] = {}
        rest = said.text + "\n"
        for name in commands:
            text, found, rest = rest.partition("\n%s " % mark)
            assert found, "the guest broke off before %s; it ended with status %d: %s" % (
                name,
                said.status,
                text[-2000:],
            )
            status, _, rest = rest.partition("\n")
            answers[name] = Said(int(status.split()[0]), text.strip("\n"))
        return answers

    def scan_keys(self) -> List[str]:
        """The fingerprints of all host keys that sshd shows to anybody who asks; each costs an
        emulated processor a connection.
        """
        return fingerprints_of(self._azure.machine.run("ssh-keyscan", "-T", "60", self.address))

    def known_keys(self) -> List[str]:
        """The fingerprints of the host keys that logins have seen."""
        return fingerprints_of(self.known_hosts.read_text())


def fingerprints_of(keys: str) -> List[str]:
    """The fingerprints of public keys, one a line."""
    listed = subprocess.run(
        ["ssh-keygen", "-lf", "-"], input=keys.encode(), stdout=subprocess.PIPE, check=True
    )
    return sorted(line.split()[1] for line in listed.stdout.decode().splitlines())


def parse_journal(text: str) -> List[Dict[str, Any]]:
    """The entries of ``journalctl -o json``; a message of several kinds or in bytes becomes
    text.
    """
    entries = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    for entry in entries:
        message = entry.get("MESSAGE")
        if isinstance(message, list):
            entry["MESSAGE"] = (
                bytes(message).decode("utf-8", "replace")
                if all(isinstance(each, int) for each in message)
                else " ".join(map(str, message))
            )
        elif not isinstance(message, str):
            entry["MESSAGE"] = ""
    return entries


def parse_units(text: str) -> Dict[str, Dict[str, str]]:
    """What ``systemctl show`` printed of several units: name -> property -> value."""
    blocks = [parse_properties(block) for block in text.split("\n\n")]
    return {block["Id"]: block for block in blocks}


def parse_properties(text: str) -> Dict[str, str]:
    """What ``systemctl show`` printed of one unit."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
