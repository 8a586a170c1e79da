"""Other agents: told by the files that their packages lay down and that enabling them adds."""

from __future__ import annotations

import os
from typing import Any, List

import pytest

from lightinit.host.init.agents import other_agents
from lightinit.host.system import System

UNITS = "/lib/systemd/system/"
WANTS = "/etc/systemd/system/multi-user.target.wants/"
CLOUD_WANTS = "/etc/systemd/system/cloud-init.target.wants/"
CLOUD_UNITS = (
    "cloud-init-local.service",
    "cloud-init.service",
    "cloud-config.service",
    "cloud-final.service",
)


class Disk:
    """A scratch root into which packages are unpacked."""

    def __init__(self, root: Any, systemd: bool = True) -> None:
        self.root = str(root)
        if systemd:
            os.makedirs(self.root + "/usr/lib/systemd/system")
            os.symlink("usr/lib", self.root + "/lib")
            self.put("/usr/lib/systemd/systemd", 0o755)

    def put(self, name: str, mode: int = 0o644, text: str = "x\n") -> None:
        os.makedirs(os.path.dirname(self.root + name), exist_ok=True)
        with open(self.root + name, "w", encoding="utf-8") as handle:
            handle.write(text)
        os.chmod(self.root + name, mode)

    def link(self, name: str, target: str) -> None:
        os.makedirs(os.path.dirname(self.root + name), exist_ok=True)
        if os.path.lexists(self.root + name):
            os.unlink(self.root + name)
        os.symlink(target, self.root + name)

    def remove(self, name: str) -> None:
        os.unlink(self.root + name)

    def install_cloud_init(self) -> None:
        """As Debian 12's package 22.4.2 does, its postinst included."""
        self.put("/usr/bin/cloud-init", 0o755)
        self.put("/lib/systemd/system-generators/cloud-init-generator", 0o755)
        self.put(UNITS + "cloud-init.target")
        for unit in CLOUD_UNITS:
            self.put(UNITS + unit)
            self.link(CLOUD_WANTS + unit, UNITS + unit)
            self.put("/etc/init.d/" + unit[:-8], 0o755)
            self.link("/etc/rc2.d/S01" + unit[:-8], "../init.d/" + unit[:-8])

    def install_waagent(
        self, conf: str = "Provisioning.Agent=auto\n", unit: str = "walinuxagent"
    ) -> None:
        """As Debian 12's package 2.7.3 does, its postinst included."""
        self.put("/usr/sbin/waagent", 0o755)
        self.put("/etc/waagent.conf", text=conf)
        self.put(UNITS + unit + ".service")
        self.link(WANTS + unit + ".service", UNITS + unit + ".service")
        self.put("/etc/init.d/" + unit, 0o755)
        self.link("/etc/rc2.d/S01" + unit, "../init.d/" + unit)

    @property
    def agents(self) -> List[str]:
        return other_agents(System(self.root))


def test_nothing_is_there(tmp_path: Any) -> None:
    assert Disk(tmp_path).agents == []


def test_all_of_them(tmp_path: Any) -> None:
    disk = Disk(tmp_path)
    disk.install_cloud_init()
    disk.install_waagent()
    disk.put("/var/lib/azure-init/azure-init", 0o755)
    disk.put(UNITS + "azure-init.service")
    assert disk.agents == ["cloud-init", "walinuxagent"]
    disk.link(WANTS + "azure-init.service", UNITS + "azure-init.service")
    assert disk.agents == ["cloud-init", "walinuxagent", "azure-init"]


def test_removed_but_not_purged(tmp_path: Any) -> None:
    """What is left after `apt-get remove`: configuration, init scripts, links of enabling."""
    disk = Disk(tmp_path)
    disk.install_cloud_init()
    disk.install_waagent()
    disk.remove("/usr/bin/cloud-init")
    disk.remove("/usr/sbin/waagent")
    assert disk.agents == []


@pytest.mark.parametrize(
    "files, cmdline, active",
    [
        ([], "quiet cloud-init=disabled", False),
        ([], "quiet cloud-init=disabledx", True),
        (["cloud-init.disabled"], "", False),
        (["cloud-init.disabled"], "cloud-init=enabled quiet", True),
        (["cloud-init.disabled", "cloud-init.enabled"], "", True),
    ],
)
def test_cloud_init_switched_off(
    tmp_path: Any, files: List[str], cmdline: str, active: bool
) -> None:
    disk = Disk(tmp_path)
    disk.install_cloud_init()
    disk.put("/proc/cmdline", text="root=/dev/sda1 %s\n" % cmdline)
    for name in files:
        disk.put("/etc/cloud/" + name, text="")
    assert disk.agents == (["cloud-init"] if active else [])


