"""Searches one device for a document, or ejects its medium. This is a separate program, which
imports nothing of lightinit.

Run it as ``python3 -I -S reader.py OPERATION PATH LIMIT_BYTES SECONDS MOUNT [NAME...]``, where each
NAME is a file name of the document. Only this process touches the device, so a device that never
answers stops only this process. The parent kills it, or leaves it behind if it is stuck in the
kernel.

The answer is one line on standard output, with tabs between its fields. After a "found" line comes
the document. It goes through a pipe and never into a file, since it contains a password.

    found    BYTES  OPTICAL  HOW
    nothing  AGAIN  OPTICAL  HARMLESS  WHY
    ejected

OPTICAL is 1 for an optical drive. AGAIN is 1 if a later search may find the document, for example
after a medium was inserted. HARMLESS is 1 if the device certainly has no such document, so that no
warning is needed.

The device is mounted with mount(2), through ctypes, since the options of unshare(1) and mount(8)
differ too much between util-linux and busybox. The mount ends with this process, since no other
process is in its mount namespace.

If the kernel cannot mount the device, one of these tools reads it. All are maintained, and none of
them mounts:

- 7z or 7zz (p7zip, 7-Zip) for UDF and ISO 9660. The command says which of them to read: a medium
  may have both, as Azure's do, and then the ISO 9660 side may have only a read-me. 7za and 7zr know
  neither.
- grub-fstest or grub2-fstest (GRUB) for both. It comes with GRUB's tools, so most images have it.
- bsdtar (libarchive) for ISO 9660.

Whoever makes the medium feeds these tools, so they run as nobody, with limits of memory, processor
time and file size. Nobody may not open a device. So they get a copy of it in memory. A device that
is too large for that, which no provisioning medium is, they read as root, with the same limits.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import sys

# Like typing.TYPE_CHECKING. Importing typing would take longer than everything else here.
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
)  # any directory works: no other process sees the mount
# ECMA-167 2/8.3: the volume recognition sequence begins at byte 32768. Each descriptor has 2048
# bytes, with its name at byte 1.
SEQUENCE_BYTE, DESCRIPTOR_BYTES, DESCRIPTORS = 32768, 2048, 64
MARKS = {b"CD001": ISO, b"NSR02": UDF, b"NSR03": UDF}
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x1, 0x2, 0x4, 0x8, 0x4000, 0x40000
CLONE_NEWNS = 0x20000
CDROMEJECT, CDROM_LOCKDOOR, CDROM_GET_CAPABILITY = 0x5309, 0x5329, 0x5331  # linux/cdrom.h
EJECT_ATTEMPTS, EJECT_PAUSE_S = 20, 0.1
NOBODY = 65534
# Azure's media have less than 2 MiB. 7-Zip needs 200 MiB of address space.
COPY_BYTES, PIECE_BYTES = 64 * 1024 * 1024, 1024 * 1024
TOOL_MEMORY_BYTES, TOOL_CPU_S = 1024 * 1024 * 1024, 20
NO_MEDIUM = (errno.ENOMEDIUM, errno.EIO, errno.ENXIO, errno.ENODEV, errno.ENOENT)


class Nothing(Exception):
    """There is no document.

    Args:
        why: why not.
        again: whether a later search may find the document.
        harmless: whether the device certainly has no such document.
    """

    def __init__(self, why: str, again: bool = False, harmless: bool = False) -> None:
        super().__init__(why)
        self.again = again
        self.harmless = harmless


def look(path: str, names: Sequence[str], limit_bytes: int, may_mount: bool) -> Tuple[bytes, str]:
    """Read the document.

    Args:
        path: a block device, an image of one, or a directory with the document.
        names: file names of the document, the best one first.
        limit_bytes: the greatest size of the document.
        may_mount: whether a block device may be mounted.

    Returns:
        The document, and how it was read.

    Raises:
        Nothing: the document was not found.
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
            with Copy(path) as copy:
                name, data, how = read_by_tools(copy.path, kind, names, limit_bytes, copy.uid)
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
    """The forms that a file name may have on media, best first.

    ISO 9660 without Rock Ridge and Joliet has upper case, and strictly speaking no hyphens.
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
    """The document in a directory. The case of its name does not matter.

    Raises:
        Nothing: it is missing, not a regular file, or too large.
        OSError: it cannot be read.
    """
    there = os.listdir(folder)
    for name in names:
        spelled = spellings(name)
        wanted = [each.lower() for each in spelled]
        exact = sorted(entry for entry in there if entry in spelled)
        others = sorted(entry for entry in there if entry not in spelled)
        for entry in exact + others:
            # In ISO 9660 a version may follow the name, as in "NAME;1".
            if entry.lower().partition(";")[0] in wanted:
                path = os.path.join(folder, entry)
                return checked(read_file(path, name, limit_bytes + 1), name, limit_bytes)
    raise Nothing("it has no %s" % " or ".join(names), again=True, harmless=True)


def read_file(path: str, name: str, size: int) -> bytes:
    """At most ``size`` bytes of a regular file."""
    # A link could point to a file that is not on the medium. A FIFO would block.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Nothing("its %s is no regular file" % name)
    with open(descriptor, "rb") as handle:
        return handle.read(size)


def checked(data: bytes, name: str, limit_bytes: int) -> bytes:
    """Return ``data``; raise Nothing if it is too large."""
    if len(data) > limit_bytes:
        raise Nothing("its %s is larger than %d bytes" % (name, limit_bytes))
    return data


def mount(device: str, kind: str) -> str:
    """Mount a device in a new mount namespace of this process. Returns the mount point.

    Raises:
        OSError: it cannot be mounted.
    """
    point = find_point()
    mount_apart(device, point, kind, MS_RDONLY)
    return point


def find_point() -> str:
    """A directory to mount on."""
    return next((each for each in POINTS if os.path.isdir(each)), "/")


def mount_apart(device: str, point: str, kind: str, flags: int, options: str = "") -> None:
    """Mount in a new mount namespace of this process.

    Raises:
        OSError: it cannot be mounted.
    """
    try:
        import ctypes
    except ImportError:
        raise OSError(errno.ENOSYS, "this Python has no ctypes") from None
    libc = ctypes.CDLL(None, use_errno=True)

    def call(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    call(libc.unshare(CLONE_NEWNS))
    # Without this, other namespaces would see the mount, since systemd makes mounts shared.
    call(libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))
    flags |= MS_NOSUID | MS_NODEV | MS_NOEXEC
    call(
        libc.mount(
            os.fsencode(device),
            os.fsencode(point),
            kind.encode(),
            ctypes.c_ulong(flags),
            options.encode() or None,
        )
    )


def read_mounted(device: str, kind: str, names: Sequence[str], limit_bytes: int) -> bytes:
    """The document on a device, read by the kernel's file system ``kind``.

    Raises:
        Nothing: the device was mounted, and has no such file.
        OSError: it cannot be mounted or read.
    """
    point = mount(device, kind)
    try:
        return read_from(point, names, limit_bytes)
    finally:
        import ctypes

        # Unmount now. Otherwise the mount would end a little after this process, and a drive in use
        # cannot be ejected.
        ctypes.CDLL(None).umount2(os.fsencode(point), 0)


class Copy:
    """A copy of a device or image in memory, which the user nobody can read.

    Args:
        path: the device or the image.

    Attributes:
        path: the copy's path for this process and its children; the path of the device itself if
            it is too large or cannot be copied.
        uid: the user who can read it: nobody, or this process's own user.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.uid = os.geteuid()
        self._descriptor = -1
        # Python 3.7 has no memfd_create. Without root's rights, the copy has no use.
        if self.uid == 0 and hasattr(os, "memfd_create"):
            self._make(path)

    def _make(self, path: str) -> None:
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.lseek(source, 0, os.SEEK_END) > COPY_BYTES:
                return
            os.lseek(source, 0, os.SEEK_SET)
            self._descriptor = os.memfd_create("medium", 0)
            while True:
                data = os.read(source, PIECE_BYTES)
                if not data:
                    break
                os.write(self._descriptor, data)
            self.path, self.uid = "/proc/self/fd/%d" % self._descriptor, NOBODY
        except OSError:
            self.__exit__()  # it may be a bad block, which need not matter
        finally:
            os.close(source)

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_by_tools(
    path: str, kind: str, names: Sequence[str], limit_bytes: int, uid: int
) -> Tuple[str, bytes, str]:
    """The document, read by the first tool that finds it. The tools run as the user ``uid``.

    Returns:
        Its name, its first ``limit_bytes`` + 1 bytes, and how it was read.

    Raises:
        Nothing: no tool found it, or no tool is installed.
    """
    asked = []
    for tool, argv in tools(path, kind):
        program = find_program(tool)
        if program is None:
            continue
        asked.append(tool)
        for name in names:
            for spelled in spellings(name):
                command = [program] + [each.replace("NAME", spelled) for each in argv]
                wants_file = uid == NOBODY and tool.startswith("grub")
                data = output_of(command, limit_bytes, uid, wants_file)
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


