"""A virtual machine on Azure's hardware, as far as it can be seen from inside: DMI, a disk, a NIC,
a serial console.

QEMU without KVM, inside the network namespace of the platform. Nothing here knows what runs in the
machine.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Type

from tests.lib.netns import Namespace
from tests.lib.scratch import AZURE_TAG
from tests.lib.terminal import Terminal
from tests.vm.image import Image

# The kernel keeps a record of every program started, from the first on; it is read in
# /sys/kernel/tracing/trace.
TRACE = "trace_event=sched:sched_process_exec trace_buf_size=8M"
# tsc=unstable: on a busy host the kernel measures the time stamp counter wrongly, and hangs with a
# clock that races.
KERNEL_LINE = (
    "root=/dev/vda rw console=ttyS0 net.ifnames=0 loglevel=4 systemd.log_color=0 tsc=unstable "
    + TRACE
)
END_TIMEOUT_S = 120.0
FIRST_WORD_S = 120.0
START_ATTEMPTS = 3
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>78c]|\r")


class Hardware(NamedTuple):
    """What makes a machine this one and no other.

    Attributes:
        uuid: DMI's product_uuid.
        mac: of its NIC.
        asset_tag: DMI's chassis asset tag; "" for none.
        rtc: what the clock says at power on, as QEMU wants it.
    """

    uuid: str
    mac: str
    asset_tag: str = AZURE_TAG
    rtc: str = "utc"


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
        self._sockets = Path(tempfile.mkdtemp(prefix="vm-"))  # a socket's path must be short
        self.started_s = 0.0
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
        shutil.rmtree(str(self._sockets), ignore_errors=True)

    @property
    def log(self) -> Path:
        """All that the console has shown, in every boot of every machine of this folder."""
        return self._folder / "console.log"

    def start(self) -> "Machine":
        """Power on, and wait for the kernel's first word. The console's text counts from here.

        Raises:
            AssertionError: the kernel says nothing.
        """
        assert self._process is None, "the machine is on already"
        self.turn_page()
        hardware = self._hardware
        argv = [
            "qemu-system-x86_64",
            "-machine",
            "pc",
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "768",
            "-nodefaults",
            "-display",
            "none",
            "-uuid",
            hardware.uuid,
            "-rtc",
            "base=" + hardware.rtc,
            "-kernel",
            str(self._image.kernel),
            "-initrd",
            str(self._image.initrd),
            "-append",
            " ".join([KERNEL_LINE] + self._kernel_words),
            "-drive",
            "if=none,id=root,format=%s,file=%s" % (disk_format(self._disk), self._disk),
            "-device",
            "virtio-blk-pci,drive=root",
            "-netdev",
            "tap,id=net,ifname=%s,script=no,downscript=no" % self._tap,
            "-device",
            "virtio-net-pci,netdev=net,romfile=,mac=" + hardware.mac,
            "-chardev",
            "socket,id=console,server=on,wait=on,path=%s" % (self._sockets / "console"),
            "-serial",
            "chardev:console",
            "-qmp",
            "unix:%s,server=on,wait=off" % (self._sockets / "qmp"),
        ]
        argv += self._devices
        if hardware.asset_tag:
            argv += ["-smbios", "type=3,asset=" + hardware.asset_tag]
        for _ in range(START_ATTEMPTS):
            self.started_s = time.monotonic()
            self._process = self._namespace.start(*argv, log=self._folder / "qemu.log")
            self._watch_console()
            # On a busy host an emulated kernel now and then hangs before its first word, when it
            # has read no disk yet.
            if self.comes_true(lambda: self.console_size() > self._console_began, FIRST_WORD_S):
                return self
            self.cut_off()
        raise AssertionError(
            "the kernel says nothing within %d s, in %d attempts; QEMU: %s"
            % (FIRST_WORD_S, START_ATTEMPTS, (self._folder / "qemu.log").read_text()[-500:])
        )

    @property
    def runs(self) -> bool:
        """Whether it is on."""
        return self._process is not None and self._process.poll() is None

    def wait_until(self, holds: Callable[[], object], timeout_s: float, what: str) -> None:
        """Wait until the function ``holds`` gives something true, as long as the machine is on;
        else fail with ``what``.
        """
        if not self.comes_true(holds, timeout_s):
            assert self.runs, "%s, and the machine has gone off: %s" % (
                what,
                (self._folder / "qemu.log").read_text()[-500:],
            )
            raise AssertionError("%s within %d s" % (what, timeout_s))

    def comes_true(self, holds: Callable[[], object], timeout_s: float) -> bool:
        """Wait until the function ``holds`` gives something true, as long as the machine is on.
        Returns whether it did.
        """
        deadline_s = time.monotonic() + timeout_s
        while not holds():
            if not self.runs or time.monotonic() >= deadline_s:
                return False
            time.sleep(0.01)
        return True

    def wait_for_end(self) -> None:
        """Wait until the guest has switched the machine off."""
        assert self._process is not None
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                "the guest has not switched the machine off within %d s" % END_TIMEOUT_S
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
        path = self._sockets / "console"
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
                "node-name": "more",
                "driver": disk_format(disk),
                "file": {"driver": "file", "filename": str(disk)},
            },
        )
        self._command("device_add", {"driver": "virtio-blk-pci", "drive": "more", "id": "more"})

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
            connection.connect(str(self._sockets / "qmp"))
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


def optical_drive(medium: Path) -> List[str]:
    """QEMU's words for a drive with ``medium`` in it, on the controller that Gen1 VMs have it
    on.
    """
    return [
        "-blockdev",
        "driver=raw,node-name=medium,read-only=on,file.driver=file,file.filename=%s" % medium,
        "-device",
        "ide-cd,drive=medium,id=dvd",
    ]


def hanging_drive() -> List[str]:
    """QEMU's words for a drive whose medium is never read: each read takes an hour."""
    return [
        "-blockdev",
        "driver=null-co,node-name=medium,size=1048576,latency-ns=3600000000000,read-only=on",
        "-device",
        "ide-cd,drive=medium,id=dvd",
    ]


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


def disk_format(disk: Path) -> str:
    """What QEMU calls the kind of disk that the file is."""
    return "qcow2" if disk.suffix == ".qcow2" else "raw"


def last_lines(log: Path, count: int = 40) -> List[str]:
    """The last lines of a console's log, to be shown when a test has failed."""
    if not log.exists():
        return ["(no console)"]
    return ESCAPES.sub("", log.read_bytes().decode("utf-8", "replace")).splitlines()[-count:]
