"""The report does not depend on libraries that are not Python's own, nor on anything else that can
be broken on the disk: the boot as the init systems start it, with a damaged installation.

N3: getumbrel/umbrel#1582, a urllib3 in /usr/local that does not load.
"""

from __future__ import annotations

import compileall
import glob
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from typing import Any, Dict, List

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.lib import unshared
from tests.lib.scratch import HERE, Machine

pytestmark = pytest.mark.long

LIBRARIES = ("netifaces", "requests", "urllib3", "idna", "certifi")
LIBRARIES_OF_SOME = (
    "_netifaces",
    "chardet",
    "charset_normalizer",
)  # which depends on their versions
DAMAGE = {
    "missing": None,
    "another copy that is too old": "raise ImportError('cannot import name x')",
    "syntax": "def broken(:\n",
    "no memory": "raise MemoryError",
    "panic": "raise type('PanicException', (BaseException,), {})('no _cffi_backend')",
    "exits": "raise SystemExit(0)",
    "exits with text": "import sys; sys.exit('no')",
    "recursion": "def f(): f()\nf()",
    "another package of that name": "",
    "wrong version": "__version__ = 7\nadapters = None",
    "odd text": "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})",
    "not utf-8": "\udcff",
    "c library": "raise OSError(2, 'libx.so: cannot open shared object file')",
}