def test_cloud_init_disabled_unit_by_unit(tmp_path: Any) -> None:
    disk = Disk(tmp_path)
    disk.install_cloud_init()
    for unit in CLOUD_UNITS[:-1]:
        disk.remove(CLOUD_WANTS + unit)
    assert disk.agents == ["cloud-init"], "one of them still starts"
    disk.remove(CLOUD_WANTS + CLOUD_UNITS[-1])
    assert disk.agents == [], (
        "systemd passes over the init scripts, since it has units of their names"
    )


def test_cloud_init_masked(tmp_path: Any) -> None:
    disk = Disk(tmp_path)
    disk.install_cloud_init()
    for unit in CLOUD_UNITS:
        assert disk.agents == ["cloud-init"]
        disk.link("/etc/systemd/system/" + unit, "/dev/null")
    assert disk.agents == []


@pytest.mark.parametrize(
    "name", ["system/cloud-init.target", "system-generators/cloud-init-generator"]
)
def test_cloud_inits_target_or_generator_masked(tmp_path: Any, name: str) -> None:
    disk = Disk(tmp_path)
    disk.install_cloud_init()
    disk.link("/etc/systemd/" + name, "/dev/null")
    assert disk.agents == []


def test_cloud_init_without_its_generator(tmp_path: Any) -> None:
    disk = Disk(tmp_path)
    disk.install_cloud_init()
    disk.remove("/lib/systemd/system-generators/cloud-init-generator")
    assert disk.agents == []
    disk.link(WANTS + "cloud-init.target", UNITS + "cloud-init.target")
    assert disk.agents == ["cloud-init"]


@pytest.mark.parametrize(
    "conf, active",
    [
        ("Provisioning.Agent=auto\n", True),
        ("Provisioning.Agent=waagent\n", True),
        ("Provisioning.Agent=cloud-init\n", True),
        ("Provisioning.Agent = disabled  # lightinit does it\n", False),
        ('Provisioning.Agent="Disabled"\n', False),
        ("Provisioning.Agent=auto\nProvisioning.Agent=disabled\n", False),
        ("#Provisioning.Agent=disabled\n", True),
        ("Provisioning.Enabled=n\n", False),
        ("Provisioning.Enabled=n\nProvisioning.Agent=auto\n", True),
        ("Provisioning.Enabled=y\n", True),
        ("", True),
    ],
)
def test_waagents_provisioning_switched_off(tmp_path: Any, conf: str, active: bool) -> None:
    disk = Disk(tmp_path)
    disk.install_waagent(conf)
    assert disk.agents == (["walinuxagent"] if active else [])


@pytest.mark.parametrize("unit", ["walinuxagent", "waagent"])
def test_waagent_disabled(tmp_path: Any, unit: str) -> None:
    disk = Disk(tmp_path)
    disk.install_waagent(unit=unit)
    assert disk.agents == ["walinuxagent"]
    disk.remove(WANTS + unit + ".service")
    assert disk.agents == []


def test_init_scripts_where_there_is_no_systemd(tmp_path: Any) -> None:
    disk = Disk(tmp_path, systemd=False)
    disk.install_cloud_init()
    disk.install_waagent()
    assert disk.agents == ["cloud-init", "walinuxagent"]
    disk.remove("/etc/rc2.d/S01walinuxagent")
    disk.link("/etc/rc2.d/K01walinuxagent", "../init.d/walinuxagent")
    assert disk.agents == ["cloud-init"]


def test_openrc(tmp_path: Any) -> None:
    disk = Disk(tmp_path, systemd=False)
    disk.put("/usr/bin/cloud-init", 0o755)
    disk.put("/etc/init.d/cloud-init", 0o755)
    assert disk.agents == []
    disk.link("/etc/runlevels/default/cloud-init", "/etc/init.d/cloud-init")
    assert disk.agents == ["cloud-init"]


def test_a_program_that_cannot_be_run_is_none(tmp_path: Any) -> None:
    disk = Disk(tmp_path)
    disk.install_waagent()
    os.chmod(disk.root + "/usr/sbin/waagent", 0o644)
    assert disk.agents == []
