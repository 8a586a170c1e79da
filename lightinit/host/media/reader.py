"""A program of its own: looks at one device for the provisioning document, or ejects it. Nothing of
lightinit's is imported.

Run as ``python3 -I -S reader.py OPERATION PATH LIMIT_BYTES SECONDS MOUNT``. Whatever touches
the device happens here, so that a device that never answers can stop nothing but this process,
which whoever started it kills, or leaves behind where the kernel does not let it die.

It answers with one line on standard output, its fields between tabs, and then, if it found it, the
document: by way of a pipe, since the document holds a password and is to lie on no disk.

    found    BYTES  OPTICAL  HOW nothing  AGAIN  OPTICAL  WHY      AGAIN is 1 when a later look may
    see more, as when no medium is in the drive ejected

By mount(2), by way of ctypes, and not by mount(8): between unshare(1) and mount(8) of util-linux
and those of busybox hardly an option is common, and the mount ends with this process however it
ends, since nobody else is in its namespace.

Where the kernel does not know the file system, or does not take what is there, these are asked, of
which each is maintained and reads without mounting:

- 7z or 7zz (p7zip, 7-Zip) for UDF and ISO 9660. It is told which of them to read: on a medium with
  both, as Azure's are, the ISO 9660 side may have nothing but a read-me. 7za and 7zr know neither.
- grub-fstest or grub2-fstest (GRUB) for both too; it comes with GRUB's own tools, so that most
  images have it.
- bsdtar (libarchive) for ISO 9660.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import sys

# As typing.TYPE_CHECKING; to import that would take longer than all else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, NoReturn, Optional, Sequence, Tuple

UDF, ISO = "udf", "iso9660"
NAME = "ovf-env.xml"
# As ISO 9660 without Rock Ridge or Joliet has it: its names have no hyphen, strictly.
NAMES = (NAME, NAME.upper(), NAME.replace("-", "_"), NAME.replace("-", "_").upper())
FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
POINTS = ("/mnt", "/media", "/run", "/var")  # any directory will do: nobody else sees it covered
# ECMA-167 2/8.3: the volume recognition sequence begins at byte 32768, 2048 bytes each, the name at
# byte 1 of each.
SEQUENCE_BYTE, DESCRIPTOR_BYTES, DESCRIPTORS = 32768, 2048, 64
MARKS = {b"CD001": ISO, b"NSR02": UDF, b"NSR03": UDF}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x1, 0x2, 0x4, 0x8, 0x4000, 0x40000
CLONE_NEWNS = 0x20000
CDROMEJECT, CDROM_LOCKDOOR, CDROM_GET_CAPABILITY = 0x5309, 0x5329, 0x5331  # linux/cdrom.h
EJECT_ATTEMPTS, EJECT_PAUSE_S = 20, 0.1
NO_MEDIUM = (errno.ENOMEDIUM, errno.EIO, errno.ENXIO, errno.ENODEV, errno.ENOENT)


class Nothing(Exception):
    """There is no document, and why; ``again``: a later look may see more."""

    def __init__(self, why: str, again: bool = False) -> None:
        super().__init__(why)
        self.again = again


def look(path: str, limit_bytes: int, may_mount: bool) -> Tuple[bytes, str]:
    """The document, and how it was read.

    Args:
        path: a block device, an image of one, or a directory in which the document lies.
        limit_bytes: how long it may be.
        may_mount: whether a block device may be mounted.

    Raises:
        Nothing: it is not there.
        OSError: the device cannot be read.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return read_from(path, limit_bytes), "from the directory"
    if not (stat.S_ISBLK(mode) or stat.S_ISREG(mode)):
        raise Nothing("neither a block device, an image nor a directory")
    kinds = file_systems(path)
    if not kinds:
        raise Nothing("neither UDF nor ISO 9660 is on it", again=True)
    whys: List[str] = []
    for kind in kinds:
        if may_mount and stat.S_ISBLK(mode):
            try:
                return read_mounted(path, kind, limit_bytes), "mounted as %s" % kind
            except OSError as error:
                whys.append("mounting as %s: %s" % (kind, error.strerror))
            except Nothing as nothing:
                whys.append("mounted as %s: %s" % (kind, nothing))
                continue
        data, how = read_by_tools(path, kind, limit_bytes, whys)
        if data is not None:
            return data, how
    raise Nothing("; ".join(whys), again=True)


