"""Disk images of Debian machines with lightinit's package installed, as they are when an image is
taken of them.

Made in three layers, each kept in build/vm/cache and made again only when its recipe changes: a
release (mmdebstrap), a network stack on it, the built package on that. It takes root, mmdebstrap
and a mirror of Debian; no loop device, no mount outside a private namespace. It knows nothing of
QEMU.
"""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple

from tests.lib.running import MIRROR, fetch, run
from tests.vm.initrd import INIT, MODULES, make_initrd
from tests.vm.layers import (
    AGAIN,
    CHROOT,
    FOLDER,
    INSTALL,
    MadeWhole,
    Tree,
    install,
    make_key,
    write_files,
)
from tests.vm.recipe import (
    COMPARED,
    FILES,
    GET_BUSYBOX,
    LIST_MODULES,
    MASKED,
    NO_INITRAMFS,
    PACKAGES,
    STACKS,
    UNNEEDED,
    WATCHER,
    Stack,
)

DISK_SIZE = "1600M"


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
    """The image ``name`` with ``package`` installed, made now unless it is there.

    Args:
        name: one of NAMES, or a release and one of COMPARED.
        package: lightinit's.

    Raises:
        AssertionError: a step failed; the message has its last words.
    """
    release, stack = name.split("-")
    cache = FOLDER / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ("lock-" + release)).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _build(release, stack, package, cache)


def base(release: str) -> Path:
    """The tarball of a release with PACKAGES, made now unless it is there."""
    cache = FOLDER / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ("lock-" + release)).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _make_base(release, cache)


def boot_files(release: str) -> Tuple[Path, Path]:
    """The kernel of a release, and an initial RAM disk for it, for a root that has neither."""
    cache = FOLDER / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ("lock-" + release)).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        key = make_key(_kernel_argv(), release, MIRROR, INIT, MODULES)
        made = _image(cache, "boot-" + release, key)
        if not made.kernel.exists() or not made.initrd.exists():
            made_of = cache / ("kernel-%s-%s.tar" % (release, key))
            with MadeWhole(made_of) as new:
                fetch(release, *_kernel_argv(), release, str(new), MIRROR)
            with Tree(made_of, ["./boot", "./usr/lib/modules"]) as tree:
                (tree / "lib").symlink_to("usr/lib")
                _take_kernel(tree, made)
            made_of.unlink()
    return made.kernel, made.initrd


def _base_argv() -> List[str]:
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        "--include=" + ",".join(PACKAGES),
        "--dpkgopt=force-unsafe-io",
        *["--dpkgopt=path-exclude=" + pattern for pattern in UNNEEDED],
        "--essential-hook=" + NO_INITRAMFS,
        "--customize-hook=" + GET_BUSYBOX,
    ]


def _kernel_argv() -> List[str]:
    """The kernel and what it needs, unpacked: a fifth of what a base takes."""
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        "--include=linux-image-cloud-amd64,liblzma5",  # which depmod opens
        "--extract-hook=" + LIST_MODULES,
        "--extract-hook=" + GET_BUSYBOX,
    ]


def _make_base(release: str, cache: Path) -> Path:
    made = cache / ("base-%s-%s.tar" % (release, make_key(_base_argv(), release, MIRROR)))
    if not made.exists():
        with MadeWhole(made) as new:
            fetch(release, *_base_argv(), release, str(new), MIRROR)
    return made


def _build(release: str, stack: str, package: Path, cache: Path) -> Image:
    wanted = COMPARED.get(stack) or STACKS[stack]
    stack_key = make_key(make_key(_base_argv(), release, MIRROR), wanted)
    stacked = cache / ("stack-%s-%s-%s.tar" % (release, stack, stack_key))
    parts = (FILES, MASKED, INSTALL, CHROOT, DISK_SIZE, WATCHER, INIT, MODULES)
    key = make_key(stack_key, package.read_bytes(), *parts)
    image = _image(cache, "%s-%s" % (release, stack), key)
    if image.disk.exists():
        return image
    with Tree(stacked if stacked.exists() else _make_base(release, cache)) as tree:
        if not stacked.exists():
            with MadeWhole(stacked) as new:
                _add_stack(tree, wanted)
                run("tar", "-C", str(tree), "-cf", str(new), ".")
        with MadeWhole(image.disk) as new:
            _fill(tree, package)
            _take_kernel(tree, image)
            run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-d", str(tree), str(new), DISK_SIZE)
    return image


def _add_stack(tree: Path, stack: Stack) -> None:
    script = [
        AGAIN + "apt-get -q update",
        AGAIN + "apt-get -q -y --no-install-recommends install " + " ".join(stack.packages),
    ]
    install(tree, script if stack.packages else [])
    write_files(tree, stack.files)
    _mask(tree, stack.masked)
    install(tree, ["systemctl enable " + " ".join(stack.units)] if stack.units else [])


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
    install(
        tree,
        [
            "useradd -m -G adm -s /bin/bash " + WATCHER,
            (
                "apt-get -q -y --no-install-recommends install /tmp/package.deb || { "
                + AGAIN
                + "apt-get -q update; "
                + AGAIN
                + "apt-get -q -y --no-install-recommends install /tmp/package.deb; }"
            ),
        ],
        package,
    )
    for path in list((tree / "etc/ssh").glob("ssh_host_*")) + list(
        (tree / "var/lib/apt/lists").glob("*Packages*")
    ):
        path.unlink()
    write_files(tree, FILES)
    _mask(tree, MASKED)


def _mask(tree: Path, units: Sequence[str]) -> None:
    for unit in units:
        (tree / "etc/systemd/system" / unit).symlink_to("/dev/null")
