"""Packages of a cloud-config in a whole boot: after Ready, once."""

from __future__ import annotations

from pathlib import Path

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

pytestmark = needs_yaml
HOME = "/var/lib/lightinit/instance"
DOCUMENT = b"""#cloud-config
packages: [git, --allow-unauthenticated]
apt:
  sources:
    own: {source: 'deb http://user:geheim@m $RELEASE main'}
    bad: {source: 'deb http://m'}
"""


def test_sources_are_written_after_ready_and_mistakes_told(tmp_path: Path) -> None:
    """In a scratch root, no manager runs."""
    machine = Machine(tmp_path)
    machine.put("/etc/apt/sources.list", "")
    machine.put("/etc/os-release", "ID=debian\nVERSION_CODENAME=bookworm\n")
    machine.put("/media/ovf-env.xml", make_ovf("azureuser", "web-1", custom_data=DOCUMENT).decode())
    with Platform() as platform:
        machine.lead_to(platform, "[azure]\nmedia = /media\nmedia_only_s = 0.2\n")
        ended = machine.run("boot")
        assert ended.returncode == 0 and platform.ready_count == 1, ended.stderr
        result = machine.json(HOME + "/result.json")
        names = [step["name"] for step in result["steps"]]
        assert names.index("packages") > names.index("final")
        assert machine.read("/etc/apt/sources.list.d/own.list") == (
            "deb http://user:geheim@m bookworm main\n"
        )
        assert "scratch root: left out: packages" in ended.stderr
        assert result["warnings"] == [
            "cloud-config: custom data: line 2, packages[1]: no package can have this name or"
            " version; such as `- git`",
            "packages: source bad is not written: apt would refuse its line 1; write `deb URL SUITE"
            " COMPONENT`",
        ]
        assert "geheim" not in ended.stderr
        assert "packages" not in machine.run("boot").stderr, "once"