def settle(copy: str) -> None:
    """Put a copy of the medium into a file system that only this process and its program see.

    GRUB's tools need the path of a file that they can open by name.
    """
    point = find_point()
    mount_apart("none", point, "tmpfs", 0, "mode=755")
    path = os.path.join(point, "medium")
    with open(copy, "rb") as source, open(path, "wb") as target:
        os.fchmod(target.fileno(), 0o444)
        while True:
            data = source.read(PIECE_BYTES)
            if not data:
                return
            target.write(data)


def output_of(argv: Sequence[str], limit_bytes: int, uid: int, wants_file: bool = False) -> bytes:
    """The first ``limit_bytes`` + 1 bytes of a command's output; b"" if it fails.

    Args:
        argv: the command.
        limit_bytes: the limit of its output.
        uid: the user as whom it runs. It keeps inheritable descriptors.
        wants_file: whether its first argument, a copy of the medium, must be a file with a name.
    """
    import subprocess

    environment = {"PATH": ":".join(FOLDERS), "LANG": "C", "LC_ALL": "C", "HOME": "/"}
    command, copy = list(argv), ""
    if wants_file:
        copy, command[1] = argv[1], os.path.join(find_point(), "medium")
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            close_fds=False,
            preexec_fn=lambda: confine(uid, copy),  # noqa: PLW1509 - there is one thread
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
    except subprocess.SubprocessError:  # its rights and limits could not be set
        return b""


