"""The disk image of a kind: its root, with lightinit in it as a packager installs it there.

Two layers, kept in build/vm/cache: the root, and the image. The root is made of the one of the
Debian images, or by mmdebstrap, or by tools/build-musl. The kernel is that of a Debian release,
whatever the root is.
"""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

from tests.lib.running import MIRROR, fetch, run
from tests.lib.scratch import HERE
from tests.vm.image import Image, base, boot_files
from tests.vm.kinds.kind import Kind
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
from tests.vm.recipe import RELEASES, UNNEEDED

# Arch's systemd gets no lease in time with the kernel of bookworm on a busy machine.
KERNEL_OF = "trixie"
DISK_SIZE = "900M"
# As a package does it where it is installed.
COMPILE = "python3 -m compileall -q /usr/lib/lightinit/lightinit"


def build(kind: Kind, package: Path) -> Image:
    """The image of a kind, made now unless it is there.

    Args:
        kind: which.
        package: the .deb that was built of this checkout: the image is made again when it changes.

    Raises:
        AssertionError: a step failed; the message has its last words.
    """
    cache = FOLDER / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ("lock-" + kind.name)).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = _make_root(kind, cache)
        key = make_key(root.name, kind, package.read_bytes(), INSTALL, CHROOT, DISK_SIZE, COMPILE)
        disk = cache / ("kind-%s-%s.raw" % (kind.name, key))
        if not disk.exists():
            with Tree(root) as tree, MadeWhole(disk) as new:
                _fill(tree, kind)
                run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-d", str(tree), str(new), DISK_SIZE)
    # Last: another worker may be about to make the release that this is of.
    kernel, initrd = boot_files(KERNEL_OF)
    return Image(kind.name, disk, kernel, initrd)


def _make_root(kind: Kind, cache: Path) -> Path:
    """The tarball of the root without lightinit."""
    if not kind.release:
        return Path(run(str(Path(HERE) / "tools/build-musl")).splitlines()[-1])
    if kind.release in RELEASES:
        return _change_base(kind, cache)
    argv = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        "--include=" + ",".join(kind.packages),
        "--dpkgopt=force-unsafe-io",
        # The archive of an unstable release may be a copy that is some days old.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        *["--dpkgopt=path-exclude=" + pattern for pattern in UNNEEDED],
        kind.release,
    ]
    root = cache / ("root-%s-%s.tar" % (kind.name, make_key(argv, MIRROR)))
    if not root.exists():
        with MadeWhole(root) as new:
            fetch(kind.release, *argv, str(new), MIRROR)
    return root


def _change_base(kind: Kind, cache: Path) -> Path:
    """A root made of the one that the Debian images are made of: cheaper than a new one."""
    made_of = base(kind.release)
    words = [*kind.packages, *(each + "-" for each in kind.without)]
    script = [
        "export SUDO_FORCE_REMOVE=yes",
        AGAIN + "apt-get -q update",
        AGAIN + "apt-get -q -y --no-install-recommends --purge install " + " ".join(words),
        "apt-get -q clean",
        "rm -rf /boot/* /usr/lib/modules/*",
    ]
    root = cache / ("root-%s-%s.tar" % (kind.name, make_key(made_of.name, script, INSTALL)))
    if not root.exists():
        with Tree(made_of) as tree, MadeWhole(root) as new:
            install(tree, script)
            run("tar", "-C", str(tree), "-cf", str(new), ".")
    return root


def _fill(tree: Path, kind: Kind) -> None:
    """Install lightinit, and make the root into that of the kind."""
    for name in ("dev", "proc", "run", "sys", "tmp"):
        (tree / name).mkdir(exist_ok=True)
    with_init = ["--init", kind.init] if kind.init else []
    run(
        sys.executable,
        str(Path(HERE) / "packaging/install"),
        "--destdir",
        str(tree),
        "--package",
        "lightinit",
        *with_init,
    )
    write_files(tree, kind.files)
    links = [
        'mkdir -p "%s" && ln -sfn "%s" "%s"' % (Path(path).parent, target, path)
        for path, target in kind.links.items()
    ]
    install(tree, [COMPILE, *links, *kind.script])
