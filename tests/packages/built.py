"""Packages of both families, built for tests: those of this tree, and older ones to upgrade
from.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import List

import pytest

from tests.lib.netns import find_tool
from tests.lib.running import run
from tests.lib.scratch import HERE

OLDER = "0.0.9"
# The last commit with all files of a floor in one folder, such as lightinit/host/accounts.py, which
# is a folder today.
FLAT_LAYOUT = "ea5041b95f9a1f3c57f9b0b10cd37e743abdffa5"
# Where the older version had a module, and a directory, that the newer has no more.
GONE = ("/usr/lib/lightinit/lightinit/modules/gone.py", "/usr/lib/lightinit/lightinit/gone")


def need(*tools: str) -> None:
    """Skip the test, saying why, unless this is root and the ``tools`` are there. In CI (CI=true)
    it fails instead.
    """
    reasons = (["root is needed for roots of distributions"] if os.geteuid() else []) + [
        "not installed here: %s" % name for name in tools if find_tool(name) is None
    ]
    if reasons and os.environ.get("CI") == "true":
        pytest.fail("in CI nothing is skipped: " + "; ".join(reasons))
    if reasons:
        pytest.skip("; ".join(reasons))


class Built:
    """One version, built from a copy of this tree.

    Args:
        folder: an empty directory.
        older: whether it is the older version: the tree of ``FLAT_LAYOUT`` (of this commit where
            the clone is too shallow to have it), with other settings and with files that are gone
            since.
        lint: whether the linters look at what was built.

    Attributes:
        source: the copy of the tree.
        debs: the Debian packages; the agent's first.
        rpms: the RPM packages; the agent's first.
        said: what the builds printed; their linters too.
    """

    def __init__(self, folder: Path, older: bool = False, lint: bool = True) -> None:
        self.source = folder / "source"
        tree = older_tree(folder / "flat") if older else HERE
        run(HERE + "/packaging/copy-source", tree, str(self.source), *([OLDER] if older else []))
        if older:
            with (self.source / "etc/lightinit.conf").open("a", encoding="utf-8") as settings:
                settings.write("# of the older version\n")
            (self.source / "lightinit/gone").mkdir()
            for name in ("modules/gone.py", "lightinit/gone/__init__.py"):
                (self.source / name).write_text('"""Gone since."""\n', encoding="utf-8")
        self.said = self._build(folder, lint)
        self.debs = self._find(folder, "lightinit_*.deb", "lightinit-emulator_*.deb")
        self.rpms = self._find(folder, "lightinit-[0-9]*.rpm", "lightinit-emulator-*.rpm")

    def _build(self, folder: Path, lint: bool) -> str:
        said = ""
        for family, linter in (("deb", "lintian"), ("rpm", "rpmlint")):
            said += run(
                "%s/packaging/build-%s" % (self.source, family),
                "--output",
                str(folder),
                *([] if lint else ["--no-" + linter]),
            )
        return said

    @staticmethod
    def _find(folder: Path, *patterns: str) -> List[Path]:
        found = []
        for pattern in patterns:
            (one,) = folder.glob(pattern)
            found.append(one)
        return found


def older_tree(folder: Path) -> str:
    """The sources of ``FLAT_LAYOUT``, or this tree where its history is not there."""
    git = ["git", "-c", "safe.directory=*", "-C", HERE]
    archive = subprocess.run(
        git + ["archive", FLAT_LAYOUT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    if archive.returncode != 0:
        return HERE
    folder.mkdir()
    subprocess.run(["tar", "-xf", "-", "-C", str(folder)], input=archive.stdout, check=True)
    return str(folder)


def unpack(package: Path, folder: Path) -> Path:
    """Unpack a package's files, without its scripts, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    if package.suffix == ".deb":
        run("dpkg-deb", "-x", str(package), str(folder))
    else:
        shutil.copy(str(package), str(folder / ".rpm"))
        run("sh", "-c", 'cd "$1" && rpm2cpio .rpm | cpio --quiet -id && rm .rpm', "sh", str(folder))
    return folder
