"""What waits for a barrier, and barriers on old kernels, faulty, full and slow disks."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from lightinit import boot
from lightinit.emulator import Platform
from lightinit.errors import ProvisioningError
from lightinit.host.durability import Durability
from lightinit.host.syncs import SlowDiskError, sync_file_system
from lightinit.host.system import System
from tests.lib.context import make_context
from tests.lib.netns import wait_until
from tests.lib.scratch import FILES, Machine

MARK = "/var/lib/lightinit/sem/module.x"
RECORD = "/var/lib/lightinit/record.json"
A_MOMENT_S = 0.1  # the other thread fails at once or never
AT_MOST = 12  # barriers in a first boot


class Disk:
    """Counts barriers, and does what a faulty disk does.

    Args:
        whole: the error number of each sync of a file system; 0 for none.
        one: that of each sync of one file.
        slow: whether a sync of a file system ends only after :meth:`let_go`.
        all_slow: whether that holds for files, too.
    """

    def __init__(
        self, whole: int = 0, one: int = 0, slow: bool = False, all_slow: bool = False
    ) -> None:
        self.barriers: List[Tuple[str, str]] = []
        self._errors = {"whole": whole, "one": one}
        self._waits = {"whole": slow or all_slow, "one": all_slow}
        self._gate = threading.Event()
        self.durability = Durability(self._whole, self._one)
        self.limit(slow or all_slow, all_slow)

    def limit(self, slow: bool, all_slow: bool) -> None:
        """Give barriers little time for what does not end. What ends by itself is waited for,
        however busy the machine is.
        """
        self.durability._syncs._slow_s = 0.05 if slow else 20.0
        self.durability._syncs._limit_s = 0.2 if all_slow else 60.0

    def _whole(self, descriptor: int) -> None:
        self._sync("whole", descriptor)

    def _one(self, descriptor: int) -> None:
        self._sync("one", descriptor)

    def _sync(self, kind: str, descriptor: int) -> None:
        path = os.readlink("/proc/self/fd/%d" % descriptor)
        self.barriers.append((kind, path))
        if self._waits[kind]:
            self._gate.wait(120)
        if self._errors[kind] and path.rpartition("/")[2] != "x":
            raise OSError(self._errors[kind], os.strerror(self._errors[kind]))

    def let_go(self) -> None:
        """End all syncs."""
        self._gate.set()
        self.limit(False, False)

    def system(self, root: Path) -> System:
        """A machine with this disk, whose changes wait."""
        made = System(str(root), durability=self.durability)
        waits, self._waits = self._waits, dict.fromkeys(self._waits, False)
        made.make_dir("/var/lib/lightinit/sem")
        self._waits = waits
        self.durability.defer([])
        self.barriers.clear()
        return made


def write_all(system: System) -> None:
    """A file of the host, a record and a mark."""
    system.write("/etc/hostname", b"web-1\n")
    system.write(RECORD, b"{}", waits=True)
    system.write(MARK, b"done", held=True)


def test_at_once_unless_deferred(tmp_path: Path) -> None:
    disk = Disk()
    system = System(str(tmp_path), durability=disk.durability)
    system.write("/a", b"1", held=True, waits=True)
    assert [kind for kind, _ in disk.barriers] == ["one", "one"]
    assert (tmp_path / "a").read_bytes() == b"1"
    system.make_durable()
    assert len(disk.barriers) == 2


def test_one_sync_for_all_and_marks_after_it(tmp_path: Path) -> None:
    disk = Disk()
    system = disk.system(tmp_path)
    write_all(system)
    # The host's own file is whole before it has its name, the rest waits.
    assert [path for _, path in disk.barriers] == [str(tmp_path / "etc/.hostname.lightinit-new")]
    assert system.read(MARK) == b"done" and system.exists(RECORD) and not system.exists(MARK)
    disk.barriers.clear()
    system.make_durable()
    assert [kind for kind, _ in disk.barriers] == ["whole"]
    assert system.exists(MARK) and system.read(MARK) == b"done"
    system.make_durable()  # the mark's name
    system.make_durable()
    assert [kind for kind, _ in disk.barriers] == ["whole", "whole"]
    assert not [name for name in system.list_dir("/var/lib/lightinit/sem") if "new" in name]


def test_a_held_file_can_be_removed_and_replaced(tmp_path: Path) -> None:
    system = Disk().system(tmp_path)
    system.write(MARK, b"one", held=True)
    assert system.remove(MARK) and not system.remove(MARK)
    system.write(MARK, b"two", held=True)
    system.write(MARK, b"three")
    system.make_durable()
    assert system.read(MARK) == b"three"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EIO], ids=["missing", "fails"])
def test_without_syncfs_each_file_is_synced(tmp_path: Path, number: int) -> None:
    """An old kernel; or the error is that of another program's file."""
    disk = Disk(whole=number)
    system = disk.system(tmp_path)
    write_all(system)
    disk.barriers.clear()
    system.make_durable()
    synced = {path.rpartition("/")[2] for kind, path in disk.barriers if kind == "one"}
    assert synced == {"etc", "record.json", "lightinit", ".module.x.lightinit-new", tmp_path.name}
    assert system.exists(MARK)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_file_that_did_not_reach_the_disk(tmp_path: Path, number: int) -> None:
    disk = Disk(whole=number)
    system = disk.system(tmp_path)
    write_all(system)
    disk._errors["one"] = number
    with pytest.raises(ProvisioningError, match="files did not reach the disk") as caught:
        system.make_durable()
    assert os.strerror(number) in str(caught.value) and str(tmp_path) in str(caught.value)
    assert ("free some space" in str(caught.value)) == (number == errno.ENOSPC)
    # What it stood for is not certain, so the mark is gone.
    assert not system.exists(MARK)
    with pytest.raises(FileNotFoundError):
        system.read(MARK)


