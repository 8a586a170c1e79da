"""Other agents against the emulator: only with LIGHTINIT_PEERS=1, as `make peers` sets it; `make
test` passes them over. Those that must be built first need LIGHTINIT_PEERS=all: `make peers-all`.
"""

from __future__ import annotations

import os

WANTED = os.environ.get("LIGHTINIT_PEERS", "")
if WANTED in ("", "0"):
    collect_ignore_glob = ["test_*.py"]
elif WANTED != "all":
    collect_ignore = ["test_azure_init.py", "test_afterburn.py"]
