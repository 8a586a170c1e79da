"""What `lightinit clean --user` takes for a user's own by its name alone: mail, crontabs and the
like.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.lib.provisioned import clean, provisioned

SPOOL = "/var/spool/cron"


@pytest.mark.parametrize("name", ["crontabs", "tabs"])
def test_a_spool_that_is_called_as_a_user_stays(tmp_path: Any, name: str) -> None:
    machine = provisioned(tmp_path, name)
    stay = ["%s/%s/bob" % (SPOOL, name), "/var/lib/systemd/linger/%s/x" % name, "/etc/crontabs/bob"]
    for path in stay + ["%s/%s/%s" % (SPOOL, name, name)]:
        machine.put(path, "x")
    assert clean(machine, "--user")[
        0
    ] == "removed the user %s, /home/%s, /var/mail/%s, %s/%s/%s, its rights" % (
        name,
        name,
        name,
        SPOOL,
        name,
        name,
    )
    assert all(machine.exists(path) for path in stay)


def test_a_spool_that_is_a_link_to_the_real_one_stays(tmp_path: Any) -> None:
    machine = provisioned(tmp_path, "crontabs")
    machine.put("/etc/crontabs/root", "x")
    os.makedirs(machine.root + SPOOL)
    os.symlink("../../../etc/crontabs", machine.root + SPOOL + "/crontabs")
    os.symlink("/nowhere", machine.root + "/etc/crontabs/crontabs")
    assert SPOOL + "/crontabs/crontabs, " in clean(machine, "--user")[0]
    assert machine.exists(SPOOL + "/crontabs") and os.listdir(machine.root + "/etc/crontabs") == [
        "root"
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed: files change owners")
@pytest.mark.parametrize("owner, goes", [(1000, True), (8, False), (0, False)])
def test_a_maildir_goes_if_it_is_the_users(tmp_path: Any, owner: int, goes: bool) -> None:
    machine = provisioned(tmp_path, "alice")
    os.unlink(machine.root + "/var/mail/alice")
    machine.put("/var/mail/alice/new/1", "x")
    os.makedirs(machine.root + "/var/spool")
    os.symlink("../mail", machine.root + "/var/spool/mail")
    os.chown(machine.root + "/var/mail/alice", owner, 8)
    lines = clean(machine, "--user")
    assert machine.exists("/var/mail/alice") == (not goes)
    assert [line for line in lines if line.startswith("note")] == (
        [] if goes else ["note: /var/mail/alice stays: it is a folder of the user id %d" % owner]
    )
    assert (
        "removed the user alice, /home/alice, %sits rights" % ("/var/mail/alice, " if goes else "")
        in lines
    )
