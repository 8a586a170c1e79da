"""Language, keyboard, trust, name servers, time and logs of a cloud-config, in a whole boot; and
the same keys with every kind of mistake: the VM is Ready, its admin has the account, and each
mistake is told.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.lib.authorities import BROKEN, ONE
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

pytestmark = needs_yaml
LEASE = "search x.internal.cloudapp.net\nnameserver 168.63.129.16\n"
GOOD: Dict[str, Any] = {
    "locale": "de_DE.UTF-8",
    "keyboard": {"layout": "de"},
    "ca_certs": {"trusted": [ONE]},
    "manage_resolv_conf": True,
    "resolv_conf": {"nameservers": ["10.0.0.4"]},
    "ntp": {"servers": ["10.0.0.1"]},
    "rsyslog": {"remotes": {"main": "10.0.0.8"}},
}
MISTAKES: Dict[str, Any] = {
    "locale": ["de_DE.UTF-8"],
    "locale_configfile": "relative",
    "keyboard": "de",
    "ca_certs": {"trusted": [BROKEN, "x"], "remove_defaults": True},
    "manage_resolv_conf": True,
    "resolv_conf": {"nameservers": ["ns.example.org"]},
    "ntp": {"servers": {"a": "b"}, "ntp_client": "sundial"},
    "rsyslog": {"configs": "*.* /x", "remotes": ["10.0.0.8"]},
}
FILES = {
    "/usr/lib/locale/de_DE.utf8/LC_TIME": "",
    "/etc/locale.conf": "LANG=C\n",
    "/etc/default/keyboard": 'XKBLAYOUT="us"\n',
    "/usr/sbin/update-ca-certificates": "",
    "/etc/ca-certificates.conf": "mozilla/A.crt\n",
    "/etc/resolv.conf": LEASE,
    "/usr/sbin/chronyd": "",
    "/etc/chrony.conf": "refclock PHC /dev/ptp_hyperv\n",
    "/usr/sbin/rsyslogd": "",
}


def boot(machine: Machine, platform: Platform, values: Dict[str, Any]) -> str:
    data = b"#cloud-config\n" + json.dumps(values).encode()
    for name, text in FILES.items():
        machine.put(name, text)
    machine.put("/media/ovf-env.xml", make_ovf("azureuser", "web-1", custom_data=data).decode())
    settings = "[azure]\nmedia = /media\nmedia_only_s = 0.2\n"
    machine.lead_to(platform, settings + "[module.custom_data]\nexecute = custom_data\n")
    ended = machine.run("boot")
    assert ended.returncode == 0 and platform.ready_count == 1, ended.stderr
    assert "azureuser:" in machine.read("/etc/passwd")
    return str(ended.stderr)


def test_all_of_them_in_a_boot(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        said = boot(machine, platform, GOOD)
    assert machine.read("/etc/locale.conf") == "LANG=de_DE.UTF-8\n"
    assert 'XKBLAYOUT="de"\n' in machine.read("/etc/default/keyboard")
    (trusted,) = (Path(machine.root) / "usr/local/share/ca-certificates").iterdir()
    assert trusted.read_text() == ONE
    assert "nameserver 10.0.0.4\n" in machine.read("/etc/resolv.conf")
    assert "refclock PHC /dev/ptp_hyperv\n" in machine.read("/etc/chrony.conf")
    assert "server 10.0.0.1 iburst\n" in machine.read("/etc/chrony.conf")
    assert "*.* @10.0.0.8 # main\n" in machine.read("/etc/rsyslog.d/20-cloud-config.conf")
    before, _, after = said.partition("the platform accepted Ready")
    assert "module resolv_conf" in before and "module ntp" in after and "module rsyslog" in after


def test_mistakes_change_nothing_and_are_told(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        said = boot(machine, platform, MISTAKES)
    for name, text in FILES.items():
        assert machine.read(name) == text, name
    assert not machine.exists("/usr/local/share/ca-certificates")
    for key in MISTAKES:
        if key != "manage_resolv_conf":
            assert key in said, key
    assert "none is left, so those of the lease stay" in said
    assert "no certificate is left to trust instead" in said


@pytest.mark.long
@pytest.mark.parametrize("kind", [None, True, 7, "text", [], {}])
def test_any_type_is_survived(tmp_path: Path, kind: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        values = dict.fromkeys((*MISTAKES, "ca-certs", "rsyslog_dir", "rsyslog_filename"), kind)
        boot(machine, platform, values)
    assert machine.read("/etc/resolv.conf") == LEASE