def test_slow_syncfs_is_overtaken_by_our_own_files(tmp_path: Path) -> None:
    """A host with much dirty data: syncfs takes 30 s, our few files do not."""
    disk = Disk(slow=True)
    system = disk.system(tmp_path)
    write_all(system)
    system.make_durable()
    assert system.exists(MARK)
    disk.let_go()


def test_a_disk_that_does_not_answer(tmp_path: Path) -> None:
    """The marks wait further, and the next barrier tries again."""
    disk = Disk(all_slow=True)
    system = disk.system(tmp_path)
    system.write(RECORD, b"{}", waits=True)
    system.write(MARK, b"done", held=True)
    with pytest.raises(SlowDiskError, match="not confirmed"):
        disk.durability.barrier()
    assert system.read(MARK) == b"done" and not system.exists(MARK)
    disk.let_go()
    system.make_durable()
    assert system.exists(MARK)


def test_no_mark_gets_its_name_while_another_thread_syncs_its_files(tmp_path: Path) -> None:
    """A signal ends the boot during the barrier that goes on beside the login check: then the last
    barrier of the boot finds nothing to sync any more.
    """
    disk = Disk(all_slow=True)
    disk.limit(False, False)
    system = disk.system(tmp_path)
    system.write(RECORD, b"{}", waits=True)
    system.write(MARK, b"done", held=True)
    disk.durability.begin()
    wait_until(lambda: bool(disk.barriers), 60, "no sync has begun")
    last = threading.Thread(target=system.make_durable)
    last.start()
    last.join(A_MOMENT_S)
    assert not system.exists(MARK)
    disk.let_go()
    last.join(60)
    disk.durability.end()
    assert system.exists(MARK)


def test_more_files_than_may_be_open(tmp_path: Path) -> None:
    disk = Disk()
    system = disk.system(tmp_path)
    for number in range(200):
        system.write("/var/lib/lightinit/%d" % number, b"x", waits=True)
    assert 60 < len(disk.barriers) < 200
    system.make_durable()
    assert disk.barriers[-1][0] == "whole"


def test_one_sync_for_each_file_system(tmp_path: Path) -> None:
    memory = Path("/dev/shm")  # noqa: S108
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system here")
    disk = Disk()
    disk.durability.defer([str(tmp_path), str(memory), str(tmp_path / "missing")])
    disk.durability.barrier(str(memory))
    assert disk.barriers == [("whole", str(memory))]
    disk.durability.barrier()
    assert disk.barriers == [("whole", str(memory)), ("whole", str(tmp_path))]


