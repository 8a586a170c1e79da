"""New versions of configuration files that a tool checks before they are put in place."""

from __future__ import annotations

import threading
from pathlib import Path

from lightinit.host.files.candidate import FOLDER, candidate
from lightinit.host.system import System

NAME = "/etc/ssh/sshd_config"
A_MOMENT_S = 0.1  # the other thread fails at once or never


def test_two_threads_check_a_file_one_after_the_other(tmp_path: Path) -> None:
    """sshd's configuration may be checked ahead, while another version of it is checked."""
    system, is_there = System(str(tmp_path)), threading.Event()
    seen = []

    def check_another() -> None:
        is_there.set()
        with candidate(system, NAME, "second", 0o600) as place:
            seen.append(system.read_text(place))

    other = threading.Thread(target=check_another)
    with candidate(system, NAME, "first", 0o600) as place:
        other.start()
        assert is_there.wait(60)
        other.join(A_MOMENT_S)
        assert system.read_text(place) == "first"
    other.join(60)
    assert seen == ["second"]
    assert system.list_dir(FOLDER) == []