def confine(uid: int, copy: str) -> None:
    """Drop rights that a tool does not need, and set its limits, right before it starts.

    Args:
        uid: the user as whom it runs.
        copy: the argument of :func:`settle`; "" to leave that out.
    """
    if copy:
        settle(copy)
    if uid != os.geteuid():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    limit_resources()


def limit_resources() -> None:
    """Limit what this process may use. A Python without this module leaves it to the time limit and
    to the other user.
    """
    try:
        import resource
    except ImportError:
        return
    for what, most in (
        (resource.RLIMIT_CPU, TOOL_CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        # The last one: this process may have more already, and then could allocate no more.
        (resource.RLIMIT_AS, TOOL_MEMORY_BYTES),
    ):
        resource.setrlimit(what, (most, most))


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
    # With O_NONBLOCK an empty drive can be opened, too. The kernel ejects only if no other process
    # has the drive open.
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
                time.sleep(EJECT_PAUSE_S)  # udev opens it for a moment after each change
    finally:
        os.close(descriptor)


def answer(fields: Sequence[str], data: bytes = b"") -> None:
    """Write the whole answer."""
    line = "\t".join(each.replace("\t", " ").replace("\n", " ") for each in fields) + "\n"
    with open(1, "wb", closefd=False) as output:
        output.write(line.encode("utf-8", "replace") + data)


def main(argv: Sequence[str]) -> None:
    """Run one operation, and answer."""
    operation, path, limit_bytes, limit_s, may_mount = argv[:5]
    signal.alarm(max(1, int(float(limit_s)) + 2))  # end even if the parent is gone
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