def test_the_real_call(tmp_path: Path) -> None:
    descriptor = os.open(str(tmp_path), os.O_RDONLY)
    try:
        sync_file_system(descriptor)
    except OSError as error:
        assert error.errno == errno.ENOSYS  # an old kernel
    finally:
        os.close(descriptor)


# -- whole boots
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def platform() -> Iterator[Platform]:
    with Platform() as made:
        yield made


def boot_on(disk: Disk, root: Path, platform: Platform, after: str = "") -> Dict[str, Any]:
    """A boot of a scratch root; its result.

    Args:
        after: what came before: ""; "a reboot", which kept the root's files; "a power cut", too,
            but those of accounts are the image's again; or "a run" in the same boot.
    """
    lost = ("/etc/passwd", "/etc/group", "/etc/shadow") if after == "a power cut" else ()
    machine = Machine(root, without=[name for name in FILES if after and name not in lost])
    if after in ("a reboot", "a power cut"):
        machine.put("/proc/sys/kernel/random/boot_id", "22222222-2222-4222-8222-222222222222\n")
    machine.lead_to(platform)
    system = System(machine.root, durability=disk.durability)
    context = make_context(system)
    boot.boot(context)
    return dict(machine.json("/var/lib/lightinit/instance/result.json"))


def test_a_first_boot_has_few_barriers(tmp_path: Path, platform: Platform) -> None:
    disk = Disk()
    assert boot_on(disk, tmp_path, platform)["status"] == "done"
    # Here lightinit itself edits the account files, which useradd would do otherwise.
    own = [path for _, path in disk.barriers if "/etc/.shadow" not in path]
    own = [path for path in own if "/etc/.passwd" not in path and "/etc/.g" not in path]
    assert len(own) <= AT_MOST, own


def is_at_a_barrier(kind: str, path: str) -> bool:
    """Whether a sync is not that of a file of the host, which is made before it gets its name."""
    return kind == "whole" or "lightinit-new" not in path or "/sem/" in path


def not_ready(result: Dict[str, Any], platform: Platform, root: Path) -> str:
    """The files of a boot did not reach the disk, as it says. It has no marks, so that the next
    boot does it all again. Returns what the platform was told.
    """
    assert result["status"] == "error"
    assert "files did not reach the disk" in result["errors"][0], result["errors"]
    (report,) = platform.final_reports
    assert report["state"] == "NotReady"
    assert "files did not reach the disk" in report["description"]
    names = os.listdir(str(root / "var/lib/lightinit/instance/sem"))
    assert not [name for name in names if name.startswith("module.")], names
    assert boot_on(Disk(), root, platform, "a power cut")["status"] == "done"
    assert platform.ready_count == 1
    return str(report["description"])


@pytest.mark.parametrize(
    "number, hint",
    [
        (errno.EIO, ""),
        (errno.ENOSPC, "free some space or inodes"),
        pytest.param(errno.EDQUOT, "raise the quota", marks=pytest.mark.long),
        pytest.param(errno.EROFS, "must be writable on first boot", marks=pytest.mark.long),
    ],
)
def test_a_boot_whose_files_are_lost_is_not_ready(
    tmp_path: Path, platform: Platform, number: int, hint: str
) -> None:
    """At each barrier, by syncfs and by each file."""

    class LosingDisk(Disk):
        def _sync(self, kind: str, descriptor: int) -> None:
            if is_at_a_barrier(kind, os.readlink("/proc/self/fd/%d" % descriptor)):
                super()._sync(kind, descriptor)

    result = boot_on(LosingDisk(whole=number, one=number), tmp_path, platform)
    assert hint in not_ready(result, platform, tmp_path)


