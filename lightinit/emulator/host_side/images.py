"""Makes images of volumes from the files of a folder, with the tools of this machine.

Only the caller can read an image, because it may contain a password.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from typing import Callable, Dict, List, Sequence, Tuple

from lightinit.emulator.errors import EmulatorError

TIMEOUT_S = 60.0
PLACES = ":/usr/local/sbin:/usr/sbin:/sbin"  # of mkfs.vfat, for ordinary users
_NAMES = {"udf": "UDF", "iso9660": "ISO 9660", "vfat": "vfat"}
_TOOLS: Dict[str, Tuple[List[str], ...]] = {
    "udf": (["genisoimage"], ["mkisofs"]),
    "iso9660": (["genisoimage"], ["xorriso", "-as", "mkisofs"], ["mkisofs"]),
    "vfat": (["mkfs.vfat"], ["mkfs.fat"], ["mkdosfs"]),
}
_PACKAGES = {"mkfs.vfat": "mkfs.vfat (package dosfstools)", "mkfs.fat": "", "mkdosfs": ""}
KIB = 1024
# An empty FAT of this size holds its tables; each file takes whole clusters, and names take some.
LEAST_KIB, FILE_KIB = 1024, 16


def find_tool(kind: str) -> List[str]:
    """The words that begin a command which writes images of this kind.

    Raises:
        EmulatorError: no such tool is installed.
    """
    for words in _TOOLS[kind]:
        program = shutil.which(words[0], path=os.environ.get("PATH", "") + PLACES)
        # xorriso has no UDF.
        if program and not (kind == "udf" and "xorriso" in os.path.realpath(program)):
            return [program] + words[1:]
    names = [_PACKAGES.get(words[0], words[0]) for words in _TOOLS[kind]]
    raise EmulatorError(
        "no tool that writes %s images is installed: install %s"
        % (_NAMES[kind], " or ".join(filter(None, names)))
    )


def run_tool(words: Sequence[str]) -> None:
    """Run a tool.

    Raises:
        EmulatorError: it failed, or did not end.
    """
    name = os.path.basename(words[0])
    try:
        ended = subprocess.run(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise EmulatorError("%s did not end within %d s" % (name, TIMEOUT_S)) from error
    if ended.returncode:
        said = ended.stdout.decode("utf-8", "replace").strip()[-500:]
        raise EmulatorError("%s failed: %s" % (name, said))


def write_image(path: str, files: Dict[str, bytes], make: Callable[[str, str], None]) -> None:
    """Write an image in one step.

    Args:
        path: the image; an existing file is replaced.
        files: what is on the volume: path -> content.
        make: called with the image's path, where an empty file is, and that of a folder with the
            files.

    Raises:
        EmulatorError: the file cannot be written, or as ``make``.
    """
    folder = os.path.dirname(os.path.abspath(path))
    refuse_device(path)
    try:
        with tempfile.TemporaryDirectory(prefix=".lightinit-emulator-", dir=folder) as staging:
            content, image = os.path.join(staging, "content"), os.path.join(staging, "image")
            write_files(content, files)
            os.close(os.open(image, os.O_WRONLY | os.O_CREAT, 0o600))
            make(image, content)
            os.chmod(image, 0o600)
            os.replace(image, path)
    except OSError as error:
        raise EmulatorError(
            "cannot write the image %s: %s" % (path, error.strerror or error)
        ) from error


def refuse_device(path: str) -> None:
    """Refuse a path that an output would replace although it is no file, such as /dev/stdout.

    Raises:
        EmulatorError: there is a device, a FIFO or a socket, or it is in /dev.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    is_file = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    if not is_file or os.path.dirname(os.path.abspath(path)) == "/dev":
        raise EmulatorError("%s is no file, and would be replaced: name another path" % path)


def write_files(folder: str, files: Dict[str, bytes]) -> None:
    """Write files below a folder, which is made; only the caller can look into it."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name, data in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)


def make_iso9660(image: str, content: str, label: str) -> None:
    """Put a folder's files on a volume in ISO 9660, with Rock Ridge and Joliet."""
    run_tool(find_tool("iso9660") + ["-quiet", "-V", label, "-r", "-J", "-o", image, content])


def make_vfat(image: str, content: str, label: str) -> None:
    """Put a folder's files on a volume in vfat."""
    tool = find_tool("vfat")
    mcopy = shutil.which("mcopy")
    if mcopy is None:
        raise EmulatorError("mcopy, which fills vfat images, is not installed: install mtools")
    size_kib = LEAST_KIB
    for folder, _, names in os.walk(content):
        for name in names:
            size_kib += FILE_KIB + os.path.getsize(os.path.join(folder, name)) // KIB
    os.truncate(image, size_kib * KIB)
    run_tool(tool + ["-n", label, image])
    tops = [os.path.join(content, name) for name in sorted(os.listdir(content))]
    run_tool([mcopy, "-i", image, "-o", "-s", "-Q"] + tops + ["::/"])
