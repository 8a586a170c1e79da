"""A host with busybox's tools for accounts and dropbear: the modules, then a login by key and by
password through this machine's dropbear.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.lib.busybox import find_busybox
from tests.lib.namespaced import NETWORK, run_scenario

pytestmark = pytest.mark.long
TOOLS = ("dropbear", "dropbearkey", "ssh", "ssh-keygen", "ssh-keyscan", "setsid", "ip", "perl")


def test_accounts_keys_and_a_login(tmp_path: Any) -> None:
    box, kind = find_busybox(tmp_path)
    seen = run_scenario("busybox_host.py", "whole", *TOOLS, box=box, namespaces=NETWORK)
    keys = seen["keys"]
    assert (keys["message"], keys["warnings"]) == ("3 host keys of dropbear made", [])
    # Buildroot's link to what a restart empties is a folder now.
    assert not keys["link"]
    assert keys["files"] == ["dropbear_%s_host_key" % kind for kind in ("ecdsa", "ed25519", "rsa")]
    assert len(keys["told"]) == 3 and seen["offered"] == keys["told"]
    ((name, _, uid, gid, _, home, shell),) = seen["passwd"]
    assert (name, home, shell) == ("bob", "/home/bob", "/bin/sh") and int(uid) >= 1000
    groups = {fields[0]: fields for fields in seen["group"]}
    assert groups["bob"][2] == gid and "bob" in groups["adm"][3].split(",")
    assert seen["shadow"] == ["$6$", True]
    assert seen["said"] == ["", ["dropbear listens on port 2222, not on 22"]]
    assert (seen["by key"], seen["by password"]) == ("bob", "bob")
    assert seen["said with -s"][0].startswith("dropbear takes no passwords (-s)")
    # Without /etc/gshadow the real one removes it and fails: then the caller edits the files.
    assert seen["left"] == [] and seen["removed by"] in ("deluser", None), kind
