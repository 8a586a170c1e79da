"""The machine's files: links stay inside the root, writes are whole or not at all, reads end."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from typing import Any

import pytest

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.attributes import keep_label
from lightinit.host.system import System

ROOT = os.geteuid() == 0


def put(root: Any, name: str, data: bytes = b"x") -> str:
    path = str(root) + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as handle:
        handle.write(data)
    return path


def test_a_write_sets_mode_and_makes_parents_whatever_the_umask(tmp_path: Any) -> None:
    old = os.umask(0o077)
    try:
        System(tmp_path).write("/etc/deep/file", b"data", 0o644)
    finally:
        os.umask(old)
    path = str(tmp_path / "etc/deep/file")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o755
    assert os.listdir(os.path.dirname(path)) == ["file"]


def test_a_write_replaces_the_target_of_a_link_inside_the_root(tmp_path: Any) -> None:
    put(tmp_path, "/usr/target")
    os.makedirs(str(tmp_path / "etc"))
    os.symlink("/usr/target", str(tmp_path / "etc/file"))
    System(tmp_path).write("/etc/file", b"new")
    assert os.path.islink(str(tmp_path / "etc/file"))
    assert (tmp_path / "usr/target").read_bytes() == b"new"


def test_a_reader_keeps_the_old_file(tmp_path: Any) -> None:
    with open(put(tmp_path, "/file", b"old"), "rb") as reader:
        System(tmp_path).write("/file", b"new")
        assert reader.read() == b"old"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Any) -> None:
    put(tmp_path, "/etc/file", b"old")
    system = System(tmp_path)
    with pytest.raises(TypeError):
        system.write("/etc/file", "text is no bytes")  # type: ignore[arg-type]
    assert os.listdir(str(tmp_path / "etc")) == ["file"]
    assert system.read("/etc/file") == b"old"


def test_a_write_onto_a_directory_is_an_error_and_leaves_it(tmp_path: Any) -> None:
    put(tmp_path, "/etc/file/inside")
    with pytest.raises(ProvisioningError, match="file cannot be written"):
        System(tmp_path).write("/etc/file", b"new")
    assert os.listdir(str(tmp_path / "etc")) == ["file"]


@pytest.mark.parametrize("left", ["file", "link"])
def test_what_a_crash_left_is_taken_away(tmp_path: Any, left: str) -> None:
    victim = put(tmp_path, "/victim", b"old")
    os.makedirs(str(tmp_path / "etc"))
    scratch = str(tmp_path / "etc/.file.lightinit-new")
    if left == "file":
        put(tmp_path, "/etc/.file.lightinit-new", b"half")
    else:
        os.symlink(victim, scratch)
    System(tmp_path).write("/etc/file", b"new")
    assert os.listdir(str(tmp_path / "etc")) == ["file"]
    with open(victim, "rb") as handle:
        assert handle.read() == b"old"


def test_a_place_that_may_not_be_written_to_is_said_with_a_hint() -> None:
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        os.mkdir(root + "/etc", 0o555)
        if ROOT:  # root may write anywhere, so be somebody else for a moment
            os.seteuid(65534)
        try:
            with pytest.raises(ProvisioningError) as caught:
                System(root).write("/etc/file", b"new")
        finally:
            if ROOT:
                os.seteuid(0)
    assert caught.value.reason == "file cannot be written"
    assert caught.value.details["path"] == "/etc/file" and "root" in caught.value.details["hint"]


def test_a_read_is_bounded(tmp_path: Any) -> None:
    put(tmp_path, "/file", b"x" * 11)
    system = System(tmp_path)
    assert len(system.read("/file", limit_bytes=11)) == 11
    with pytest.raises(MalformedError, match="file is too large"):
        system.read("/file", limit_bytes=10)


def test_a_read_of_a_fifo_does_not_block(tmp_path: Any) -> None:
    os.mkfifo(str(tmp_path / "fifo"))
    watchdog = threading.Timer(120, lambda: os._exit(9))
    watchdog.start()
    try:
        with pytest.raises(MalformedError, match="not a regular file"):
            System(tmp_path).read("/fifo")
        assert System(tmp_path).read_text("/fifo", "none") == "none"
    finally:
        watchdog.cancel()


def test_a_read_of_what_is_not_there(tmp_path: Any) -> None:
    system = System(tmp_path)
    with pytest.raises(FileNotFoundError):
        system.read("/none")
    with pytest.raises(IsADirectoryError):
        system.read("/")
    assert system.read_text("/none", "default") == "default"
    assert system.list_dir("/none") == []
    assert not system.exists("/none") and not system.is_dir("/none")


def test_bad_bytes_in_text_are_replaced(tmp_path: Any) -> None:
    put(tmp_path, "/file", b"a\xffb")
    assert System(tmp_path).read_text("/file") == "a\ufffdb"


def test_glob_gives_paths_as_the_vm_sees_them(tmp_path: Any) -> None:
    put(tmp_path, "/var/conf.d/b.conf")
    put(tmp_path, "/var/conf.d/a.conf")
    put(tmp_path, "/var/conf.d/c.txt")
    os.makedirs(str(tmp_path / "etc"))
    os.symlink("/var/conf.d", str(tmp_path / "etc/conf.d"))
    assert System(tmp_path).glob("/etc/conf.d/*.conf") == [
        "/etc/conf.d/a.conf",
        "/etc/conf.d/b.conf",
    ]
    assert System(tmp_path).glob("/none/*.conf") == []


def test_a_link_is_made_and_replaced(tmp_path: Any) -> None:
    system = System(tmp_path)
    system.link("/var/current", "one")
    system.link("/var/current", "two")
    assert os.readlink(str(tmp_path / "var/current")) == "two"
    put(tmp_path, "/var/file")
    with pytest.raises(ProvisioningError, match="link cannot be made"):
        system.link("/var/file", "two")
    assert sorted(os.listdir(str(tmp_path / "var"))) == ["current", "file"]


def test_removing_follows_no_link(tmp_path: Any) -> None:
    put(tmp_path, "/keep/file")
    put(tmp_path, "/tree/file")
    os.symlink(str(tmp_path / "keep"), str(tmp_path / "tree/link"))
    os.symlink("/keep", str(tmp_path / "link"))
    system = System(tmp_path)
    assert (
        system.remove_tree("/tree") and system.remove_tree("/link") and system.remove("/keep/file")
    )
    assert not system.remove("/keep/file") and not system.remove_tree("/tree")
    assert os.listdir(str(tmp_path)) == ["keep"]


def test_directories_get_their_mode(tmp_path: Any) -> None:
    system = System(tmp_path)
    system.make_dir("/var/private", 0o700)
    assert stat.S_IMODE(os.stat(str(tmp_path / "var/private")).st_mode) == 0o700
    put(tmp_path, "/file")
    with pytest.raises(ProvisioningError, match="directory cannot be made"):
        system.make_dir("/file/below")


def test_a_scratch_root_runs_nothing(tmp_path: Any) -> None:
    put(tmp_path, "/bin/sh", b"#!/bin/sh\n")
    os.chmod(str(tmp_path / "bin/sh"), 0o755)
    system = System(tmp_path)
    assert not system.live and system.tool("sh") is None
    with pytest.raises(ProvisioningError, match="commands are not run in a scratch root"):
        system.run(["/bin/sh", "-c", "true"])
    system.skip("one")
    system.skip("one")
    assert system.skipped == ["one"]


def test_a_link_takes_the_place_of_a_file_only_if_told_so(tmp_path: Any) -> None:
    system = System(tmp_path)
    system.write("/etc/localtime", b"a copy")
    with pytest.raises(ProvisioningError, match="link cannot be made"):
        system.link("/etc/localtime", "../usr/share/zoneinfo/UTC")
    assert system.read("/etc/localtime") == b"a copy"
    system.link("/etc/localtime", "../usr/share/zoneinfo/UTC", over_file=True)
    assert os.readlink(str(tmp_path / "etc/localtime")) == "../usr/share/zoneinfo/UTC"
    system.make_dir("/etc/folder")
    with pytest.raises(ProvisioningError, match="link cannot be made"):
        system.link("/etc/folder", "elsewhere", over_file=True)
    assert sorted(os.listdir(str(tmp_path / "etc"))) == ["folder", "localtime"]


# -- SELinux
# --------------------------------------------------------------------------------------------------

LABEL, OLD = "security.selinux", b"system_u:object_r:hostname_etc_t:s0\0"


def put_label(path: str) -> None:
    """Label a file or link, also on a kernel without SELinux, where that is a word like any
    other.
    """
    try:
        os.setxattr(path, LABEL, OLD, follow_symlinks=False)
    except OSError as error:
        pytest.skip("labels cannot be set here: %s" % error.strerror)


def label(path: str) -> bytes:
    try:
        return os.getxattr(path, LABEL, follow_symlinks=False)
    except OSError:
        return b""


def test_what_takes_a_files_place_has_its_label(tmp_path: Any) -> None:
    path = str(tmp_path / "hostname")
    System("/").write(path, b"old")
    assert label(path) != OLD
    put_label(path)
    System("/").write(path, b"new", 0o600)
    assert (label(path), (tmp_path / "hostname").read_bytes()) == (OLD, b"new")
    System("/").write(str(tmp_path / "other"), b"")
    assert label(str(tmp_path / "other")) != OLD
    System(str(tmp_path)).write("/hostname", b"no machine's")
    assert label(path) != OLD


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_link_has_the_label_of_what_it_takes_the_place_of(tmp_path: Any, kind: str) -> None:
    path = str(tmp_path / "localtime")
    if kind == "link":
        os.symlink("nowhere", path)
    else:
        System("/").write(path, b"a zone")
    put_label(path)
    System("/").link(path, "elsewhere", over_file=True)
    assert (os.readlink(path), label(path)) == ("elsewhere", OLD)


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to become another user")
def test_a_label_that_cannot_be_kept_loses_no_write(caplog: Any) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = folder + "/hostname"
        System("/").write(path, b"old", uid=65534)
        put_label(path)
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
        try:
            System("/").write(folder + "/own", b"")
            try:
                os.setxattr(folder + "/own", LABEL, OLD)
                pytest.skip("this kernel lets everybody set labels")
            except OSError:
                os.unlink(folder + "/own")
            System("/").write(path, b"new")
        finally:
            os.seteuid(0)
        with open(path, "rb") as handle:
            assert handle.read() == b"new"
        assert os.listdir(folder) == ["hostname"] and label(path) != OLD
    assert "SELinux label of %s could not be kept" % path in caplog.text


def test_a_label_that_cannot_be_looked_at_is_said_and_no_failure(
    tmp_path: Any, caplog: Any
) -> None:
    loop = str(tmp_path / "loop")
    os.symlink("loop", loop)
    (tmp_path / "new").write_bytes(b"")
    keep_label(loop + "/hostname", str(tmp_path / "new"))
    assert "SELinux label of %s/hostname could not be kept" % loop in caplog.text
    caplog.clear()
    for old in (str(tmp_path / "missing"), "/proc/self/status"):
        keep_label(old, str(tmp_path / "new"))
    assert caplog.text == ""
