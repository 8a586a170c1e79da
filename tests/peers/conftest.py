"""Other agents against the emulator: only with LIGHTINIT_PEERS=1, as `make peers` sets it; `make
test` passes them over. Those that must be built first need LIGHTINIT_PEERS=all: `make peers-all`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lib.netns import Namespace
from tests.peers.guest import Guest
from tests.peers.peer import Prepared, need_tools

WANTED = os.environ.get("LIGHTINIT_PEERS", "")
if WANTED in ("", "0"):
    collect_ignore_glob = ["test_*.py"]
elif WANTED != "all":
    collect_ignore = ["test_azure_init.py", "test_afterburn.py"]


def install(agent: str, release: str, folder: Path) -> None:
    """Put into ``folder/added`` what an agent's installation adds to a release's root."""
    shutil.rmtree(str(folder), ignore_errors=True)
    (folder / "root").mkdir(parents=True)
    with Namespace() as platform, Guest(release, folder / "root", platform) as guest:
        guest.install_stored(agent)
        subprocess.run(["cp", "-a", str(guest.upper), str(folder / "new")], check=True)
    # Each machine makes its own devices.
    shutil.rmtree(str(folder / "new/dev"))
    (folder / "new").rename(folder / "added")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Installs an agent on a release once for all tests, of all workers: what that adds to the
    release's root.
    """
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent

    def prepare(agent: str, release: str) -> Path:
        need_tools()
        folder = shared / ("%s-%s" % (agent, release))
        with open(str(folder) + ".lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "added").exists():
                install(agent, release, folder)
        return folder / "added"

    return prepare
