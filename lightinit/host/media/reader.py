"""Search one device for a document, or eject its medium. This is a program of its own, and it
imports nothing of lightinit's.

Run as ``python3 -I -S reader.py OPERATION PATH LIMIT_BYTES SECONDS MOUNT [NAME...]``, where each
NAME is a file name of the document. Everything that touches the device happens in this process. A
device that never answers can only stop this process. Its parent kills it, or leaves it behind if
the kernel does not let it die.

The answer is one line on standard output, with tabs between its fields. After "found" comes the
document. It takes a pipe, and never a file, since it holds a password.

    found    BYTES  OPTICAL  HOW
    nothing  AGAIN  OPTICAL  HARMLESS  WHY
    ejected

OPTICAL is 1 for an optical drive. AGAIN is 1 if a later look may find more, as after a medium is
inserted. HARMLESS is 1 if the device surely has no such document, so that nobody need hear of it.

The device is mounted with mount(2), by way of ctypes: the options of unshare(1) and mount(8) differ
too much between util-linux and busybox. The mount ends with this process, since its mount namespace
has no other process.

If the kernel cannot mount it, these tools read it. All of them are maintained, and none mounts:

- 7z or 7zz (p7zip, 7-Zip) for UDF and ISO 9660. It is told which of them to read: a medium may have
  both, as Azure's do, and then the ISO 9660 side may have only a read-me. 7za and 7zr know neither.
- grub-fstest or grub2-fstest (GRUB) for both. It comes with GRUB's tools, so most images have it.
- bsdtar (libarchive) for ISO 9660.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import sys

# As typing.TYPE_CHECKING. To import typing would take longer than all else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, NoReturn, Optional, Sequence, Tuple

UDF, ISO = "udf", "iso9660"
SEVEN_TYPES = {UDF: "-tudf", ISO: "-tiso"}
FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
POINTS = (
    "/mnt",
    "/media",
    "/run",
    "/var",
)  # any directory will do: no other process sees the mount
# ECMA-167 2/8.3: the volume recognition sequence begins at byte 32768. Each descriptor has 2048
# bytes, with its name at byte 1.
SEQUENCE_BYTE, DESCRIPTOR_BYTES, DESCRIPTORS = 32768, 2048, 64
MARKS = {b"CD001": ISO, b"NSR02": UDF, b"NSR03": UDF}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x1, 0x2, 0x4, 0x8, 0x4000, 0x40000
CLONE_NEWNS = 0x20000
CDROMEJECT, CDROM_LOCKDOOR, CDROM_GET_CAPABILITY = 0x5309, 0x5329, 0x5331  # linux/cdrom.h
EJECT_ATTEMPTS, EJECT_PAUSE_S = 20, 0.1
NO_MEDIUM = (errno.ENOMEDIUM, errno.EIO, errno.ENXIO, errno.ENODEV, errno.ENOENT)


class Nothing(Exception):
    """There is no document.

    Args:
        why: why not.
        again: whether a later look may find more.
        harmless: whether the device surely has no such document.
    """

    def __init__(self, why: str, again: bool = False, harmless: bool = False) -> None:
        super().__init__(why)
        self.again = again
        self.harmless = harmless


def look(path: str, names: Sequence[str], limit_bytes: int, may_mount: bool) -> Tuple[bytes, str]:
    """Read the document.

    Args:
        path: a block device, an image of one, or a directory that has the document.
        names: file names of the document, the best one first.
        limit_bytes: the greatest size of the document.
        may_mount: whether a block device may be mounted.

    Returns:
        The document, and how it was read.

    Raises:
        Nothing: it is not there.
        OSError: the device cannot be read.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return read_from(path, names, limit_bytes), "from the directory"
    if not (stat.S_ISBLK(mode) or stat.S_ISREG(mode)):
        raise Nothing("neither a block device, an image nor a directory")
    kinds = file_systems(path)
    if not kinds:
        raise Nothing("neither UDF nor ISO 9660 is on it", again=True, harmless=True)
    found: List[Nothing] = []
    for kind in kinds:
        if may_mount and stat.S_ISBLK(mode):
            try:
                return read_mounted(path, kind, names, limit_bytes), "mounted as %s" % kind
            except OSError as error:
                why = "mounting as %s: %s" % (kind, error.strerror)
                found.append(Nothing(why, harmless=error.errno == errno.ENOMEDIUM))
            except Nothing as nothing:
                why = "mounted as %s: %s" % (kind, nothing)
                found.append(Nothing(why, harmless=nothing.harmless))
                continue
        try:
            name, data, how = read_by_tools(path, kind, names, limit_bytes)
        except Nothing as nothing:
            found.append(nothing)
            continue
        return checked(data, name, limit_bytes), how
    raise Nothing(
        "; ".join(str(each) for each in found),
        again=True,
        harmless=any(each.harmless for each in found),
    )


