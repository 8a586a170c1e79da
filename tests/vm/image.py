"""Disk images of Debian machines with lightinit's package installed, as they are when an image is
taken of them.

Made in three layers, each kept in build/vm/cache and made again only when its recipe changes: a
release (mmdebstrap), a network stack on it, the built package on that. It takes root, mmdebstrap
and a mirror of Debian; no loop device, no mount outside a private namespace. It knows nothing of
QEMU.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence

from tests.lib.scratch import HERE
from tests.vm.initrd import INIT, make_initrd
from tests.vm.recipe import (
    FILES,
    GET_BUSYBOX,
    MASKED,
    NO_INITRAMFS,
    PACKAGES,
    STACKS,
    UNNEEDED,
    WATCHER,
    Stack,
)

MIRROR = os.environ.get("LIGHTINIT_MIRROR", "http://deb.debian.org/debian")
FOLDER = Path(HERE) / "build" / "vm"
DISK_SIZE = "1600M"
BUILD_TIMEOUT_S = 1800.0
# Run as root of the new machine. Nothing is started there: that is what policy-rc.d says.
INSTALL = """set -e
cd /
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
%s
rm -f /usr/sbin/policy-rc.d
"""
# In namespaces of its own, so that all of it ends with the command.
CHROOT = """set -e
mount -t proc none "$1/proc"
mount -t tmpfs none "$1/run"
mount -t tmpfs none "$1/tmp"
for name in null zero full random urandom; do
    touch "$1/dev/$name"; mount --bind "/dev/$name" "$1/dev/$name"
done
[ -z "$3" ] || { touch "$1/tmp/package.deb"; mount --bind "$3" "$1/tmp/package.deb"; }
cat /etc/resolv.conf >"$1/etc/resolv.conf"
chroot "$1" /bin/sh -c "$2"
"""


class Image(NamedTuple):
    """A machine's disk and what its kernel is started with.

    Attributes:
        name: release and stack.
        disk: raw ext4, not to be written to: copy it, or lay an overlay over it.
        kernel: the kernel of that disk.
        initrd: its initial RAM disk.
    """

    name: str
    disk: Path
    kernel: Path
    initrd: Path


def build(name: str, package: Path) -> Image:
    """The image ``name`` (one of NAMES) with ``package`` installed, made now unless it is there.

    Raises:
        AssertionError: a step failed; the message has its last words.
    """
    release, stack = name.split("-")
    cache = FOLDER / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ("lock-" + release)).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _build(release, stack, package, cache)


def _build(release: str, stack: str, package: Path, cache: Path) -> Image:
    base_argv = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        "--include=" + ",".join(PACKAGES),
        "--dpkgopt=force-unsafe-io",
        *["--dpkgopt=path-exclude=" + pattern for pattern in UNNEEDED],
        "--essential-hook=" + NO_INITRAMFS,
        "--customize-hook=" + GET_BUSYBOX,
    ]
    base_key = _key(base_argv, release, MIRROR)
    base = cache / ("base-%s-%s.tar" % (release, base_key))
    wanted = STACKS[stack]
    stack_key = _key(base_key, wanted)
    stacked = cache / ("stack-%s-%s-%s.tar" % (release, stack, stack_key))
    key = _key(
        stack_key, package.read_bytes(), FILES, MASKED, INSTALL, CHROOT, DISK_SIZE, WATCHER, INIT
    )
    image = _image(cache, "%s-%s" % (release, stack), key)
    if image.disk.exists():
        return image
    if not base.exists() and not stacked.exists():
        with _made_whole(base) as new:
            _run(*base_argv, release, str(new), MIRROR)
    with _tree(stacked if stacked.exists() else base) as tree:
        if not stacked.exists():
            with _made_whole(stacked) as new:
                _add_stack(tree, wanted)
                _run("tar", "-C", str(tree), "-cf", str(new), ".")
        with _made_whole(image.disk) as new:
            _fill(tree, package)
            _take_kernel(tree, image)
            _run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-d", str(tree), str(new), DISK_SIZE)
    return image


def _add_stack(tree: Path, stack: Stack) -> None:
    script = [
        "apt-get -q update",
        "apt-get -q -y --no-install-recommends install " + " ".join(stack.packages),
    ]
    _install(tree, script if stack.packages else [])
    _write_files(tree, stack.files)
    _mask(tree, stack.masked)
    _install(tree, ["systemctl enable " + " ".join(stack.units)] if stack.units else [])


def _take_kernel(tree: Path, image: Image) -> None:
    """Put the kernel beside the disk, and an initial RAM disk of our own."""
    (kernel,) = (tree / "boot").glob("vmlinuz-*")
    shutil.copyfile(str(kernel), str(image.kernel))
    folder = tree / "boot/busybox"
    (busybox,) = [path for path in folder.glob("**/bin/busybox") if path.is_file()]
    modules = tree / "lib/modules" / kernel.name[len("vmlinuz-") :]
    image.initrd.write_bytes(make_initrd(modules, busybox.read_bytes()))
    shutil.rmtree(str(folder))


def _image(cache: Path, name: str, key: str) -> Image:
    stem = "%s-%s" % (name, key)
    return Image(
        name, cache / (stem + ".raw"), cache / (stem + ".vmlinuz"), cache / (stem + ".initrd")
    )


def _fill(tree: Path, package: Path) -> None:
    """Install the package, then leave nothing of the machine's own identity behind."""
    _install(
        tree,
        [
            "useradd -m -G adm -s /bin/bash " + WATCHER,
            (
                "apt-get -q -y --no-install-recommends install /tmp/package.deb || { apt-get -q"
                " update; apt-get -q -y --no-install-recommends install /tmp/package.deb; }"
            ),
        ],
        package,
    )
    for path in list((tree / "etc/ssh").glob("ssh_host_*")) + list(
        (tree / "var/lib/apt/lists").glob("*Packages*")
    ):
        path.unlink()
    _write_files(tree, FILES)
    _mask(tree, MASKED)


