"""A virtual machine on Azure's hardware, as far as it can be seen from inside: DMI, a disk, a NIC,
a serial console.

QEMU runs inside the network namespace of the platform. Nothing here knows what runs in the machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Type

from tests.lib.netns import Namespace
from tests.lib.terminal import Terminal
from tests.vm.image import Image
from tests.vm.initrd import ROOT_IS_MOUNTED
from tests.vm.qemu import Hardware, command_line, disk_format

END_TIMEOUT_S = 240.0
LOOK_EVERY_S = 0.1
# How much of the host's CPU a kernel may use until it has mounted its root (it takes 2 to 6 s), how
# long it may use none, and a limit of wall time for all that these do not see. A hanging kernel
# either spins or sleeps; one on a busy host does neither, however slow it is.
START_CPU_S = 15.0
START_IDLE_S = 10.0
IDLE_CPU_S = 0.1
START_TIMEOUT_S = 240.0
START_ATTEMPTS = 4
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>78c]|\r")


class Machine:
    """A machine that runs from :meth:`start` until it is powered off, cut off, or the with block
    ends.

    Args:
        namespace: where the tap device is.
        tap: that device.
        folder: where its logs go: console.log, qemu.log.
        image: whose kernel it is started with.
        disk: of its own.
        hardware: what it is.
        kernel_words: further words for the kernel's command line.
        devices: further words of QEMU's command line.
    """

    def __init__(
        self,
        namespace: Namespace,
        tap: str,
        folder: Path,
        image: Image,
        disk: Path,
        hardware: Hardware,
        kernel_words: Sequence[str] = (),
        devices: Sequence[str] = (),
    ) -> None:
        self._namespace = namespace
        self._tap = tap
        self._folder = folder
        self._image = image
        self._disk = disk
        self._hardware = hardware
        self._kernel_words = list(kernel_words)
        self._devices = list(devices)
        self._process: Optional["subprocess.Popen[bytes]"] = None
        self.sockets = Path(tempfile.mkdtemp(prefix="vm-"))  # a socket's path must be short
        self.started_s = 0.0
        self.starts = 0
        self._console_began = 0

    def __enter__(self) -> "Machine":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.cut_off()
        shutil.rmtree(str(self.sockets), ignore_errors=True)

    @property
    def log(self) -> Path:
        """All that the console has shown, in every boot of every machine of this folder."""
        return self._folder / "console.log"

    def start(self) -> "Machine":
        """Power on, and wait until the kernel has mounted the root. The console's text counts from
        here. A guest that reboots ends QEMU: start it again.

        Raises:
            AssertionError: the kernel hangs, time and again.
        """
        assert self._process is None, "the machine is on already"
        argv = command_line(
            self._image, self._disk, self._hardware, self._tap, self.sockets, self._kernel_words
        )
        argv += self._devices
        for _ in range(START_ATTEMPTS):
            self.turn_page()
            self.starts += 1
            self.started_s = time.monotonic()
            self._process = self._namespace.start(*argv, log=self._folder / "qemu.log")
            self._watch_console()
            if self._mounts_root(self._process.pid):
                return self
            self.cut_off()
        raise AssertionError(
            "the kernel hangs before it mounts the root, in %d attempts; QEMU: %s"
            % (START_ATTEMPTS, (self._folder / "qemu.log").read_text()[-500:])
        )

    def _mounts_root(self, pid: int) -> bool:
        """Wait until the root is mounted. Returns whether it is: a hanging kernel is given up."""
        used_s = last_used_s = 0.0
        used_at_s = self.started_s

        def is_over() -> bool:
            nonlocal used_s, last_used_s, used_at_s
            now_s, used_s = time.monotonic(), cpu_time_s(pid)
            if used_s > last_used_s + IDLE_CPU_S:
                last_used_s, used_at_s = used_s, now_s
            hangs = used_s > START_CPU_S or now_s - used_at_s > START_IDLE_S
            return hangs or ROOT_IS_MOUNTED in self.console()

        self.comes_true(is_over, START_TIMEOUT_S)
        mounted = ROOT_IS_MOUNTED in self.console()
        with (self._folder / "starts").open("a") as log:
            took_s = time.monotonic() - self.started_s
            log.write("%s %.1f s, CPU %.1f s\n" % ("ok" if mounted else "HANGS", took_s, used_s))
        return mounted

    @property
    def runs(self) -> bool:
        """Whether it is on."""
        return self._process is not None and self._process.poll() is None

    def wait_until(
        self,
        holds: Callable[[], object],
        timeout_s: float,
        what: str,
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        """Wait until the function ``holds`` gives something true, as long as the machine is on;
        else fail with ``what``. It is called every ``every_s`` seconds.
        """
        if not self.comes_true(holds, timeout_s, every_s):
            assert self.runs, "%s, and the machine has gone off: %s" % (
                what,
                (self._folder / "qemu.log").read_text()[-500:],
            )
            raise AssertionError("%s within %d s" % (what, timeout_s))

    def comes_true(
        self, holds: Callable[[], object], timeout_s: float, every_s: float = LOOK_EVERY_S
    ) -> bool:
        """Wait until the function ``holds`` gives something true, as long as the machine is on.
        Returns whether it did. It is called every ``every_s`` seconds.
        """
        deadline_s = time.monotonic() + timeout_s
        while not holds():
            if not self.runs or time.monotonic() >= deadline_s:
                return False
            time.sleep(every_s)
        return True

    def wait_for_end(self) -> None:
        """Wait until the guest has switched the machine off, or reboots."""
        assert self._process is not None
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                "the guest has not come to its end within %d s" % END_TIMEOUT_S
            ) from None
        self._process = None

    def cut_off(self) -> None:
        """A power cut: nothing that the guest has not written yet is written any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def console(self, since: Optional[int] = None) -> str:
        """What the console has shown, without what drives a terminal; since the last :meth:`start`
        unless ``since`` has an earlier :meth:`console_size`.
        """
        if not self.log.exists():
            return ""
        shown = self.log.read_bytes()[self._console_began if since is None else since :]
        return ESCAPES.sub("", shown.decode("utf-8", "replace"))

    def _watch_console(self) -> None:
        """Write down all that the console shows. QEMU waits for this before it lets the guest
        begin.
        """
        path = self.sockets / "console"
        self.wait_until(path.exists, 30.0, "QEMU makes no console")
        self._keyboard = socket.socket(socket.AF_UNIX)
        # The socket is there an instant before QEMU listens.
        self.wait_until(
            lambda: self._keyboard.connect_ex(str(path)) == 0,
            30.0,
            "QEMU's console is not to be had",
        )
        path.unlink()  # so that the next start waits for its own
        threading.Thread(target=_write_down, args=(self._keyboard, self.log), daemon=True).start()

    def turn_page(self) -> None:
        """Let the console's text count from here."""
        self._console_began = self.console_size()

    def console_size(self) -> int:
        """How many bytes the console has shown, in all boots."""
        return self.log.stat().st_size if self.log.exists() else 0

    def type(self, text: str) -> None:
        """Type a line at the console."""
        self._keyboard.sendall(text.encode() + b"\r")

    def open_console(self) -> Terminal:
        """Sit down at the console."""
        return Terminal(self)

    def add_disk(self, disk: Path) -> None:
        """Plug a disk in while the machine runs; its kernel sees it as the next /dev/vd?."""
        self._command(
            "blockdev-add",
            {
                "node-name": disk.stem,
                "driver": disk_format(disk),
                "file": {"driver": "file", "filename": str(disk)},
            },
        )
        self._command(
            "device_add",
            {"driver": "virtio-blk-pci", "drive": disk.stem, "id": disk.stem + "-disk"},
        )

    def insert(self, medium: Mapping[str, Any]) -> None:
        """Put a medium into the drive that :func:`tests.vm.qemu.empty_drive` describes.

        Args:
            medium: what QMP's blockdev-add takes.
        """
        self._command("blockdev-add", medium)
        self._command("blockdev-open-tray", {"id": "dvd"})
        self._command("blockdev-insert-medium", {"id": "dvd", "node-name": medium["node-name"]})
        self._command("blockdev-close-tray", {"id": "dvd"})

    def set_link(self, up: bool) -> None:
        """Plug the NIC's cable in or out."""
        self._command("set_link", {"name": "net", "up": up})

    def tray_is_open(self) -> bool:
        """Whether the drive that :func:`optical_drive` describes has been opened by the guest."""
        drives = self._command("query-block")
        return any(
            drive.get("tray_open", False)
            for drive in drives
            if "dvd" in (drive.get("qdev"), drive["device"])
        )

    def _command(self, name: str, arguments: Optional[Mapping[str, Any]] = None) -> Any:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.sockets / "qmp"))
            stream = connection.makefile("rwb")
            stream.readline()
            for command in (
                {"execute": "qmp_capabilities"},
                {"execute": name, "arguments": arguments or {}},
            ):
                stream.write(json.dumps(command).encode() + b"\n")
                stream.flush()
                answer: Dict[str, Any] = {}
                while "return" not in answer and "error" not in answer:  # events come in between
                    answer = json.loads(stream.readline())
                assert "return" in answer, "QEMU: %s: %s" % (name, answer)
        return answer["return"]


def cpu_time_s(pid: int) -> float:
    """The CPU time that a process has used, in seconds; 0 when it is gone."""
    try:
        fields = Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _write_down(console: socket.socket, log: Path) -> None:
    """Append all that a console shows to a file, until it is gone."""
    with console, log.open("ab", buffering=0) as file:
        try:
            while True:
                shown = console.recv(4096)
                if not shown:
                    return
                file.write(shown)
        except OSError:
            return


def last_lines(log: Path, count: int = 40) -> List[str]:
    """The last lines of a console's log, to be shown when a test has failed."""
    if not log.exists():
        return ["(no console)"]
    return ESCAPES.sub("", log.read_bytes().decode("utf-8", "replace")).splitlines()[-count:]
