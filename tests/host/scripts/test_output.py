"""Copies of the output of scripts: what is written, and where nothing is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, List

import pytest

from lightinit.host.scripts.output import OutputFiles
from lightinit.host.system import System

PATH = "/var/log/out"


@pytest.fixture
def system(tmp_path: Path) -> System:
    (tmp_path / "var/log").mkdir(parents=True)
    return System(str(tmp_path))


def copy(system: System, append: bool, *pieces: bytes, path: str = PATH) -> List[str]:
    """Write pieces to a file; gives the warnings."""
    files = OutputFiles(system, [path], append)
    for piece in pieces:
        files.write(piece)
    files.close()
    return files.warnings


@pytest.mark.parametrize("append, content", [(True, b"old\none\ntwo\n"), (False, b"one\ntwo\n")])
def test_output_is_copied_as_it_is(system: System, append: bool, content: bytes) -> None:
    file = Path(system.root + PATH)
    file.write_bytes(b"old\n")
    assert copy(system, append, b"one", b"\n") == []
    assert copy(system, append, b"two\n") == []  # the next script of this run
    assert file.read_bytes() == content


def test_a_new_file_is_roots_alone(system: System) -> None:
    assert copy(system, False, b"\x00\xff") == []
    status = os.stat(system.root + PATH)
    assert status.st_mode & 0o007 == 0 and status.st_size == 2


def as_link(root: Path) -> None:
    (root / "secret").write_bytes(b"mine")
    (root / "var/log/out").symlink_to(root / "secret")


def as_hard_link(root: Path) -> None:
    (root / "secret").write_bytes(b"mine")
    os.link(str(root / "secret"), str(root / "var/log/out"))


def as_folder(root: Path) -> None:
    (root / "var/log/out").mkdir()


def as_fifo(root: Path) -> None:
    os.mkfifo(str(root / "var/log/out"))


def without_folder(root: Path) -> None:
    (root / "var/log").rmdir()


def for_all(root: Path) -> None:
    (root / "var").chmod(0o777)


@pytest.mark.parametrize(
    "change, says",
    [
        (as_link, "symbolic link"),
        (as_hard_link, "hard link"),
        (as_folder, "directory"),
        (as_fifo, "No such device or address"),
        (without_folder, "its folder is not there"),
        (for_all, "users other than root may change /var"),
    ],
)
def test_where_nothing_is_written(system: System, change: Any, says: str) -> None:
    change(Path(system.root))
    (warning,) = copy(system, False, b"output")
    assert warning.startswith("output is not copied to /var/log/out: ") and says in warning
    secret = Path(system.root) / "secret"
    assert not secret.exists() or secret.read_bytes() == b"mine"


def test_one_file_that_fails_does_not_cost_the_other(system: System) -> None:
    files = OutputFiles(system, ["/nowhere/x", PATH], True)
    files.write(b"output")
    files.close()
    assert len(files.warnings) == 1
    assert Path(system.root + PATH).read_bytes() == b"output"


def test_a_full_disk_costs_the_rest_alone(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("not here: /dev/full")
    files = OutputFiles(System(str(tmp_path)), [], True)
    files._files.append(os.open("/dev/full", os.O_WRONLY))
    files.write(b"output")
    files.write(b"output")
    files.close()
    assert files.warnings == ["output is copied in part only: No space left on device"]
