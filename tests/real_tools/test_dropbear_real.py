"""The login check says what this machine's dropbear does: its verdict for each host of
tests/real_tools/namespaced/dropbear.py, and whether bob gets in by what he has.

Siblings of R8: mkj/dropbear#176.
"""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tests.lib.namespaced import NETWORK, run_scenario
from tests.real_tools.namespaced.dropbear import CASES

pytestmark = pytest.mark.long

TOOLS = ("dropbear", "dropbearkey", "ssh", "ssh-keygen", "setsid", "ip", "useradd", "chpasswd")

# Sure that nobody gets in: a part of the reason.
SHUT = {
    "a home that others may write to": "dropbear cannot use /home/bob: ",
    "a folder that others may write to": "dropbear cannot use /home/bob/.ssh: ",
    "a folder of another": "dropbear cannot use /home/bob/.ssh: ",
    "root's secret": "dropbear cannot use /home/bob/.ssh/authorized_keys: ",
    "no file": "dropbear cannot use /home/bob/.ssh/authorized_keys: ",
    "another key": "its key is not in the file that dropbear reads",
    "a shell that is not listed": "its shell /bin/bash is not in /etc/shells",
    "no passwords, and no key": "dropbear takes no passwords (-s), and no key opens the account",
    "both are wanted, and a key is there": "dropbear wants both a key and a password (-t)",
    "both are wanted, and a password is there": "dropbear wants both a key and a password (-t)",
    "another group": "dropbear lets in members of the group daemon only (-G)",
}
DOUBT = {
    "a file that others may write to": "dropbear cannot use /home/bob/.ssh/authorized_keys: ",
    "a forced command": "dropbear gives no plain shell: -c /bin/false",
}
# Newer versions do not look at the file's own mode.
DEPENDS = ("a file that others may write to",)


def seen_by(scenario: str) -> Dict[str, Any]:
    return run_scenario("dropbear.py", scenario, *TOOLS, namespaces=NETWORK)


def test_the_verdict_is_that_of_dropbear() -> None:
    """R8."""
    seen = seen_by("cases")
    assert set(SHUT) | set(DOUBT) <= set(seen) == set(CASES)
    for name, found in seen.items():
        shut, doubts = found["said"]
        if name not in DEPENDS:
            assert found["in"] == (name not in SHUT and name != "a forced command"), (name, found)
        assert SHUT.get(name, "") in shut and bool(shut) == (name in SHUT), (name, found)
        assert bool(doubts) == (name in DOUBT), (name, found)
        assert DOUBT.get(name, "") in "\n".join(doubts), (name, found)


def test_where_dropbear_listens() -> None:
    """R8: the options count that the init system gives it."""
    seen = seen_by("addresses")
    for name in ("127.0.0.1:22", "a script reads it"):
        assert "no address that others reach: -p 127.0.0.1:22" in seen.pop(name)[0], name
    assert seen.pop("2200") == ["", ["dropbear listens on port 2200, not on 22"]]
    unknown = "dropbear does not start with its options: Invalid option -y"
    assert seen.pop("an option that it does not know") == ["", [unknown]]
    assert len(seen) == 3 and all(said == ["", []] for said in seen.values())


def test_host_keys_that_are_begun_early() -> None:
    seen = seen_by("begun_keys")
    assert seen["said"] == ["3 host keys of dropbear made", []]
    assert seen["starts"] == ["-t ecdsa", "-t ed25519", "-t rsa"], "no other program is started"
    assert seen["keys"] == ["ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa"]
    assert not seen["before"] and seen["left"] == []
