"""The program that looks at one device, on directories and images."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import pytest

from lightinit.host.media import reader
from lightinit.host.media.reading import document, tools
from lightinit.host.media.reading.answers import Nothing
from tests.lib.scratch import HERE

DEADLINE_S = 60.0
NAMES = ("ovf-env.xml",)


def look(path: Any, limit_bytes: int = 1000) -> Any:
    try:
        return document.look(str(path), NAMES, limit_bytes, False)[0]
    except (Nothing, OSError) as error:
        return str(error)


def test_names_in_a_directory(tmp_path: Path) -> None:
    assert look(tmp_path) == "it has no ovf-env.xml"
    (tmp_path / "xovf-env.xml").write_bytes(b"no")
    (tmp_path / "ovf-env.xml.bak").write_bytes(b"no")
    assert look(tmp_path) == "it has no ovf-env.xml"
    for name in ("OVF_ENV.XML;1", "OVF-ENV.XML", "Ovf-Env.xml", "ovf-env.xml"):
        (tmp_path / name).write_bytes(name.encode())
    assert look(tmp_path) == b"OVF-ENV.XML"
    (tmp_path / "OVF-ENV.XML").unlink()
    assert look(tmp_path) == b"ovf-env.xml"
    (tmp_path / "ovf-env.xml").unlink()
    assert look(tmp_path) in (b"OVF_ENV.XML;1", b"Ovf-Env.xml")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"not on the medium")
    document = tmp_path / "ovf-env.xml"
    document.symlink_to("secret")
    assert "symbolic links" in look(tmp_path)
    document.unlink()
    os.mkfifo(str(document))
    assert look(tmp_path) == "its ovf-env.xml is no regular file"
    document.unlink()
    document.mkdir()
    assert look(tmp_path) == "its ovf-env.xml is no regular file"
    os.mkfifo(str(tmp_path / "fifo"))
    assert look(tmp_path / "fifo") == "neither a block device, an image nor a directory"


def test_the_limit_is_exact(tmp_path: Path) -> None:
    (tmp_path / "ovf-env.xml").write_bytes(b"x" * 1000)
    assert look(tmp_path, 1000) == b"x" * 1000
    assert look(tmp_path, 999) == "its ovf-env.xml is larger than 999 bytes"


@pytest.mark.parametrize(
    "marks, kinds",
    [
        ([], []),
        ([b"CD001"], ["iso9660"]),
        ([b"BEA01", b"NSR02", b"TEA01"], ["udf"]),
        ([b"BEA01", b"NSR03"], ["udf"]),
        ([b"CD001", b"CD001", b"BEA01", b"NSR02"], ["udf", "iso9660"]),
        ([b"NSR09"], []),
        ([b""] * 63 + [b"NSR02"], ["udf"]),
        ([b""] * 64 + [b"NSR02"], []),
    ],
)
def test_marks_of_file_systems(tmp_path: Path, marks: List[bytes], kinds: List[str]) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(32768) + b"".join((b"\0" + mark).ljust(2048, b"\0") for mark in marks))
    assert document.file_systems(str(image)) == kinds


def test_a_short_image_has_no_marks(tmp_path: Path) -> None:
    for length in (0, 100, 32768, 32770):
        (tmp_path / "image").write_bytes(bytes(length))
        assert look(tmp_path / "image") == "neither UDF nor ISO 9660 is on it"


def test_the_reader_has_an_end_of_its_own() -> None:
    """Should whoever started it be gone."""
    program = (
        "import sys, time; sys.path.insert(0, %r); "
        "from lightinit.host.media.reading import program; "
        "program.main(['look', '/', '1', '0', '0', 'x']); time.sleep(3600)" % HERE
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], stdout=subprocess.DEVNULL, timeout=DEADLINE_S
    )
    assert ended.returncode == -signal.SIGALRM


def test_another_datasource_names_other_files(tmp_path: Path) -> None:
    names = ("user-data", "user-data.txt")
    with pytest.raises(Nothing, match=r"it has no user-data or user-data\.txt"):
        document.look(str(tmp_path), names, 1000, False)
    (tmp_path / "USER_DATA.TXT;1").write_bytes(b"second")
    (tmp_path / "ovf-env.xml").write_bytes(b"not asked for")
    assert document.look(str(tmp_path), names, 1000, False)[0] == b"second"
    (tmp_path / "user-data").write_bytes(b"first")
    assert document.look(str(tmp_path), names, 1000, False)[0] == b"first"


def answer_for(path: Path) -> List[str]:
    """The first line that the program prints."""
    argv = [sys.executable, "-I", "-S", reader.__file__, "look", str(path), "9", "30", "0", *NAMES]
    ended = subprocess.run(argv, stdout=subprocess.PIPE, timeout=DEADLINE_S, check=True)
    return ended.stdout.decode().split("\n")[0].split("\t")


def test_whether_it_is_sure_that_there_is_no_document(tmp_path: Path) -> None:
    image, folder = tmp_path / "image", tmp_path / "folder"
    image.write_bytes(bytes(40000))
    folder.mkdir()
    assert answer_for(image)[:4] == ["nothing", "1", "0", "1"], "another disk"
    assert answer_for(folder)[:4] == ["nothing", "1", "0", "1"], "a medium without the document"
    (folder / "ovf-env.xml").write_bytes(b"too large.")
    assert answer_for(folder)[:4] == ["nothing", "0", "0", "0"]
    assert answer_for(tmp_path / "none")[:4] == ["nothing", "1", "0", "0"]
    (folder / "ovf-env.xml").write_bytes(b"it")
    assert answer_for(folder) == ["found", "2", "0", "from the directory"]


def test_damaged_bytecode_counts_as_none(tmp_path: Path) -> None:
    """As a power cut may leave it: the medium is read all the same."""
    folder = tmp_path / "lightinit/host/media"
    # Bytecode that another run is just writing has a name of its own, and goes.
    without = shutil.ignore_patterns("*.pyc.*")
    shutil.copytree(os.path.dirname(reader.__file__), str(folder), ignore=without)
    (tmp_path / "ovf-env.xml").write_bytes(b"it")
    program = str(folder / "reading/program.py")
    compiled = Path(importlib.util.cache_from_source(program))
    py_compile.compile(program, str(compiled))
    compiled.write_bytes(compiled.read_bytes()[:100])
    argv = [sys.executable, "-I", "-S", "-B", str(folder / "reader.py"), "look", str(tmp_path)]
    argv += ["9", "30", "0", *NAMES]
    said = subprocess.run(argv, stdout=subprocess.PIPE, timeout=DEADLINE_S, check=True).stdout
    assert said == b"found\t2\t0\tfrom the directory\nit"


@pytest.mark.skipif(os.geteuid() != 0, reason="runs as root only: it becomes another user")
def test_tools_run_as_nobody_with_limits(tmp_path: Any) -> None:
    script = "echo $(id -u) $(id -g) $(id -G); for what in v t f c; do ulimit -$what; done"
    said = tools.output_of(["/bin/bash", "-c", script], 1000, tools.NOBODY).decode().split()
    assert said == ["65534", "65534", "65534", "1048576", "20", "0", "0"]
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    os.chmod(str(tmp_path), 0o711)
    assert tools.output_of(["/bin/cat", str(secret)], 1000, tools.NOBODY) == b""
    assert tools.output_of(["/bin/cat", str(secret)], 1000, 0) == b"secret"
    with tools.Copy(str(secret)) as copy:
        assert tools.output_of(["/bin/cat", copy.path], 1000, copy.uid) == b"secret"
    new = tmp_path / "new"
    tools.output_of(["/bin/sh", "-c", "echo x >%s" % new], 1000, 0)
    assert new.read_bytes() == b""


def test_what_is_too_large_is_read_in_its_place(tmp_path: Any) -> None:
    with open(str(tmp_path / "large"), "wb") as handle:
        handle.truncate(tools.COPY_BYTES + 1)
    with tools.Copy(str(tmp_path / "large")) as copy:
        assert (copy.path, copy.uid) == (str(tmp_path / "large"), os.geteuid())