def _install(tree: Path, lines: Sequence[str], package: object = "") -> None:
    """Run a script's lines as root inside ``tree``; ``package`` is /tmp/package.deb there."""
    if lines:
        _run(
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--ipc",
            "--uts",
            "--propagation",
            "private",
            "sh",
            "-c",
            CHROOT,
            "sh",
            str(tree),
            INSTALL % "\n".join(lines),
            str(package),
        )
        (tree / "etc/resolv.conf").unlink()


def _mask(tree: Path, units: Sequence[str]) -> None:
    for unit in units:
        (tree / "etc/systemd/system" / unit).symlink_to("/dev/null")


def _write_files(tree: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        target = Path(str(tree) + path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


class _made_whole:
    """Gives a path to write to; the file gets its real name, and its predecessors go, only when all
    went well.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = path.with_name(".new-" + path.name)

    def __enter__(self) -> Path:
        return self._new

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is not None:
            if self._new.exists():
                self._new.unlink()
            return
        stem = self._path.name[: self._path.name.rindex("-") + 1]
        for old in self._path.parent.glob(stem + "*"):
            if not old.name.startswith(self._path.stem):
                old.unlink()
        os.replace(str(self._new), str(self._path))


class _tree:
    """A directory with a tarball's content, for the length of a with block."""

    def __init__(self, tarball: Path) -> None:
        self._tarball = tarball

    def __enter__(self) -> Path:
        self._folder = tempfile.mkdtemp(prefix="tree-", dir=str(FOLDER))
        os.chmod(self._folder, 0o755)
        # Devices cannot be made everywhere, and a booted machine makes its own.
        _run("tar", "-C", self._folder, "--exclude=./dev/*", "-xf", str(self._tarball))
        return Path(self._folder)

    def __exit__(self, *problem: object) -> None:
        shutil.rmtree(self._folder)


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _run(*argv: str) -> str:
    ended = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=BUILD_TIMEOUT_S,
    )
    said = ended.stdout.decode("utf-8", "replace")
    assert ended.returncode == 0, "building an image: %s: status %d\n%s" % (
        " ".join(argv[:8]),
        ended.returncode,
        "\n".join(said.splitlines()[-40:]),
    )
    return said
