"""Services are restarted by the init system that runs; nothing waits for lightinit itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List, Sequence

import pytest

from lightinit.host.init.service_control import restart_service
from lightinit.host.system import System
from tests.lib.package_host import PackageHost

NAMES = ["chrony", "chronyd"]
SYSTEMD = {
    "/run/systemd/system/x": "",
    "/usr/lib/systemd/system/chronyd.service": "[Unit]\n",
}
OPENRC = {"/run/openrc/softlevel": "default", "/etc/init.d/chronyd": ""}


def host(root: Path, files: Dict[str, str], tools: Sequence[str], init: str = "") -> PackageHost:
    system = PackageHost(root)
    for name, text in files.items():
        system.write(name, text.encode())
    if init:
        system.write("/proc/1/comm", init.encode() + b"\n")
    for tool in tools:
        system.put(tool)
    return system


def test_systemd_does_not_wait(tmp_path: Path) -> None:
    system = host(tmp_path, SYSTEMD, ["systemctl"])
    assert restart_service(system, NAMES) == ""
    enabled = ["systemctl enable chronyd.service"]
    restarted = ["systemctl restart --no-block chronyd.service"]
    assert system.called == enabled + restarted
    system.link("/etc/systemd/system/multi-user.target.wants/chronyd.service", "/x")
    system.write("/x", b"[Unit]\n")
    assert restart_service(system, NAMES) == ""
    assert restart_service(system, NAMES, start=False) == ""
    assert system.called[2:] == [*restarted, "systemctl try-restart --no-block chronyd.service"]


def test_a_masked_unit_stays_so(tmp_path: Path) -> None:
    system = host(tmp_path, SYSTEMD, ["systemctl"])
    system.link("/etc/systemd/system/chronyd.service", "/dev/null")
    assert "knows no service chrony or chronyd" in restart_service(system, NAMES)
    assert system.called == []


@pytest.mark.parametrize(
    "more, start, called",
    [
        ("/run/openrc/started/chronyd", True, ["rc-service --nodeps chronyd restart"]),
        ("/run/openrc/started/chronyd", False, ["rc-service --nodeps chronyd restart"]),
        ("/run/openrc/rc.starting", True, []),
        ("/etc/x", True, ["rc-service --nodeps chronyd start"]),
        ("/etc/x", False, []),
    ],
)
def test_openrc(tmp_path: Path, more: str, start: bool, called: List[str]) -> None:
    files = dict(OPENRC, **{more: "", "/etc/runlevels/default/chronyd": ""})
    system = host(tmp_path, files, ["rc-service", "rc-update"])
    assert restart_service(system, NAMES, start) == ""
    assert system.called == called
    system.remove("/etc/runlevels/default/chronyd")
    assert restart_service(system, NAMES, start) == ""
    added = ["rc-update add chronyd default"] if start else []
    assert system.called[len(called) :] == added + called


def test_runit(tmp_path: Path) -> None:
    files = {"/var/service/x/run": "", "/etc/sv/chronyd/run": ""}
    system = host(tmp_path, files, ["sv"], "runit")
    assert restart_service(system, NAMES, start=False) == "" and system.called == []
    assert restart_service(system, NAMES) == "", "runsvdir starts it within five seconds"
    assert os.readlink(system.root + "/var/service/chronyd") == "/etc/sv/chronyd"
    system.make_dir("/etc/sv/chronyd/supervise")
    assert restart_service(system, NAMES) == ""
    assert system.called == ["sv restart /var/service/chronyd"]


def test_s6_and_dinit(tmp_path: Path) -> None:
    system = host(tmp_path / "a", {"/run/service/chrony/run": ""}, ["s6-svc"], "s6-svscan")
    assert restart_service(system, NAMES) == ""
    assert system.called == ["s6-svc -ru /run/service/chrony"]
    system = host(tmp_path / "b", {"/etc/dinit.d/chrony": ""}, [], "dinit")
    system.put("dinitctl", 'test "$1" != restart\n')
    assert restart_service(system, NAMES) == ""
    assert system.called == [
        "dinitctl enable chrony",
        "dinitctl restart --no-wait chrony",
        "dinitctl start --no-wait chrony",
    ]


@pytest.mark.parametrize(
    "path, tools, added",
    [
        ("/etc/init.d/chrony", ["update-rc.d"], ["update-rc.d chrony defaults"]),
        ("/etc/init.d/chrony", ["chkconfig"], ["chkconfig chrony on"]),
        ("/etc/rc.d/rc.chronyd", ["update-rc.d"], []),
        ("/etc/init.d/S49chronyd", [], []),
    ],
)
def test_init_scripts(tmp_path: Path, path: str, tools: List[str], added: List[str]) -> None:
    system = host(tmp_path, {}, tools, "init")
    script = '#!/bin/sh\necho "$*" >>%s\n' % (tmp_path / "script")
    system.write(path, script.encode(), 0o644)
    if "rc.d" in path:
        assert restart_service(system, NAMES, start=False) == ""
        assert not (tmp_path / "script").exists(), "a script that may not be executed is off"
    else:
        os.chmod(system.path(path), 0o755)
    assert restart_service(system, NAMES) == ""
    assert (tmp_path / "script").read_text() == "restart\n" and system.called == added


def test_what_fails_is_told(tmp_path: Path) -> None:
    system = host(tmp_path / "a", SYSTEMD, [])
    assert "could not be restarted: command is not there" in restart_service(system, NAMES)
    system.put("systemctl", "echo no bus >&2; exit 1\n")
    assert "said=no bus" in restart_service(system, NAMES)
    system = host(tmp_path / "b", {}, [], "python3")
    assert "no init system is known" in restart_service(system, NAMES)
    assert restart_service(System(str(tmp_path / "c")), NAMES) == ""
