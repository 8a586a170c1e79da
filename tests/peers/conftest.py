"""Other agents against the emulator: only with LIGHTINIT_PEERS=1, as `make peers` sets it; `make
test` passes them over. Those that must be built first need LIGHTINIT_PEERS=all: `make peers-all`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Tuple

import pytest

from tests.lib.netns import Namespace
from tests.peers.guest import Guest
from tests.peers.peer import Prepared, need_tools

WANTED = os.environ.get("LIGHTINIT_PEERS", "")
if WANTED in ("", "0"):
    collect_ignore_glob = ["test_*.py"]
elif WANTED != "all":
    collect_ignore = ["test_azure_init.py", "test_afterburn.py"]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Installs an agent on a release once for all tests: what that adds to the release's root."""
    made: Dict[Tuple[str, str], Path] = {}

    def prepare(agent: str, release: str) -> Path:
        need_tools()
        if (agent, release) not in made:
            folder = tmp_path_factory.mktemp("%s-%s" % (agent, release))
            (folder / "root").mkdir()
            with Namespace() as platform, Guest(release, folder / "root", platform) as guest:
                guest.install_stored(agent)
                subprocess.run(["cp", "-a", str(guest.upper), str(folder / "added")], check=True)
            # Each machine makes its own devices.
            shutil.rmtree(str(folder / "added/dev"))
            made[agent, release] = folder / "added"
        return made[agent, release]

    return prepare
