"""The accounts of a ``#cloud-config`` in whole boots."""

from __future__ import annotations

from pathlib import Path

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.emulated.boots import lead, put, ready
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

pytestmark = needs_yaml
KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEjYgnKZG2uJTdsHHCdwBBGKVtdGxs2dXQ7vtLFoJ5tQ more@example"
)
DOCUMENT = """#cloud-config
groups: [{crew: [ada, azureuser]}]
users:
- name: ada
  uid: 0
  sudo: ALL=(ALL) NOPASSWD:ALL
  lock_passwd: false
  hashed_passwd: not-a-hash
  plain_text_passwd: Secret-of-Ada
  ssh_authorized_keys: ['%s']
- name: root
  ssh_authorized_keys: ['%s']
- name: "-x"
chpasswd: {users: [{name: ada, password: Secret-of-Ada, type: text}], list: ["x:Secret-of-Ada"]}
""" % (KEY, KEY)


def test_accounts_are_made_once_and_the_admin_in_any_case(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.put("/root/.profile", "")
    with Platform() as platform:
        put(machine, make_ovf("azureuser", "web-1", custom_data=DOCUMENT.encode()))
        lead(machine, platform)
        ended = machine.run("boot")
        ready(
            machine,
            platform,
            ended,
            "line 8, users[0].hashed_passwd: it is no hash",
            "line 13, users[2].name: no account can have this name",
            "chpasswd.list: the key is deprecated",
            "there is no account x for a password",
            "`users` has no `default`; azureuser is made all the same",
            "the user id 0 is in use, so ada gets another one",
        )
        passwd = machine.read("/etc/passwd")
        assert [line.split(":")[0] for line in passwd.splitlines()[-2:]] == ["azureuser", "ada"]
        assert "crew:x:1000:ada,azureuser\n" in machine.read("/etc/group")
        for home in ("/home/ada", "/root"):
            assert machine.read(home + "/.ssh/authorized_keys") == KEY + "\n"
        assert KEY not in machine.read("/home/azureuser/.ssh/authorized_keys")
        rules = machine.read("/etc/sudoers.d/zz-lightinit-cloud-config")
        assert rules.endswith("\nada ALL=(ALL) NOPASSWD:ALL\n")
        for name in ("log/lightinit.log", "lib/lightinit/instance/result.json"):
            assert "Secret-of-Ada" not in machine.read("/var/" + name) + ended.stderr
        # Who removes an account has it removed.
        gone = passwd.replace(passwd.splitlines(True)[-1], "")
        machine.put("/etc/passwd", gone)
        assert machine.run("boot").returncode == 0
        assert machine.read("/etc/passwd") == gone and platform.ready_count == 1
