"""Network namespaces for tests: machines of their own on this machine, with a DHCP server between
them if wanted.

Nothing here touches this machine's own network: interfaces are made inside the namespaces, whose
names hold the process id, and everything ends with the ``with`` block, also upon failure. It takes
root and the tools of iproute2, util-linux and, for the server, dnsmasq; :func:`need` says so.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Callable, Dict, List, Optional, Sequence, Type

import pytest

from tests.lib.running import run

NUMBERS = itertools.count(1)
RUN_TIMEOUT_S = 300.0
TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_tool(name: str) -> Optional[str]:
    """Where a tool is; the places of daemons are looked at too."""
    if name.startswith("/"):
        return name if os.access(name, os.X_OK) else None
    return shutil.which(name, path=TOOL_PATH)


def need(*tools: str) -> None:
    """Skip the test, saying why, unless this is root and the ``tools`` are there. In CI (CI=true)
    it fails instead.
    """
    missing = [
        name for name in ("ip", "unshare", "nsenter", "mount") + tools if find_tool(name) is None
    ]
    reasons = (["root is needed for namespaces"] if os.geteuid() else []) + [
        "not installed here: %s" % name for name in missing
    ]
    if not reasons:
        return
    if os.environ.get("CI") == "true":
        pytest.fail("in CI nothing is skipped: " + "; ".join(reasons))
    pytest.skip("; ".join(reasons))


class Namespace:
    """A machine with a network of its own, and (if asked for) directories of its own.

    Use it in a ``with`` block: at its end every process inside is ended and the namespace removed.

    Args:
        private: directories that are empty and of this machine alone, such as ``/run``. With any of
            them ``/etc`` is a copy too, and ``/sys`` is read-only, by which systemd and
            NetworkManager know that no udev is to be waited for.
        hostname: a live host name of its own, to begin with this one; it takes ``private``. By
            default the name is this machine's.
    """

    def __init__(self, private: Sequence[str] = (), hostname: str = "") -> None:
        self.name = "lightinit-%d-%d" % (os.getpid(), next(NUMBERS))
        self._private = tuple(private)
        self._hostname = hostname
        self._started: List["subprocess.Popen[bytes]"] = []
        self._keeper: Optional["subprocess.Popen[bytes]"] = None
        self._dhcp: Dict[str, "subprocess.Popen[bytes]"] = {}  # by interface

    def __enter__(self) -> "Namespace":
        while os.path.exists("/run/netns/" + self.name):  # an aborted run's, with the same id
            self.name = "lightinit-%d-%d" % (os.getpid(), next(NUMBERS))
        run("ip", "netns", "add", self.name)
        try:
            if self._private:
                self._make_private()
            self.run("ip", "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _make_private(self) -> None:
        # A process that does nothing keeps the mounts; `ip netns exec` gives it a /sys of this
        # network.
        uts = ["--uts"] if self._hostname else []
        self._keeper = subprocess.Popen(
            ["ip", "netns", "exec", self.name, "unshare", "--mount", "--propagation", "private"]
            + uts
            + ["sh", "-c", "echo ready; exec sleep 3600"],
            stdout=subprocess.PIPE,
        )
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"ready\n", "no private mount namespace"
        script = [
            "set -e",
            "mount -t tmpfs none /mnt",
            "cp -a /etc /mnt/etc",
            "mount --bind /mnt/etc /etc",
            "mount -o remount,bind,ro /sys",
        ]
        for folder in self._private:
            script += [
                "[ -d %s ] || mkdir -p %s" % (folder, folder),
                "mount -t tmpfs -o mode=755 none %s" % folder,
            ]
        self.run("sh", "-c", "\n".join(script))
        if self._hostname:
            self.run("sh", "-c", 'printf %s "$0" >/proc/sys/kernel/hostname', self._hostname)

    def command(self, *argv: str) -> List[str]:
        """The command line that runs ``argv`` inside, for those who start it themselves."""
        if self._keeper is None:
            return ["ip", "netns", "exec", self.name] + list(argv)
        uts = ["--uts"] if self._hostname else []
        return (
            ["nsenter", "--target", str(self._keeper.pid), "--mount", "--net"]
            + uts
            + ["--"]
            + list(argv)
        )

    def run(
        self, *argv: str, env: Optional[Dict[str, str]] = None, timeout_s: float = RUN_TIMEOUT_S
    ) -> str:
        """Run a command inside to its end; its exit status must be 0. Returns what it printed."""
        ended = subprocess.run(
            self.command(*argv),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
            env=_environment(env),
            timeout=timeout_s,
        )
        assert ended.returncode == 0, "%s: status %d\n%s%s" % (
            " ".join(argv),
            ended.returncode,
            ended.stdout.decode("utf-8", "replace"),
            ended.stderr.decode("utf-8", "replace"),
        )
        return ended.stdout.decode("utf-8", "replace")

    def start(
        self, *argv: str, log: Optional[Path] = None, env: Optional[Dict[str, str]] = None
    ) -> "subprocess.Popen[bytes]":
        """Start a command inside and leave it running until the end of the block.

        Args:
            argv: the command.
            log: where its output goes; by default nowhere.
            env: variables besides PATH and LANG.
        """
        with open(str(log) if log else os.devnull, "ab") as output:
            started = subprocess.Popen(
                self.command(*argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(env),
            )
        self._started.append(started)
        return started

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file as this machine sees it, below one of its private directories or /etc."""
        script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"'
        subprocess.run(
            self.command("sh", "-c", script, "sh", path, "%o" % mode),
            input=text.encode(),
            check=True,
            env=_environment(None),
        )

    def connect(self, interface: str, other: "Namespace", other_interface: str) -> None:
        """Lay a cable: a veth pair from ``interface`` here to ``other_interface`` there, the far
        end up.
        """
        run(
            "ip",
            "-n",
            self.name,
            "link",
            "add",
            interface,
            "type",
            "veth",
            "peer",
            "name",
            other_interface,
            "netns",
            other.name,
        )
        other.run("ip", "link", "set", other_interface, "up")

    def add_address(self, interface: str, address: str) -> None:
        """Give an interface (``lo`` too) an address with its prefix length, and set it up."""
        self.run("ip", "address", "add", address, "dev", interface)
        self.run("ip", "link", "set", interface, "up")

    def serve_dhcp(
        self,
        interface: str,
        first: str,
        last: str,
        folder: Path,
        options: Sequence[str] = (),
        lease_time: str = "1h",
    ) -> Path:
        """Start dnsmasq as the DHCP server on ``interface``, which must have an address, and wait
        until it serves.

        One that serves there already ends, and its leases are forgotten: the interface leads into
        another network now.

        Args:
            interface: where it listens.
            first: the first address that it hands out.
            last: the last one.
            folder: where its log and its database of leases go.
            options: what it sends whether asked for or not, as ``--dhcp-option-force`` wants them.
            lease_time: as dnsmasq wants it: ``1h``, ``infinite``.

        Returns:
            The server's database of leases: a line for each, with time of end, MAC, address and
            host name.
        """
        log, leases = folder / "dnsmasq.log", folder / "dnsmasq.leases"
        dnsmasq = find_tool("dnsmasq")
        assert dnsmasq is not None
        if interface in self._dhcp:
            self._dhcp[interface].terminate()
            self._dhcp[interface].wait(RUN_TIMEOUT_S)
            leases.unlink()
        served = _count(log)
        self._dhcp[interface] = self.start(
            dnsmasq,
            "--conf-file=/dev/null",
            "--no-daemon",
            "--user=root",
            "--port=0",
            "--pid-file=",
            "--interface=" + interface,
            "--bind-interfaces",
            "--log-dhcp",
            "--no-ping",
            "--dhcp-authoritative",
            "--dhcp-range=%s,%s,%s" % (first, last, lease_time),
            "--dhcp-leasefile=%s" % leases,
            *["--dhcp-option-force=" + option for option in options],
            log=log,
        )
        wait_until(lambda: _count(log) > served, 60, "dnsmasq does not serve")
        return leases

    def close(self) -> None:
        """End every process inside and remove the namespace. May be called twice."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._pids():
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            for started in self._started:
                try:
                    started.wait(0.5)
                except subprocess.TimeoutExpired:
                    pass
            if not self._pids():
                break
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.wait()
            assert self._keeper.stdout is not None
            self._keeper.stdout.close()
            self._keeper = None
        self._started = []
        subprocess.run(["ip", "netns", "delete", self.name], stderr=subprocess.DEVNULL, check=False)

    def _pids(self) -> List[int]:
        """The processes inside: all of them were started by way of this object."""
        listed = subprocess.run(
            ["ip", "netns", "pids", self.name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        keeper = self._keeper.pid if self._keeper is not None else 0
        return [int(pid) for pid in listed.stdout.split() if int(pid) != keeper]


def wait_until(holds: Callable[[], object], timeout_s: float, what: str) -> None:
    """Wait until the function ``holds`` gives something true, else fail with ``what``."""
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.02)


def _count(log: Path) -> int:
    """How often a server has begun to serve, by its log."""
    return log.read_bytes().count(b"bound exclusively") if log.exists() else 0


def _environment(extra: Optional[Dict[str, str]]) -> Dict[str, str]:
    environment = {"PATH": TOOL_PATH, "LANG": "C.UTF-8"}
    environment.update(extra or {})
    return environment
