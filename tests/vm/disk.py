"""Disks of virtual machines: copies of an image, and files put into them or taken out while no
machine runs.

Raw ext4 is changed by debugfs, so no loop device and no mount is needed.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Mapping

from tests.lib.netns import TOOL_PATH

SECTOR_BYTES = 512


def lay_over(backing: Path, path: Path) -> Path:
    """Make a disk at ``path`` that begins as ``backing`` (raw) and keeps only what differs. Returns
    ``path``.
    """
    _run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(backing), str(path))
    return path


def copy(source: Path, path: Path) -> Path:
    """Copy a disk of either kind, holes as holes. Returns ``path``."""
    _run("cp", "--sparse=always", "--reflink=auto", str(source), str(path))
    return path


def make(path: Path, size: str, tree: Path) -> Path:
    """Make a raw ext4 disk at ``path`` with the content of ``tree``. Returns ``path``."""
    _run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-d", str(tree), str(path), size)
    return path


def write(disk: Path, files: Mapping[str, str], mode: str = "0644") -> None:
    """Write files (path -> text) into a raw disk; a file that is there keeps its mode and owner.

    Args:
        disk: of no running machine.
        files: path -> text.
        mode: of files that are new, in octal.
    """
    for path, text in files.items():
        with tempfile.NamedTemporaryFile("w") as new:
            new.write(text)
            new.flush()
            bits = _field(disk, path, "Mode:") or mode
            owner, group = _field(disk, path, "User:") or "0", _field(disk, path, "Group:") or "0"
            folders = [
                "mkdir %s" % folder
                for folder in reversed([str(each) for each in Path(path).parents][:-1])
                if not exists(disk, folder)
            ]
            change(
                disk,
                *folders,
                *(["rm %s" % path] if exists(disk, path) else []),
                "write %s %s" % (new.name, path),
                "sif %s mode 010%s" % (path, bits),
                "sif %s uid %s" % (path, owner),
                "sif %s gid %s" % (path, group),
            )
        assert read(disk, path) == text, "%s could not be written into %s" % (path, disk)


def lend(path: Path, label: str, files: Mapping[str, str], size_mb: int = 320) -> Path:
    """Make a raw disk at ``path`` as Windows leaves it: an MBR, one partition from sector 128 to
    the end, NTFS on it.

    Args:
        path: of the disk.
        label: of the volume; ``Temporary Storage`` is the platform's for the resource disk.
        files: name -> text, in the top folder.
        size_mb: of the disk, in MiB.

    Returns:
        ``path``.
    """
    start, size = 128 * SECTOR_BYTES, size_mb * 1024 * 1024
    with tempfile.TemporaryDirectory(dir=str(path.parent)) as folder:
        volume, text = Path(folder) / "volume", Path(folder) / "text"
        with volume.open("wb") as handle:
            handle.truncate(size - start)
        _run(
            "mkfs.ntfs",
            "-Q",
            "-q",
            "-F",
            "-p",
            "128",
            "-s",
            "512",
            "-H",
            "255",
            "-S",
            "63",
            "-L",
            label,
            str(volume),
        )
        for name, content in files.items():
            text.write_text(content)
            _run("ntfscp", "-q", str(volume), str(text), name)
        with path.open("wb") as handle:
            handle.truncate(size)
        _run("sfdisk", "--quiet", str(path), given="label: dos\nstart=128, type=7\n")
        _run(
            "dd",
            "if=%s" % volume,
            "of=%s" % path,
            "bs=64K",
            "seek=1",
            "conv=notrunc,sparse",
            "status=none",
        )
    return path


def exists(disk: Path, path: str) -> bool:
    """Whether a raw disk has the file or directory ``path``."""
    return "Inode:" in _run("debugfs", "-R", "stat %s" % path, str(disk))


def read(disk: Path, path: str) -> str:
    """A text file of a raw disk; "" when it is not there."""
    return subprocess.run(
        ["debugfs", "-R", "cat %s" % path, str(disk)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    ).stdout.decode("utf-8", "replace")


def change(disk: Path, *commands: str) -> None:
    """Run commands of debugfs on a raw disk."""
    with tempfile.NamedTemporaryFile("w") as script:
        script.write("".join(command + "\n" for command in commands))
        script.flush()
        _run("debugfs", "-w", "-f", script.name, str(disk))


def replay(disk: Path) -> None:
    """Take up the journal of a raw disk whose machine was cut off, and mend what there is to
    mend.
    """
    status = subprocess.run(
        ["e2fsck", "-f", "-y", str(disk)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert status.returncode in (0, 1), "e2fsck: %s" % status.stdout.decode("utf-8", "replace")


def _field(disk: Path, path: str, name: str) -> str:
    words = _run("debugfs", "-R", "stat %s" % path, str(disk)).split()
    return words[words.index(name) + 1] if name in words else ""


def _run(*argv: str, given: str = "") -> str:
    ended = subprocess.run(
        argv,
        input=given.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env=dict(os.environ, LC_ALL="C", PATH=TOOL_PATH),
    )
    said = ended.stdout.decode("utf-8", "replace")
    assert ended.returncode == 0, "%s: status %d\n%s" % (" ".join(argv), ended.returncode, said)
    return said