def copy_library(name: str, folder: str) -> None:
    """Copy a library that this Python has into ``folder``."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    if spec.submodule_search_locations:
        place = list(spec.submodule_search_locations)[0]
        shutil.copytree(place, folder + "/" + name)
    else:
        shutil.copy(spec.origin, folder)


class Installation:
    """A copy of lightinit with libraries of its own, started as the init systems start it.

    Args:
        folder: an empty directory.
    """

    def __init__(self, folder: Any) -> None:
        self.folder = str(folder)
        self.code = self.folder + "/lib/lightinit"
        # Bytecode that another run is just writing has a name of its own, and goes.
        without = shutil.ignore_patterns("emulator", "modules", "*.pyc.*")
        shutil.copytree(HERE + "/lightinit", self.code, ignore=without)
        shutil.copytree(HERE + "/modules", self.code + "/modules", ignore=without)
        self.libraries = self.folder + "/libraries"
        os.mkdir(self.libraries)
        for name in LIBRARIES + LIBRARIES_OF_SOME:
            if name in LIBRARIES or importlib.util.find_spec(name):
                copy_library(name, self.libraries)

    def break_library(self, name: str, code: Any) -> None:
        """Put ``code`` in the place of a library; None: nothing."""
        for path in glob.glob("%s/%s*" % (self.libraries, name)):
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        if code is not None:
            with open("%s/%s.py" % (self.libraries, name), "wb") as handle:
                handle.write(code.encode("utf-8", "surrogateescape"))

    def break_code(self, name: str, code: str = "raise RuntimeError('boom')") -> None:
        """Let one of lightinit's own files raise when it is imported."""
        with open("%s/%s" % (self.code, name), "w", encoding="utf-8") as handle:
            handle.write(code + "\n")

    def drop_bytecode(self) -> None:
        """Leave the sources alone."""
        for path in glob.glob(self.folder + "/**/__pycache__", recursive=True):
            shutil.rmtree(path)

    def cut_bytecode(self) -> int:
        """Compile everything, then cut all bytecode off, as a full disk does. Returns how many."""
        compileall.compile_dir(self.folder, quiet=2)
        found = glob.glob(self.folder + "/**/*.pyc", recursive=True)
        for path in found:
            os.truncate(path, max(16, os.path.getsize(path) // 2))
        return len(found)

    def argv(self, machine: Machine) -> List[str]:
        """The command that boots ``machine``, with these libraries in place of Python's."""
        start = (
            "import runpy, sys; sys.argv[:] = ['lightinit', '--root', sys.argv[1], 'boot'];"
            "sys.path[:] = [p for p in sys.path if '-packages' not in p];"
            "sys.path.append(%r); runpy.run_path(%r, run_name='__main__')"
            % (self.libraries, self.code + "/__main__.py")
        )
        # Without -B: lightinit itself must see to that.
        return [sys.executable, "-I", "-c", start, machine.root]

    def boot(self, machine: Machine) -> "subprocess.CompletedProcess[str]":
        """Boot ``machine``."""
        return subprocess.run(
            self.argv(machine),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=300,
            check=False,
        )


def reports(platform: Platform) -> List[Dict[str, Any]]:
    """The reports that the platform accepted."""
    return [report for report in platform.final_reports if report["accepted"]]


class Scene:
    """A machine, an installation, and what the platform hears.

    Args:
        folder: an empty directory.
        platform: the platform.
    """

    def __init__(self, folder: Any, platform: Platform) -> None:
        (folder / "root").mkdir()
        self.machine = Machine(folder / "root")
        self.platform = platform
        self.installation = Installation(folder / "copy")
        self.machine.lead_to(platform)
        self.said = ""

    def boot(self, code: int) -> str:
        """Boot. Returns what was said."""
        ended = self.installation.boot(self.machine)
        assert ended.returncode == code, ended.stderr
        self.said = ended.stderr
        return self.said

    def heard(self) -> List[str]:
        """The states that the platform accepted."""
        return [each["state"] for each in reports(self.platform)]

    def not_ready(self, *words: str) -> None:
        """The platform heard NotReady once, with ``words`` in its description."""
        assert self.heard() == ["NotReady"], self.said
        for word in words:
            assert word in reports(self.platform)[0]["description"]


def test_nothing_is_broken(tmp_path: Any) -> None:
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        scene.installation.drop_bytecode()
        scene.boot(0)
        assert scene.heard() == ["Ready"]
    assert not glob.glob(str(tmp_path) + "/**/*.pyc", recursive=True), "S7: root wrote bytecode"


@pytest.mark.parametrize("damage", DAMAGE)
def test_requests_that_cannot_be_used(tmp_path: Any, damage: str) -> None:
    """N3: the report goes out over the standard library alone, and says why. Repaired, all is
    done.
    """
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        scene.installation.break_library("requests", DAMAGE[damage])
        said = scene.boot(1)
        assert "Traceback" not in said
        scene.not_ready("reason=python library ", "library=requests", "step=fetch")
        scene.installation.break_library("requests", None)
        copy_library("requests", scene.installation.libraries)
        scene.boot(0)
        assert scene.heard() == ["NotReady", "Ready"]


@pytest.mark.parametrize("name", ["urllib3", "idna"])
@pytest.mark.parametrize("damage", ["missing", "syntax"])
def test_what_requests_needs(tmp_path: Any, name: str, damage: str) -> None:
    """N3: what another library imports."""
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        scene.installation.break_library(name, DAMAGE[damage])
        scene.boot(1)
        scene.not_ready("reason=python library cannot be loaded", "library=requests", name)


@pytest.mark.parametrize("damage", ["missing", "c library", "another package of that name"])
def test_netifaces_that_cannot_be_used(tmp_path: Any, damage: str) -> None:
    """N3: without the network's state the report goes to the well-known address."""
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        scene.installation.break_library("netifaces", DAMAGE[damage])
        assert "Traceback" not in scene.boot(1)
        scene.not_ready("reason=python library ", "library=netifaces", "step=local")


AT_USE = {
    "an old kernel": "raise OSError(38, 'Function not implemented')",
    "panic": "raise type('PanicException', (BaseException,), {})('no _cffi_backend')",
    "exits": "raise SystemExit(3)",
    "another C library": "raise ImportError('libc.so.6: version `GLIBC_2.38\\' not found')",
}


@pytest.mark.parametrize("damage", sorted(AT_USE))
def test_netifaces_that_fails_when_it_is_used(tmp_path: Any, damage: str) -> None:
    """N3: the import works, and then it does not."""
    code = "AF_INET = 2\ndef interfaces(*_):\n    %s\nifaddresses = gateways = interfaces\n"
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        scene.installation.break_library("netifaces", code % AT_USE[damage])
        assert "Traceback" not in scene.boot(1)
        scene.not_ready("reason=python library does not work", "library=netifaces")


def test_a_library_that_crashes(tmp_path: Any) -> None:
    """N3: a C extension of what requests needs was built for another machine."""
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        scene.installation.break_library("idna", "import ctypes\nctypes.string_at(0)")
        scene.boot(-signal.SIGSEGV)
        assert platform.wait_for(lambda it: bool(reports(it)), 60)
        scene.not_ready("reason=boot crashed", "step=", "Segmentation fault")


@pytest.mark.parametrize("damage", ["missing", "syntax", "c library", "no memory"])
def test_cryptography_is_no_matter_for_plain_keys(tmp_path: Any, damage: str) -> None:
    """N3: certificates were asked for, the login does not need them."""
    with Platform(certificates="auto") as platform:
        scene = Scene(tmp_path, platform)
        scene.machine.lead_to(platform, "[azure]\ncertificates = all\n")
        scene.installation.break_library("cryptography", DAMAGE[damage])
        assert "no certificates: python cryptography " in scene.boot(0)
        assert scene.heard() == ["Ready"]


def test_the_media_open_the_console(tmp_path: Any) -> None:
    """N3: the account of the media is made, so that somebody can look. NotReady all the same."""
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        document = make_ovf("alice", "web-1", password="Xy7:nobody may see it")
        scene.machine.put("/media/ovf-env.xml", document.decode())
        scene.machine.lead_to(platform, "[azure]\nmedia = /media\n")
        scene.installation.break_library("requests", None)
        assert "making the account alice" in scene.boot(1)
        scene.not_ready("reason=python library is missing")
        assert scene.machine.read("/etc/passwd").splitlines()[-1].startswith("alice:")


@pytest.mark.parametrize(
    "name",
    [
        "grammar.py",
        "host/log.py",
        "host/files/lock.py",
        "boot.py",
        "stages/local.py",
        "pipeline.py",
        "result.py",
        "cli.py",
    ],
)
def test_a_file_of_lightinits_own_that_raises(tmp_path: Any, name: str) -> None:
    """Whatever ends a boot, the platform hears of it."""
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        scene.installation.break_code(name)
        assert "RuntimeError: boom" in scene.boot(1)
        scene.not_ready("reason=unexpected error", "error=RuntimeError", "said=boom")


@pytest.mark.parametrize("why", ["provisioned", "disabled", "enabled = no", "elsewhere"])
def test_no_report_where_none_is_due(tmp_path: Any, why: str) -> None:
    """The last resort takes no Ready back, and tells nobody who does not wait for it."""
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        if why == "provisioned":
            scene.boot(0)
            os.unlink(scene.machine.root + "/var/lib/lightinit/instance/provisioned")
        elif why == "disabled":
            scene.machine.put("/etc/lightinit/disabled", "")
        elif why == "enabled = no":
            scene.machine.lead_to(platform, "[lightinit]\nenabled = no\n")
        else:
            scene.machine.put("/sys/class/dmi/id/chassis_asset_tag", "other\n")
        before = scene.heard()
        scene.installation.break_code("boot.py")
        scene.boot(1)
        assert scene.heard() == before


def test_bytecode_that_was_cut_off(tmp_path: Any) -> None:
    """S7, N4: bytecode that was cut off on a full disk, also that of libraries and of the first
    files that are read.
    """
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        assert scene.installation.cut_bytecode() > 200
        scene.boot(0)
        assert scene.heard() == ["Ready"]


NEARLY_FULL = """set -e
mount -t tmpfs -o size=6m,nr_inodes=20k none "$1/copy"
cp -R "$1/kept/." "$1/copy"
head -c 100m /dev/zero >"$1/copy/filler" 2>/dev/null || :
truncate -s -8192 "$1/copy/filler"
find "$1/copy" -name '*.pyc' | grep . && exit 3
shift
"$@" || echo "status $?"
find "$0/copy" -name '*.pyc*' | wc -l
"""


@pytest.mark.skipif(bool(unshared.why_not()), reason=unshared.why_not())
def test_a_disk_with_a_few_kilobytes_left(tmp_path: Any) -> None:
    """S7: each start works, also the next one, since none writes bytecode."""
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        scene.installation.drop_bytecode()
        os.rename(scene.installation.folder, str(tmp_path / "kept"))
        os.mkdir(scene.installation.folder)
        for _ in range(2):
            ended = subprocess.run(
                ["unshare", "--mount", "sh", "-c", NEARLY_FULL, str(tmp_path), str(tmp_path)]
                + scene.installation.argv(scene.machine),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                universal_newlines=True,
                timeout=300,
                check=False,
            )
            assert ended.stdout.split() == ["0"], ended.stdout + ended.stderr
        assert scene.heard() == ["Ready"]


SHADOWED = """set -e
for folder in /usr/local/lib/python3.*/dist-packages; do
    mount -t tmpfs none "$folder"
    mkdir "$folder/urllib3"
    echo "raise ImportError('shadow')" >"$folder/urllib3/__init__.py"
    echo "import sys; sys.exit('stray')" >"$folder/sitecustomize.py"
    printf '\\377\\n' >"$folder/stray.pth"
done
mount -t tmpfs none /usr/lib/python3/dist-packages
cp -R "$0/." /usr/lib/python3/dist-packages
exec "$@"
"""
PYTHON = "/usr/bin/python3"


def why_no_shadow() -> str:
    """Why the next test cannot run here, or ""."""
    if not glob.glob("/usr/local/lib/python3.*/dist-packages"):
        return "no Debian: /usr/local has no folder for Python's packages"
    if "%d.%d" % sys.version_info[:2] != os.path.realpath(PYTHON)[-4:]:
        return "%s is another version than the tests' Python" % PYTHON
    return unshared.why_not()


@pytest.mark.skipif(bool(why_no_shadow()), reason=why_no_shadow())
def test_the_distributions_libraries_come_first(tmp_path: Any) -> None:
    """N3: urllib3 in /usr/local does not load, and neither do the files there that Python reads at
    its start.
    """
    with Platform() as platform:
        scene = Scene(tmp_path, platform)
        command = [PYTHON, "-I", "-S", "-B", scene.installation.code + "/__main__.py"]
        ended = subprocess.run(
            ["unshare", "--mount", "sh", "-c", SHADOWED, scene.installation.libraries]
            + command
            + ["--root", scene.machine.root, "boot"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert "python's site module failed" in ended.stderr
        assert scene.heard() == ["Ready"]
