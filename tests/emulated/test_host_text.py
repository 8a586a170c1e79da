"""Whatever bytes the host's own files hold: the admin gets his account and key, and the platform
hears Ready. Each file gets lines that are nothing, among those that are right.
"""

from __future__ import annotations

import os
from typing import Any, Dict

import pytest

from lightinit.emulator import Platform
from tests.emulated.boots import reported
from tests.lib.scratch import FILES, Machine

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
INSTANCE: Dict[str, Any] = {
    "compute": {
        "name": "web-1",
        "osProfile": {"computerName": "web-1", "adminUsername": "alice"},
        "publicKeys": [{"keyData": KEY, "path": "/home/alice/.ssh/authorized_keys"}],
    }
}
JUNK: Dict[str, bytes] = {
    "superscript": "bad:x:\u00b2:\u00b2::/:/bin/sh\nbad2:*:\u00b2:0:\u00b2:7:::\n".encode(),
    "huge": b"bad:x:" + b"9" * 5000 + b":99999999999999999999::/:/bin/sh\nUID_MIN " + b"9" * 5000,
    "nul": b"bad\0:x\0:1\0:1\0::/\0:/\0\nUMASK \0\nHOME=/\0\nInclude \0*\nSKEL=/\0\n",
    "latin-1": b"m\xfcller:x:70:70:M\xfcller:/home/m\xfcller:/bin/sh\n127.0.0.9 m\xfcller\n",
    "bytes": bytes(range(256)) * 4 + b"\n",
    "line ends": b"\r\rbad:x:1\x0b:1\x0c:\x85:\x1c/:\xe2\x80\xa8\r\n\r\n",
    "minus": b"bad:x:-1:-1::/:\n-::\nUID_MIN -1\nUMASK -9\nUMASK 0x\nbad 1 2 3 4 5 6 7 8\n",
    "no newline": b":" * 300 + b"=" * 300,
}
PLACES = (
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/fstab",
    "/etc/login.defs",
    "/etc/default/useradd",
    "/etc/shells",
    "/etc/ssh/sshd_config",
    "/etc/conf.d/hostname",
    "/etc/sysconfig/network",
    "/proc/uptime",
    "/proc/stat",
    "/proc/cmdline",
    "/proc/net/route",
    "/proc/swaps",
    "/proc/self/mountinfo",
    "/run/sshd.pid",
    "/var/lib/dhcp/dhclient.eth1.leases",
    "/run/systemd/netif/leases/7",
    "/run/lightinit/leases/eth9.udhcpc",
    "/etc/waagent.conf",
    "/etc/passwd.lock",
)


@pytest.mark.parametrize("junk", sorted(JUNK))
def test_stray_bytes_in_every_file_of_the_host(tmp_path: Any, junk: str) -> None:
    """N4: a superscript as a gid in /etc/group, and its kind."""
    machine = Machine(tmp_path)
    for place in PLACES:
        path = machine.root + place
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "ab") as handle:
            handle.write(JUNK[junk] + (b"" if JUNK[junk].endswith(b"\n") else b"\n"))
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert "Traceback" not in ended.stderr and "unexpected error" not in ended.stderr
        assert (ended.returncode, reported(platform)) == (0, ["Ready"]), ended.stderr
    with open(machine.root + "/home/alice/.ssh/authorized_keys", encoding="utf-8") as keys:
        assert KEY in keys.read()
    for place in ("/etc/passwd", "/etc/group", "/etc/hosts"):
        with open(machine.root + place, "rb") as handle:
            text = handle.read()
        for line in JUNK[junk].split(b"\n"):
            assert line in text, "the host's own bytes stay: %s" % place
        assert FILES[place].split("\n")[0].encode() in text


FORMS: Dict[str, Any] = {
    "byte-order mark": lambda data: b"\xef\xbb\xbf" + data,
    "CR LF": lambda data: data.replace(b"\n", b"\r\n"),
    "no final newline": lambda data: data.rstrip(b"\n"),
    "10 MB line": lambda data: b"# " + b"x" * 10000000 + b"\n" + data,
    "NUL": lambda data: data + b"\0" * 4096,
    "UTF-16": lambda data: data + "bob:x:2:\n".encode("utf-16"),
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_odd_forms_of_whole_files(tmp_path: Any, form: str) -> None:
    """N4: the files that the account is in."""
    machine = Machine(tmp_path)
    for place in ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/hosts", "/etc/hostname"):
        with open(machine.root + place, "rb+") as handle:
            data = FORMS[form](handle.read())
            handle.seek(0)
            handle.truncate()
            handle.write(data)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert (ended.returncode, reported(platform)) == (0, ["Ready"]), ended.stderr
    with open(machine.root + "/home/alice/.ssh/authorized_keys", encoding="utf-8") as keys:
        assert KEY in keys.read()
    for place, start in (("/etc/passwd", b"alice:x:"), ("/etc/shadow", b"alice:*:")):
        with open(machine.root + place, "rb") as handle:
            assert b"\n" + start in handle.read(), place
