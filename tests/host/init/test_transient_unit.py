"""Commands as transient units: only where systemd runs and has systemd-run."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from lightinit.host.init.transient_unit import find_systemd_run, unit_command
from lightinit.host.system import System


class WithTool(System):
    """A scratch root on which systemd-run seems to be."""

    def tool(self, name: str) -> Optional[str]:
        return {"systemd-run": "/usr/bin/systemd-run"}.get(name)


@pytest.mark.parametrize("runs", [True, False])
def test_systemd_has_to_run(tmp_path: Any, runs: bool) -> None:
    if runs:
        (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert find_systemd_run(System(str(tmp_path))) is None, "there is no systemd-run"
    found = find_systemd_run(WithTool(str(tmp_path)))
    assert found == ("/usr/bin/systemd-run" if runs else None)


def test_the_command() -> None:
    assert unit_command("/bin/systemd-run", ["a", "-b"], "What it does", ["--no-block"]) == [
        "/bin/systemd-run",
        "--quiet",
        "--collect",
        "--no-block",
        "--description=What it does",
        "--",
        "a",
        "-b",
    ]