def spellings(name: str) -> Tuple[str, ...]:
    """A file name as media may have it, best first.

    ISO 9660 without Rock Ridge and Joliet has upper case, and strictly no hyphens.
    """
    plain = name.replace("-", "_")
    return name, name.upper(), plain, plain.upper()


def file_systems(path: str) -> List[str]:
    """The file systems on a device: ``udf``, ``iso9660``, both in this order, or none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, DESCRIPTORS * DESCRIPTOR_BYTES, SEQUENCE_BYTE)
    finally:
        os.close(descriptor)
    found = {MARKS.get(data[at + 1 : at + 6]) for at in range(0, len(data), DESCRIPTOR_BYTES)}
    return [kind for kind in (UDF, ISO) if kind in found]


def read_from(folder: str, names: Sequence[str], limit_bytes: int) -> bytes:
    """The document in a directory, whatever the case of its name.

    Raises:
        Nothing: it is not there, no regular file, or too large.
        OSError: it cannot be read.
    """
    there = os.listdir(folder)
    for name in names:
        spelled = spellings(name)
        wanted = [each.lower() for each in spelled]
        exact = sorted(entry for entry in there if entry in spelled)
        others = sorted(entry for entry in there if entry not in spelled)
        for entry in exact + others:
            # ISO 9660 may put a version behind the name, as in "NAME;1".
            if entry.lower().partition(";")[0] in wanted:
                path = os.path.join(folder, entry)
                return checked(read_file(path, name, limit_bytes + 1), name, limit_bytes)
    raise Nothing("it has no %s" % " or ".join(names), again=True, harmless=True)


def read_file(path: str, name: str, size: int) -> bytes:
    """At most ``size`` bytes of a regular file."""
    # A link could lead to a file that is not on the medium. A FIFO would block.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Nothing("its %s is no regular file" % name)
    with open(descriptor, "rb") as handle:
        return handle.read(size)


def checked(data: bytes, name: str, limit_bytes: int) -> bytes:
    """``data``, unless it is too large."""
    if len(data) > limit_bytes:
        raise Nothing("its %s is larger than %d bytes" % (name, limit_bytes))
    return data


def mount(device: str, kind: str) -> str:
    """Mount a device in a new mount namespace of this process. Returns the mount point.

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
    # Otherwise other namespaces would see the mount: systemd makes mounts shared.
    call(libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))
    flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    call(
        libc.mount(
            os.fsencode(device), os.fsencode(point), kind.encode(), ctypes.c_ulong(flags), None
        )
    )
    return point


def read_mounted(device: str, kind: str, names: Sequence[str], limit_bytes: int) -> bytes:
    """The document on a device, read by the kernel's file system ``kind``.

    Raises:
        Nothing: the device could be mounted, and has no such file.
        OSError: it cannot be mounted or read.
    """
    import ctypes

    point = mount(device, kind)
    try:
        return read_from(point, names, limit_bytes)
    finally:
        # The mount would end with this process, but a little later. A drive in use cannot be
        # ejected.
        ctypes.CDLL(None).umount2(os.fsencode(point), 0)


