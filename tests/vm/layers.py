"""What images are made of, layer by layer: trees of files, tarballs of them, and commands that run
inside a tree as on the machine that it becomes.

It takes root; no loop device, no mount outside a private namespace. It knows nothing of QEMU.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Mapping, Sequence

from tests.lib.running import TRY_AGAIN, run
from tests.lib.scratch import HERE

FOLDER = Path(HERE) / "build" / "vm"
# Run as root of the new machine. Nothing is started there: that is what policy-rc.d says.
INSTALL = """set -e
cd /
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
%s
rm -f /usr/sbin/policy-rc.d
"""
AGAIN = "/tmp/try-again "
# In namespaces of its own, so that all of it ends with the command.
CHROOT = """set -e
mount -t proc none "$1/proc"
mount -t tmpfs none "$1/run"
mount -t tmpfs none "$1/tmp"
for name in null zero full random urandom; do
    touch "$1/dev/$name"; mount --bind "/dev/$name" "$1/dev/$name"
done
[ -z "$3" ] || { touch "$1/tmp/package.deb"; mount --bind "$3" "$1/tmp/package.deb"; }
cp "$4" "$1/tmp/try-again"
cat /etc/resolv.conf >"$1/etc/resolv.conf"
chroot "$1" /bin/sh -c "$2"
"""


def install(tree: Path, lines: Sequence[str], package: object = "") -> None:
    """Run a script's lines as root inside ``tree``; ``package`` is /tmp/package.deb there, and
    tools/try-again is AGAIN, for what downloads.
    """
    if lines:
        run(
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
            TRY_AGAIN,
        )
        (tree / "etc/resolv.conf").unlink()


def write_files(tree: Path, files: Mapping[str, str]) -> None:
    """Write files (path -> text) into ``tree``; those that begin with #! are programs."""
    for path, text in files.items():
        target = Path(str(tree) + path)
        target.parent.mkdir(parents=True, exist_ok=True)
        # An absolute link in the tree would lead out of it.
        assert str(target.parent.resolve()).startswith(str(tree.resolve())), path
        target.write_text(text)
        target.chmod(0o755 if text.startswith("#!") else 0o644)


class MadeWhole:
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


class Tree:
    """A directory with a tarball's content, for the length of a with block.

    Args:
        tarball: where it comes from.
        members: all that is taken from it; nothing for everything.
    """

    def __init__(self, tarball: Path, members: Sequence[str] = ()) -> None:
        self._tarball = tarball
        self._members = members

    def __enter__(self) -> Path:
        self._folder = tempfile.mkdtemp(prefix="tree-", dir=str(FOLDER))
        os.chmod(self._folder, 0o755)
        # Devices cannot be made everywhere, and a booted machine makes its own.
        run(
            "tar",
            "-C",
            self._folder,
            "--exclude=./dev/*",
            "-xf",
            str(self._tarball),
            *self._members,
        )
        return Path(self._folder)

    def __exit__(self, *problem: object) -> None:
        shutil.rmtree(self._folder)


def make_key(*parts: object) -> str:
    """A short word that is another one if any part is."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
