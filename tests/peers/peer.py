"""Another agent on a machine of its own, with the emulator at the platform's
addresses.

A peer that fails shows where the emulator is wrong: what it refused is printed with every failure.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Sequence, Type, Union

from lightinit.emulator.certificates.pairs import make_pair, thumbprint
from lightinit.emulator.documents.ovf import make_ovf
from tests.lib.netns import Namespace, need
from tests.peers.guest import CABLE, HARDWARE, Guest
from tests.peers.media import Media
from tests.vm.azure import PLATFORM, Azure, Person, network_of

NAME = "web-1"
USER = "alice"
ADDRESS = "10.99.0.50"
TOOLS = ("mmdebstrap", "chroot", "dnsmasq", "ssh", "ssh-keygen", "genisoimage", "losetup")
SSH = (
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "BatchMode=yes",
    "-o",
    "LogLevel=ERROR",
    # sshd is in the background before it listens.
    "-o",
    "ConnectionAttempts=60",
)
LOG_LINES = 60
# Of an agent's package and a release of Debian: what its installation adds to the release's root.
Prepared = Callable[[str, str], Path]


class Peer:
    """A machine on which an agent is installed and has not run yet. Use it in a ``with`` block.

    Args:
        agent: its package, of those in chroot.STORED; or a program, which is put into /usr/bin.
        release: of Debian.
        folder: an empty directory.
        scenario: what the emulator plays, by name or file.
        key_from: where the admin's key is: ``imds``; ``media``, where there is a CD-ROM too, with
            all that IMDS says; or ``certificate``, where the CD-ROM names a fingerprint and the
            WireServer has the certificate.
        log: the agent's log.
        arguments: further ones of the emulator's command.
        prepared: what has been installed on a machine of the same release; then the agent is there.

    Attributes:
        guest: the machine.
        azure: the platform.
        key: the admin's private key, a file.
    """

    def __init__(
        self,
        agent: Union[str, Path],
        release: str,
        folder: Path,
        scenario: str,
        key_from: str,
        log: str,
        arguments: Sequence[str] = (),
        prepared: Optional[Path] = None,
    ) -> None:
        self._agent, self._release, self._scenario, self._log = agent, release, scenario, log
        self._arguments, self._prepared = list(arguments), prepared
        self._folder = folder
        self._key_from = key_from
        self._person = Person(USER, folder)
        self.key = self._person.key
        self._stack = contextlib.ExitStack()
        self._started: List["subprocess.Popen[bytes]"] = []

    def __enter__(self) -> "Peer":
        more: Dict[str, Any] = {"network": network_of(HARDWARE, ADDRESS)}
        arguments = ["--host-plugin", PLATFORM[0] + ":32526"] + self._arguments
        names: Dict[str, List[str]] = {"ssh_keys": [self._person.public.strip()]}
        if self._key_from == "certificate":
            names = {"fingerprints": [self._make_certificate()]}
            arguments += ["--certificates", str(self._folder / "certificates")]
        with contextlib.ExitStack() as stack:
            ovf = make_ovf(
                USER,
                NAME,
                provision_guest_agent=True,
                **names,  # type: ignore[arg-type]
            )
            media = (
                None if self._key_from == "imds" else stack.enter_context(Media(self._folder, ovf))
            )
            platform = stack.enter_context(Namespace())
            root = self._folder / "root"
            root.mkdir()
            self.guest = stack.enter_context(
                Guest(self._release, root, platform, media, self._prepared)
            )
            if self._prepared is None:
                self._install()
            self.azure = Azure(platform, self._folder, CABLE)
            self.azure.serve_dhcp()
            self.azure.stand_for(HARDWARE, NAME, self._person, self._scenario, more, arguments)
            self._stack = stack.pop_all()
        return self

    def _install(self) -> None:
        if isinstance(self._agent, Path):
            shutil.copy(str(self._agent), str(self.guest.path("/usr/bin")))
        elif self._agent:
            self.guest.install_stored(self._agent)

    def _make_certificate(self) -> str:
        """Make a certificate, which IMDS has in the place of the admin's key; returns its
        fingerprint.
        """
        pair = make_pair("peer")
        folder = self._folder / "certificates"
        folder.mkdir()
        (folder / "peer.crt").write_bytes(pair.certificate)
        self.key = folder / "peer.key"
        self.key.touch(mode=0o600)
        self.key.write_bytes(pair.key or b"")
        self._person.public = pair.certificate.decode("ascii")
        return thumbprint(pair)

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        try:
            if error is not None:
                print(self.tell())
        finally:
            self._stack.close()
            for started in self._started:
                started.wait(120)

    def start(self, *argv: str) -> "subprocess.Popen[bytes]":
        """Start a command on the machine and leave it running until the end of the block."""
        started = subprocess.Popen(
            self.guest.command(*argv),
            env=self.guest.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._started.append(started)
        return started

    def tell(self) -> str:
        """What is worth knowing of a failure: what was asked, what of it was refused and why, the
        log's end.
        """
        lines = [
            "%s %s %s: %s %s"
            % (each["server"], each["method"], each["target"], each["status"], each["reason"])
            for each in self.azure.heard()
        ]
        lines.append("%s ends with:" % self._log)
        if self.guest.has(self._log):
            lines += self.guest.read(self._log).splitlines()[-LOG_LINES:]
        return "\n".join(lines)

    def refused(self) -> List[str]:
        """Every request that the emulator refused, with its reason."""
        return [
            "%s %s %s: %s" % (each["server"], each["method"], each["target"], each["reason"])
            for each in self.azure.heard()
            if each["verdict"] == "refused"
        ]

    def asked(self, server: str, method: str, target: str) -> List[Dict[str, Any]]:
        """The requests for a target that got a good answer."""
        return [
            each
            for each in self.azure.heard()
            if (each["server"], each["method"], each["target"], each["status"])
            == (server, method, target, 200)
        ]

    def check_reports(self, agent: str, progress: int = 0, name: str = "WALinuxAgent") -> None:
        """See that there is one Ready, that it was accepted, that it is the agent's, and that
        nothing was refused.

        Args:
            agent: how the agent's User-Agent begins; "" if it sends none.
            progress: how many reports are accepted that only tell of progress.
            name: what the agent says in x-ms-agent-name. cloud-init says WALinuxAgent, too.
        """
        assert self.refused() == []
        (ready,) = self.azure.accepted("Ready")
        assert ready["headers"].get("user-agent", "").startswith(agent), ready["headers"]
        assert ready["headers"]["x-ms-agent-name"] == name
        accepted = [
            each
            for each in self.azure.heard()
            if "comp=health" in each["target"] and each["status"] == 200
        ]
        told = [each for each in accepted if "<SubStatus>Provisioning</SubStatus>" in each["body"]]
        assert (len(accepted), len(told)) == (progress + 1, progress), [
            each["body"] for each in accepted
        ]

    def check_login(self) -> None:
        """See that the machine has its name, and that its admin gets in with the key and has all
        rights.
        """
        assert self.guest.run("uname", "-n") == NAME + "\n"
        assert self.guest.read("/etc/hostname").strip() == NAME
        assert self.guest.run("passwd", "--status", USER).split()[1] in ("L", "NP"), (
            "the account has a password"
        )
        self.guest.shell("mkdir -p /run/sshd; pidof sshd || /usr/sbin/sshd")
        address = (
            self.guest.shell("ip -4 -o address show dev eth0 scope global")
            .split()[3]
            .partition("/")[0]
        )
        login = self.azure.machine.run(
            "ssh", "-i", str(self.key), *SSH, "%s@%s" % (USER, address), "id -un; sudo -n id -un"
        )
        assert login == USER + "\nroot\n"


def need_tools() -> None:
    """Skip the test, or in CI fail it, where something is missing."""
    need(*TOOLS)


def open_peer(
    agent: Union[str, Path],
    release: str,
    folder: Path,
    scenario: str,
    key_from: str,
    log: str,
    prepared: Optional[Path] = None,
) -> Peer:
    """The same as the class, for use in tests: skips them, or in CI fails them, where something is
    missing.
    """
    need_tools()
    return Peer(agent, release, folder, scenario, key_from, log, prepared=prepared)