def read_by_tools(
    path: str, kind: str, names: Sequence[str], limit_bytes: int
) -> Tuple[str, bytes, str]:
    """The document, read by the first tool that finds it.

    Returns:
        Its name, at most one byte more than ``limit_bytes`` of it, and how it was read.

    Raises:
        Nothing: no tool finds it, or there is no tool.
    """
    asked = []
    for tool, argv in tools(path, kind):
        program = find_program(tool)
        if program is None:
            continue
        asked.append(tool)
        for name in names:
            for spelled in spellings(name):
                command = [each.replace("NAME", spelled) for each in argv]
                data = output_of([program] + command, limit_bytes)
                if data:
                    return name, data, "read by %s as %s" % (tool, kind)
    if not asked:
        raise Nothing("no tool that reads %s: install 7zip (p7zip) or GRUB's grub-fstest" % kind)
    raise Nothing(
        "%s found no %s as %s" % (", ".join(asked), " or ".join(names), kind), harmless=True
    )


def find_program(name: str) -> Optional[str]:
    """The path of a tool, or None if it is not installed."""
    for folder in FOLDERS:
        path = "%s/%s" % (folder, name)
        if os.access(path, os.X_OK):
            return path
    return None


def tools(path: str, kind: str) -> List[Tuple[str, List[str]]]:
    """The tools that read a file system, best first, each with its arguments.

    In the arguments NAME stands for the file's name.
    """
    seven = ["e", "-so", "-bd", SEVEN_TYPES[kind], "--", path, "NAME"]
    grub = [path, "cat", "/NAME"]
    found = [("7z", seven), ("7zz", seven), ("grub-fstest", grub), ("grub2-fstest", grub)]
    if kind == ISO:
        found.append(("bsdtar", ["-xOf", path, "NAME"]))
    return found


def output_of(argv: Sequence[str], limit_bytes: int) -> bytes:
    """What a command prints, up to one byte more than ``limit_bytes``; nothing if it fails."""
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
        data = b""
        if process.stdout is not None:
            data = process.stdout.read(limit_bytes + 1)
        if len(data) > limit_bytes:
            process.kill()
            return data
        if process.wait() != 0:
            return b""
        return data


def is_optical(path: str) -> bool:
    """Whether a path is an optical drive, with or without a medium."""
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
    # O_NONBLOCK opens an empty drive, too. The kernel ejects only if no other process has the
    # drive open.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        for attempt in range(EJECT_ATTEMPTS):
            try:
                fcntl.ioctl(descriptor, CDROM_LOCKDOOR, 0)
            except OSError:
                pass  # a drive without a lock; if it is locked, the next call fails
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
    operation, path, limit_bytes, limit_s, may_mount = argv[:5]
    signal.alarm(max(1, int(float(limit_s)) + 2))  # in case the parent is gone and cannot kill it
    optical = False
    try:
        if operation == "eject":
            eject(path)
            answer(("ejected",))
            return
        optical = is_optical(path)
        data, how = look(path, argv[5:], int(limit_bytes), may_mount == "1")
        answer(("found", str(len(data)), flag(optical), how), data)
    except Nothing as nothing:
        answer_nothing(optical, nothing)
    except OSError as error:
        failure = Nothing(
            error.strerror or str(error),
            again=error.errno in NO_MEDIUM,
            harmless=error.errno == errno.ENOMEDIUM,
        )
        answer_nothing(optical, failure)


def answer_nothing(optical: bool, nothing: Nothing) -> None:
    """Answer that there is no document."""
    again, harmless = flag(nothing.again), flag(nothing.harmless)
    answer(("nothing", again, flag(optical), harmless, str(nothing)))


def flag(value: bool) -> str:
    """A truth value as a field."""
    return str(int(value))


def _run() -> NoReturn:
    main(sys.argv[1:])
    os._exit(0)


if __name__ == "__main__":
    _run()