@pytest.mark.long
def test_an_error_that_is_told_once_drops_the_marks(tmp_path: Path, platform: Platform) -> None:
    """The kernel tells of an error once: the next sync succeeds although the data are gone. Here it
    is told at the barrier before a new home gets its name.
    """

    class OnceFaulty(Disk):
        told = False

        def _sync(self, kind: str, descriptor: int) -> None:
            path = os.readlink("/proc/self/fd/%d" % descriptor)
            if kind == "whole" and not self.told:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            if path.endswith("/instance.json") and not self.told:
                self.told = True
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super()._sync(kind, descriptor)

    result = boot_on(OnceFaulty(), tmp_path, platform)
    (report,) = platform.final_reports
    assert (result["status"], report["state"]) == ("error", "NotReady")
    assert "files did not reach the disk" in report["description"]
    marks = os.listdir(str(tmp_path / "var/lib/lightinit/instance/sem"))
    assert {"stage.fetch", "module.hostname", "module.users"}.isdisjoint(marks)
    boot_on(Disk(), tmp_path, platform, "a reboot")
    assert platform.ready_count == 1


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EIO], ids=["missing", "fails once"])
def test_a_boot_without_syncfs_is_ready(tmp_path: Path, platform: Platform, number: int) -> None:
    """If it failed, a file of another program may be lost: a warning says so."""

    class Failing(Disk):
        failed = 0

        def _whole(self, descriptor: int) -> None:
            self.failed += 1
            if number == errno.ENOSYS or self.failed == 1:
                raise OSError(number, os.strerror(number))

    result = boot_on(Failing(), tmp_path, platform)
    assert platform.ready_count == 1
    if number == errno.ENOSYS:
        assert (result["status"], result["warnings"]) == ("done", [])
    else:
        assert result["status"] == "degraded done"
        (warning,) = result["warnings"]
        assert "reported an error (Input/output error)" in warning and "other programs" in warning


def test_a_boot_whose_syncfs_takes_long_is_ready(tmp_path: Path, platform: Platform) -> None:
    """It also writes what others have left; lightinit's own files are soon on the disk."""
    disk = Disk(slow=True)
    result = boot_on(disk, tmp_path, platform)
    disk.let_go()
    assert (result["status"], result["warnings"]) == ("done", [])
    assert platform.ready_count == 1


@pytest.mark.long
@pytest.mark.parametrize("after", ["a power cut", "a run"])
def test_a_mark_that_cannot_get_its_name_is_told(
    tmp_path: Path, platform: Platform, after: str
) -> None:
    """As on a disk that has room for data, but not for the name. The next boot repeats the step, so
    that the account is there even if useradd's files were lost. Another run in the same boot finds
    all that was done, so the marks that the first one held count.
    """
    place = tmp_path / "var/lib/lightinit/instances"

    class WithoutRoomForNames(Disk):
        def _whole(self, descriptor: int) -> None:
            for scratch in place.glob("*/sem/.module.users.lightinit-new"):
                (scratch.parent / "module.users").mkdir(exist_ok=True)

    result = boot_on(WithoutRoomForNames(), tmp_path, platform)
    (report,) = platform.final_reports
    assert (result["status"], report["state"]) == ("error", "NotReady")
    assert "files did not reach the disk" in report["description"]
    assert "module.users" in result["errors"][0]
    for mark in place.glob("*/sem/module.users"):
        mark.rmdir()
    result = boot_on(Disk(), tmp_path, platform, after)
    assert (result["status"], platform.ready_count) == ("done", 1)
    assert "\nazureuser:" in (tmp_path / "etc/passwd").read_text()


def test_a_boot_on_a_disk_that_does_not_answer_is_ready_with_a_warning(
    tmp_path: Path, platform: Platform
) -> None:
    class StuckAtTheEnd(Disk):
        """It is stuck once the modules are through."""

        def _sync(self, kind: str, descriptor: int) -> None:
            is_stuck = (tmp_path / "home/azureuser/.ssh").exists()
            self._waits = dict.fromkeys(self._waits, is_stuck)
            self.limit(is_stuck, is_stuck)
            if kind == "one" and "lightinit-new" in os.readlink("/proc/self/fd/%d" % descriptor):
                return
            super()._sync(kind, descriptor)

    disk = StuckAtTheEnd()
    result = boot_on(disk, tmp_path, platform)
    disk.let_go()
    assert result["status"] == "degraded done"
    assert "has not confirmed" in result["warnings"][0]
    assert platform.ready_count == 1
