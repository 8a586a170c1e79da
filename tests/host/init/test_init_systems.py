"""An init system is one file and one line of the table; files decide which services it starts."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightinit.host.init.init_system import Service
from lightinit.host.init.init_systems import INIT_SYSTEMS, is_started
from lightinit.host.system import System
from tests.lib.imports import imports_of
from tests.lib.scratch import HERE

FOLDER = os.path.join(HERE, "lightinit", "host", "init")
FILES = sorted(name[:-3] for name in os.listdir(FOLDER) if name.endswith(".py"))
KINDS = ("openrc", "systemd", "sysvinit")
SERVICE = Service(units=("agent.service",), scripts=("agent",))


def link(root: Any, path: str) -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to("/etc/init.d/agent")


def install_systemd(root: Any, unit: bool = True) -> None:
    folder = root / "usr/lib/systemd"
    (folder / "system").mkdir(parents=True)
    (folder / "systemd").write_text("")
    if unit:
        (folder / "system/agent.service").write_text("[Service]\n")


def test_the_table_names_each_kind_and_no_kind_another() -> None:
    assert sorted(init.starts.__module__.rpartition(".")[2] for init in INIT_SYSTEMS) == list(KINDS)
    assert len({init.name for init in INIT_SYSTEMS}) == len(INIT_SYSTEMS)
    for name in set(KINDS) & set(FILES):
        found = imports_of(os.path.join(FOLDER, name + ".py"))
        assert not {"lightinit.host.init." + kind for kind in KINDS if kind != name} & found


@pytest.mark.parametrize(
    "path, started",
    [
        ("/etc/runlevels/boot/agent", True),
        ("/etc/runlevels/boot/agent2", False),
        ("/etc/rc3.d/S01agent", True),
        ("/etc/rc3.d/K01agent", False),
        ("/etc/rc0.d/S01agent", False),
        ("/etc/init.d/agent", False),
        ("/etc/systemd/system/multi-user.target.wants/agent.service", False),
    ],
)
def test_links_in_runlevels(tmp_path: Any, path: str, started: bool) -> None:
    link(tmp_path, path)
    assert is_started(System(str(tmp_path)), SERVICE) is started


@pytest.mark.parametrize(
    "path, unit, started",
    [
        ("/etc/systemd/system/multi-user.target.wants/agent.service", True, True),
        ("/etc/systemd/system/multi-user.target.wants/agent.service", False, False),
        ("/etc/rc3.d/S01agent", True, False),
        ("/etc/rc3.d/S01agent", False, True),
        ("/etc/runlevels/boot/agent", True, True),
    ],
)
def test_with_systemd_a_unit_hides_the_init_script(
    tmp_path: Any, path: str, unit: bool, started: bool
) -> None:
    install_systemd(tmp_path, unit)
    link(tmp_path, path)
    assert is_started(System(str(tmp_path)), SERVICE) is started


def test_systemd_must_reach_the_unit(tmp_path: Any) -> None:
    install_systemd(tmp_path)
    link(tmp_path, "/etc/systemd/system/agent.target.wants/agent.service")
    system = System(str(tmp_path))
    assert is_started(system, SERVICE)
    assert not is_started(system, SERVICE._replace(is_pulled_in=lambda _system: False))