def file_systems(path: str) -> List[str]:
    """Which of UDF and ISO 9660 is on a device, UDF first."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, DESCRIPTORS * DESCRIPTOR_BYTES, SEQUENCE_BYTE)
    finally:
        os.close(descriptor)
    found = {MARKS.get(data[at + 1 : at + 6]) for at in range(0, len(data), DESCRIPTOR_BYTES)}
    return [kind for kind in (UDF, ISO) if kind in found]


def read_from(folder: str, limit_bytes: int) -> bytes:
    """The document in a directory, whatever the case of its name."""
    there = os.listdir(folder)
    for name in sorted(there, key=lambda name: (name not in NAMES, name)):
        if name.lower().partition(";")[0] in NAMES:
            # What a link on the medium leads to is not on the medium; a FIFO would block.
            descriptor = os.open(
                os.path.join(folder, name),
                os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
            )
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise Nothing("its %s is no regular file" % NAME)
            with open(descriptor, "rb") as handle:
                return checked(handle.read(limit_bytes + 1), limit_bytes)
    raise Nothing("it has no %s" % NAME, again=True)


def checked(data: bytes, limit_bytes: int) -> bytes:
    """``data``, unless it is too long."""
    if len(data) > limit_bytes:
        raise Nothing("its %s is larger than %d bytes" % (NAME, limit_bytes))
    return data


def mount(device: str, kind: str) -> str:
    """Mount a device in a mount namespace of this process' own. Returns where.

    Raises:
        OSError: it cannot be mounted.
    """
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def call(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    point = next((each for each in POINTS if os.path.isdir(each)), "/")
    call(libc.unshare(CLONE_NEWNS))
    # Without this the mount would come up everywhere: systemd makes mounts shared.
    call(libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))
    flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    call(
        libc.mount(
            os.fsencode(device), os.fsencode(point), kind.encode(), ctypes.c_ulong(flags), None
        )
    )
    return point


def read_mounted(device: str, kind: str, limit_bytes: int) -> bytes:
    """The document on a device, by way of the kernel's file system ``kind``.

    Raises:
        Nothing: it is mounted, and has no such file.
        OSError: it cannot be mounted or read.
    """
    import ctypes

    point = mount(device, kind)
    try:
        return read_from(point, limit_bytes)
    finally:
        # It would go with this process, but a little later, and a drive that is in use is not
        # ejected.
        ctypes.CDLL(None).umount2(os.fsencode(point), 0)


def read_by_tools(
    path: str, kind: str, limit_bytes: int, whys: List[str]
) -> Tuple[Optional[bytes], str]:
    """The document by way of the first tool that gives it, and how; (None, "") when none does, and
    ``whys`` has why.
    """
    asked = []
    for name, argv in tools(path, kind):
        program = next(
            (
                each
                for each in ("%s/%s" % (folder, name) for folder in FOLDERS)
                if os.access(each, os.X_OK)
            ),
            None,
        )
        if program is None:
            continue
        asked.append(name)
        for wanted in NAMES:
            data = output_of(
                [program] + [each.replace("NAME", wanted) for each in argv], limit_bytes
            )
            if data:
                return checked(data, limit_bytes), "read by %s as %s" % (name, kind)
    whys.append(
        "%s found no %s as %s" % (", ".join(asked), NAME, kind)
        if asked
        else "no tool that reads %s: install 7zip (p7zip) or GRUB's grub-fstest" % kind
    )
    return None, ""


def tools(path: str, kind: str) -> List[Tuple[str, List[str]]]:
    """The tools that read a file system, best first, each with its arguments; NAME stands for the
    file's name.
    """
    seven = ["e", "-so", "-bd", "-tudf" if kind == UDF else "-tiso", "--", path, "NAME"]
    grub = [path, "cat", "/NAME"]
    found = [("7z", seven), ("7zz", seven), ("grub-fstest", grub), ("grub2-fstest", grub)]
    return found + ([("bsdtar", ["-xOf", path, "NAME"])] if kind == ISO else [])


def output_of(argv: Sequence[str], limit_bytes: int) -> bytes:
    """What a command prints, up to one byte more than ``limit_bytes``; nothing when it fails."""
    import subprocess

    environment = {"PATH": ":".join(FOLDERS), "LANG": "C", "LC_ALL": "C", "HOME": "/"}
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=environment,
    ) as process:
        data = process.stdout.read(limit_bytes + 1) if process.stdout is not None else b""
        if len(data) > limit_bytes:
            process.kill()
            return data
        return data if process.wait() == 0 else b""


def is_optical(path: str) -> bool:
    """Whether a path is a drive for optical media. That does not need a medium to be in it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return (
            stat.S_ISBLK(os.fstat(descriptor).st_mode)
            and fcntl.ioctl(descriptor, CDROM_GET_CAPABILITY) >= 0
        )
    except OSError:
        return False
    finally:
        os.close(descriptor)


def eject(path: str) -> None:
    """Eject the medium of an optical drive.

    Raises:
        Nothing: it is no optical drive.
        OSError: it cannot be done.
    """
    import time

    if not is_optical(path):
        raise Nothing("not an optical drive")
    # The way for drives that may be empty; and the kernel lets nobody eject who is not the only one
    # that has it open.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        for attempt in range(EJECT_ATTEMPTS):
            try:
                fcntl.ioctl(descriptor, CDROM_LOCKDOOR, 0)
            except OSError:
                pass  # a drive without a lock; if it is locked the next call says so
            try:
                fcntl.ioctl(descriptor, CDROMEJECT)
                return
            except OSError as error:
                if error.errno != errno.EBUSY or attempt == EJECT_ATTEMPTS - 1:
                    raise
                time.sleep(EJECT_PAUSE_S)  # udev has it open for a moment after each change
    finally:
        os.close(descriptor)


def answer(fields: Sequence[str], data: bytes = b"") -> None:
    """Write the answer, whole."""
    line = "\t".join(each.replace("\t", " ").replace("\n", " ") for each in fields) + "\n"
    with open(1, "wb", closefd=False) as output:
        output.write(line.encode("utf-8", "replace") + data)


def main(argv: Sequence[str]) -> None:
    """Do one thing, and answer."""
    operation, path, limit_bytes, limit_s, may_mount = argv
    signal.alarm(max(1, int(float(limit_s)) + 2))  # should nobody be left who would kill it
    optical = "0"
    try:
        if operation == "eject":
            eject(path)
            answer(("ejected",))
            return
        optical = "1" if is_optical(path) else "0"
        data, how = look(path, int(limit_bytes), may_mount == "1")
        answer(("found", str(len(data)), optical, how), data)
    except Nothing as nothing:
        answer(("nothing", "1" if nothing.again else "0", optical, str(nothing)))
    except OSError as error:
        answer(
            (
                "nothing",
                "1" if error.errno in NO_MEDIUM else "0",
                optical,
                error.strerror or str(error),
            )
        )


def _run() -> NoReturn:
    main(sys.argv[1:])
    os._exit(0)


if __name__ == "__main__":
    _run()
