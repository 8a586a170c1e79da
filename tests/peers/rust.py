"""Agents in Rust, which Debian does not have: tools/build-peers builds them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.lib.scratch import HERE
from tests.peers.peer import Peer, open_peer


def open_built(agent: str, release: str, folder: Path, scenario: str, log: str) -> Peer:
    """One of them on a machine of its own, with the admin's key in IMDS.

    Args:
        agent: the program's name.
        release: of Debian.
        folder: an empty directory.
        scenario: what the emulator plays, by name or file.
        log: the agent's log: what it prints goes there.
    """
    built = subprocess.run(
        [str(Path(HERE) / "tools" / "build-peers")], check=True, stdout=subprocess.PIPE
    )
    program = Path(built.stdout.decode().strip()) / agent
    return open_peer(program, release, folder, scenario, "imds", log)
