"""Which rules of doas are asked about, and in which order (R2)."""

from __future__ import annotations

import os
from typing import Any

from lightinit.host.accounts.as_user import Identity
from lightinit.host.accounts.effect import ask_doas, ask_sudo, doas_orders
from lightinit.host.system import System
from tests.lib.files import put

CONF, FOLDER = "/etc/doas.conf", "/etc/doas.d/"


def test_every_order_in_which_doas_may_read_its_files(tmp_path: Any) -> None:
    system = System(tmp_path)
    assert doas_orders(system) == [(CONF,)]
    for name in ("b.conf", "B.conf", "a.conf.bak", "README", "~.conf"):
        put(tmp_path, FOLDER + name)
    os.mkdir(str(tmp_path / "etc/doas.d/dir.conf"))
    os.symlink("missing", str(tmp_path / "etc/doas.d/gone.conf"))
    folder = (FOLDER + "B.conf", FOLDER + "b.conf", FOLDER + "~.conf")
    assert doas_orders(system) == [(CONF,), folder, (CONF,) + folder]


def test_a_folder_that_is_a_link_is_not_read(tmp_path: Any) -> None:
    put(tmp_path, "/etc/elsewhere/a.conf")
    os.symlink("elsewhere", str(tmp_path / "etc/doas.d"))
    assert doas_orders(System(tmp_path)) == [(CONF,)]


def test_where_nothing_can_be_asked_the_answer_says_so(tmp_path: Any) -> None:
    system = System(tmp_path)
    put(tmp_path, CONF, b"permit bob\n")
    for answer in (
        ask_sudo(system, "bob"),
        ask_doas(system, Identity(os.getuid(), os.getgid(), ()), [CONF]),
    ):
        assert answer.text == "" and "not run in a scratch root" in answer.said
    assert system.list_dir("/run/lightinit") == []
