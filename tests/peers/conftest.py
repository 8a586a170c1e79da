"""Other agents against the emulator: only with LIGHTINIT_PEERS=1, as `make peers` sets it; `make
test` passes them over.
"""

from __future__ import annotations

import os

if os.environ.get("LIGHTINIT_PEERS", "") in ("", "0"):
    collect_ignore_glob = ["test_*.py"]
