"""Roots of real Debian releases in which packages are installed: each test has one of its own, made
in no time.

A base root is made once by mmdebstrap and kept in build/roots; a :class:`Chroot` is an overlay over
it in memory, in a mount namespace of its own, without a network. Nothing is written to the base,
nor to this machine. It takes root, mmdebstrap, and a mirror of Debian for making the base.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Dict, Iterable, List, Optional, Tuple, Type

from tests.lib.running import MIRROR, fetch, run
from tests.lib.scratch import HERE

# LIGHTINIT_PACKAGES=all: also what takes longest (make test-packages-all).
EVERYTHING = os.environ.get("LIGHTINIT_PACKAGES") == "all"
RELEASES = ("bookworm", "trixie") if EVERYTHING else ("bookworm",)
ROOTS = HERE + "/build/roots"
# What lightinit depends on or recommends, systemd to be enabled in, and rpm for the packages of the
# other family.
INCLUDED = (
    "systemd",
    "python3",
    "python3-requests",
    "python3-netifaces",
    "python3-cryptography",
    "python3-yaml",
    "python3-jinja2",
    "rpm",
)
# Packages that lie in /srv/NAME of a base root with all that they need: other agents, what builds
# packages, init systems, what an image for a VM has.
STORED = {
    "cloud-init": "cloud-init",
    "waagent": "waagent",
    "build": "debhelper dh-python dpkg-dev",
    "openrc": "openrc initscripts openssh-server ifupdown",
    "sysvinit": "sysv-rc initscripts insserv openssh-server ifupdown",
    "runit": "runit",
    "s6": "s6 execline",
    "machine": "isc-dhcp-client iproute2 openssh-server sudo ifupdown eject fuseiso"
    " libarchive-tools",
    "locales": "locales",
    "console-setup": "console-setup",
    "chrony": "chrony",
    "ntpsec": "ntpsec",
    "openntpd": "openntpd",
    "rsyslog": "rsyslog",
}
if EVERYTHING:
    STORED["arch"] = "makepkg pacman-package-manager fakeroot file libarchive-tools zstd"
    STORED["nix"] = "nix-bin"
FETCH = """set -e
mkdir -p "$1/srv/%(name)s/partial"
chroot "$1" apt-get -y -q -o APT::Sandbox::User=root \
-o Dir::Cache::archives=/srv/%(name)s --download-only \
--no-install-recommends install %(packages)s
rm -rf "$1/srv/%(name)s/partial" "$1/srv/%(name)s/lock"
"""
MOUNT = """set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" none "$1/root"
mount -t proc none "$1/root/proc"
mount -t tmpfs none "$1/root/run"
echo ready
"""
RUN_TIMEOUT_S = 300.0


def base_root(release: str) -> str:
    """The base root of a Debian release, made now if it is not there or was made by another recipe.

    Args:
        release: one of RELEASES.

    Returns:
        the directory; nobody may write to it.

    Raises:
        AssertionError: mmdebstrap failed; the message has its words.
    """
    argv = ["mmdebstrap", "--quiet", "--variant=apt", "--include=" + ",".join(INCLUDED)]
    argv += [
        "--customize-hook=" + FETCH % {"name": stored, "packages": packages}
        for stored, packages in STORED.items()
    ]
    recipe = hashlib.sha256(repr((argv, release, MIRROR)).encode()).hexdigest()
    name = release + ("-all" if EVERYTHING else "")
    folder, mark = os.path.join(ROOTS, name), os.path.join(ROOTS, name + ".recipe")
    os.makedirs(ROOTS, exist_ok=True)
    with open(os.path.join(ROOTS, name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(mark) and Path(mark).read_text(encoding="ascii") == recipe:
            return folder
        for path in (folder, folder + ".new"):
            shutil.rmtree(path, ignore_errors=True)
        fetch(release, *argv, release, folder + ".new", MIRROR, without=folder + ".new")
        os.rename(folder + ".new", folder)
        Path(mark).write_text(recipe, encoding="ascii")
    return folder


class Chroot:
    """A machine of a Debian release to install packages on. Use it in a ``with`` block; at its end
    it is gone.

    A subclass may ask for more NAMESPACES of its own, as unshare and nsenter name them, and for
    another shell command that KEEPs them.

    Args:
        release: one of RELEASES.
        folder: an empty directory to mount it in.
        env: variables of every command besides PATH, LANG and HOME.
    """

    NAMESPACES: Tuple[str, ...] = ("--mount", "--net")
    KEEP = "exec sleep 3600"

    def __init__(self, release: str, folder: Path, env: Optional[Dict[str, str]] = None) -> None:
        self.release = release
        self._folder = folder
        self._env = dict(env or {})
        self._keeper: Optional["subprocess.Popen[bytes]"] = None

    def __enter__(self) -> "Chroot":
        # A process that does nothing keeps the mounts; they end with it.
        fork = ["--fork", "--kill-child"] if "--pid" in self.NAMESPACES else []
        self._keeper = subprocess.Popen(
            [
                "unshare",
                *self.NAMESPACES,
                *fork,
                "--propagation",
                "private",
                "sh",
                "-c",
                MOUNT + self.KEEP,
                "sh",
                str(self._folder),
                self.lower(),
            ],
            stdout=subprocess.PIPE,
        )
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"ready\n", "the overlay cannot be mounted"
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        assert self._keeper is not None and self._keeper.stdout is not None
        for pid in processes_beside(self._keeper.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._keeper.kill()
        self._keeper.wait()
        self._keeper.stdout.close()

    def lower(self) -> str:
        """The directories below the overlay, the upper one first, with colons between them."""
        return base_root(self.release)

    @property
    def upper(self) -> Path:
        """Where the overlay keeps what differs from the root below it, as seen from here."""
        assert self._keeper is not None
        return Path("/proc/%d/root%s/upper" % (self._keeper.pid, self._folder))

    @property
    def pid(self) -> int:
        """The process that keeps the namespaces; the first one inside where process ids are of its
        own.
        """
        assert self._keeper is not None
        if "--pid" not in self.NAMESPACES:
            return self._keeper.pid
        return int(
            Path("/proc/%d/task/%d/children" % (self._keeper.pid, self._keeper.pid)).read_text(
                encoding="ascii"
            )
        )

    def command(self, *argv: str) -> List[str]:
        """The command line that runs ``argv`` inside, for those who start it themselves."""
        return [
            "nsenter",
            "--target",
            str(self.pid),
            *self.NAMESPACES,
            "--",
            "chroot",
            str(self._folder / "root"),
            *argv,
        ]

    def environment(self) -> Dict[str, str]:
        """The variables that every command inside gets."""
        return dict(
            {
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "LANG": "C.UTF-8",
                "HOME": "/root",
                "DEBIAN_FRONTEND": "noninteractive",
            },
            **self._env,
        )

    def path(self, name: str = "") -> Path:
        """Where the chroot's absolute path ``name`` is as seen from here. Links in it would be
        followed to this machine.
        """
        assert self._keeper is not None
        return Path("/proc/%d/root%s/root%s" % (self._keeper.pid, self._folder, name))

    def add(self, paths: Iterable[Path]) -> None:
        """Copy files to /tmp of the chroot."""
        for path in paths:
            shutil.copy(str(path), str(self.path("/tmp")))

    def write(self, name: str, text: str) -> None:
        """Write a file, with the directories above it."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        """The text of a file."""
        return self.path(name).read_text(encoding="utf-8")

    def run(self, *argv: str, wanted: int = 0) -> str:
        """Run a command inside to its end; its exit status must be ``wanted``. Returns all that it
        printed.
        """
        command = self.command(*argv)
        return run(*command, wanted=wanted, env=self.environment(), timeout_s=RUN_TIMEOUT_S)

    def shell(self, script: str, wanted: int = 0) -> str:
        """Run a shell script inside, as :meth:`run` does."""
        return self.run("sh", "-ec", script, wanted=wanted)

    def install_stored(self, name: str) -> None:
        """Install one of STORED, from the root's own store."""
        self.shell("apt-get install -y -q --no-install-recommends /srv/%s/*.deb" % name)

    def has(self, name: str) -> bool:
        """Whether something is at the chroot's path ``name``, even a dangling link."""
        return os.path.lexists(str(self.path(name)))

    def list_all(self, without: Tuple[str, ...] = ()) -> Dict[str, str]:
        """Every path with what tells a change of it: kind, mode, owner, content.

        Args:
            without: beginnings of paths that do not count.
        """
        root = str(self.path())
        found = {}
        for folder, folders, names in os.walk(root):
            here = folder[len(root) :]
            folders[:] = [
                name
                for name in folders
                if not ("%s/%s" % (here, name)).startswith(("/proc", "/sys", "/dev") + without)
            ]
            for name in folders + names:
                if not ("%s/%s" % (here, name)).startswith(without or ("//",)):
                    found["%s/%s" % (here, name)] = describe(os.path.join(folder, name))
        return found


def processes_beside(keeper: int) -> List[int]:
    """The processes in the mount namespace of another: what tests have left in the background."""

    def namespace(pid: str) -> str:
        try:
            return os.readlink("/proc/%s/ns/mnt" % pid)
        except OSError:  # it has just ended, or is about to
            return ""

    wanted = namespace(str(keeper))
    if wanted in ("", namespace("self")):
        return []
    pids = [pid for pid in os.listdir("/proc") if pid.isdigit() and pid != str(keeper)]
    return [int(pid) for pid in pids if namespace(pid) == wanted]


def describe(path: str) -> str:
    """What a file is, in a line: kind and mode, owner, and a link's target or the content's
    hash.
    """
    status = os.lstat(path)
    what = ""
    if stat.S_ISLNK(status.st_mode):
        what = os.readlink(path)
    elif stat.S_ISREG(status.st_mode):
        what = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return "%o %d:%d %s" % (status.st_mode, status.st_uid, status.st_gid, what)
