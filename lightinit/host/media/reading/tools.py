"""Reads a file system with a tool, where the kernel cannot mount it. All are maintained, and none
of them mounts:

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

import os

from lightinit.host.media.reading.answers import Nothing
from lightinit.host.media.reading.mounting import find_point, mount_apart
from lightinit.host.media.reading.names import ISO, UDF, spellings

# Like typing.TYPE_CHECKING. Importing typing would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Sequence, Tuple

SEVEN_TYPES = {UDF: "-tudf", ISO: "-tiso"}
FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
NOBODY = 65534
# Azure's media have less than 2 MiB. 7-Zip needs 200 MiB of address space.
COPY_BYTES, PIECE_BYTES = 64 * 1024 * 1024, 1024 * 1024
TOOL_MEMORY_BYTES, TOOL_CPU_S = 1024 * 1024 * 1024, 20


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
    """As :func:`run_tool`; b"" if the command fails."""
    return run_tool(argv, limit_bytes, uid, wants_file) or b""


def run_tool(
    argv: Sequence[str], limit_bytes: int, uid: int, wants_file: bool = False
) -> Optional[bytes]:
    """The first ``limit_bytes`` + 1 bytes of a command's output; None if it fails.

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
                return None
            return data
    except subprocess.SubprocessError:  # its rights and limits could not be set
        return None


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
