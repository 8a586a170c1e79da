"""Commands on the live machine: their environment, and what fails. Nothing is changed."""

from __future__ import annotations

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.system import System


def test_a_command_is_run_in_its_own_environment() -> None:
    system = System("/")
    assert system.live and system.tool("sh") is not None and system.tool("no-such-tool") is None
    heard = []
    system.on_command = lambda argv, seconds, status: heard.append((argv[0], status))
    ended = system.run(
        ["/bin/sh", "-c", 'echo "$LC_ALL $PATH"; cat; echo two >&2; exit 3'], stdin=b"in"
    )
    assert ended.stdout == "C /usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin\nin"
    assert (ended.returncode, ended.ok, ended.last_words) == (3, False, "two")
    assert heard == [("/bin/sh", 3)]
    with pytest.raises(ProvisioningError, match="command failed"):
        system.run_checked(["/bin/sh", "-c", "exit 4"])


def test_a_command_that_hangs_or_is_missing_is_an_error() -> None:
    with pytest.raises(ProvisioningError, match="command took too long"):
        System("/").run(["/bin/sh", "-c", "sleep 60"], timeout_s=0.2)
    with pytest.raises(ProvisioningError, match="command cannot be started"):
        System("/").run(["/no/such/tool"])
