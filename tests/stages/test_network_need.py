"""The network of a datasource that needs none: who asks for it, and what is waited for."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from lightinit.datasources.base import Datasource
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.modules import packages, phone_home, scripts
from lightinit.package_sources.apt import AptFiles
from lightinit.user_data.parts import collect
from lightinit.user_data.pieces import LIMIT_S
from tests.lib.context import make_context
from tests.lib.package_host import PackageHost
from tests.lib.scratch import ScriptedClock
from tests.lib.stand_in import LiveRoot

NOW = "/etc/lightinit/conf.d/10-now.conf"


class Local(Datasource):
    """It needs no network."""

    NEEDS_NETWORK = False


@pytest.mark.parametrize(
    ("is_live", "needs_network", "waits"),
    [(True, False, 1), (True, True, 0), (False, False, 0)],
)
def test_it_is_waited_for_once_where_nobody_has(
    tmp_path: Path, is_live: bool, needs_network: bool, waits: int
) -> None:
    system = LiveRoot(tmp_path) if is_live else System(str(tmp_path))
    system.write(NOW, b"[network]\nlease_timeout_s = 0\n")
    context = make_context(system)
    context.datasource = Local(system, {})
    context.datasource.NEEDS_NETWORK = needs_network
    for what in ("packages", "phone_home"):
        context.system.need_network(what)
    names = [each["name"] for each in context.timeline.entries if each["kind"] == "wait"]
    assert names == ["network"] * waits


class Asked:
    """What asks for the network."""

    def __init__(self, system: System, takes_s: float = 0.0) -> None:
        self.told: List[str] = []
        self._clock, self._takes_s = system.clock, takes_s
        system.on_network_need = self.note

    def note(self, what: str) -> None:
        self.told.append(what)
        if self._takes_s:
            self._clock.sleep(self._takes_s)


def run_scripts(system: System, text: str = "#!/bin/sh\ntrue\n") -> None:
    user_data = base64.b64encode(text.encode()).decode()
    settings = {"documents": ("user data",), "timeout_s": 0.0}
    scripts.apply(Instance("the-id", user_data=user_data), system, settings)


def call_home(system: System, **given: Any) -> None:
    settings = phone_home.from_cloud_config({"phone_home": given} if given else {})
    phone_home.apply(Instance("the-id"), system, settings)


def install(system: System, **values: Any) -> None:
    packages.apply(
        Instance("the-id"), system, {"timeout_s": 9.0, **packages.from_cloud_config(values)}
    )


def add_key(system: System, **key: str) -> None:
    source = {"source": "deb http://127.0.0.1/ x main", **key}
    apt = packages.from_cloud_config({"apt": {"sources": {"x": source}}})["apt"]
    system.make_dir("/etc/apt/sources.list.d")
    AptFiles(system).write(apt)


ASK: Dict[str, Callable[[System], None]] = {
    "scripts of user data": run_scripts,
    "phone_home": lambda system: call_home(system, url="http://127.0.0.1:9/", tries=1),
    "packages": lambda system: install(system, packages=["vim"]),
    "keys of package sources": lambda system: add_key(
        system, keyid="0" * 40, keyserver="http://127.0.0.1:9"
    ),
}
ASK_NOT: List[Callable[[System], None]] = [
    lambda system: run_scripts(system, "#cloud-config\n"),
    call_home,
    install,
]


@pytest.mark.parametrize("what", ASK)
def test_who_asks_for_it(tmp_path: Path, what: str) -> None:
    system = PackageHost(tmp_path)
    asked = Asked(system)
    ASK[what](system)
    assert asked.told == [what]


def test_who_has_nothing_to_do_does_not_ask(tmp_path: Path) -> None:
    system = PackageHost(tmp_path)
    run_scripts(system)
    asked = Asked(system)
    run_scripts(system)  # they were executed before
    for each in ASK_NOT:
        each(system)
    assert asked.told == []


def test_the_wait_costs_what_is_included_no_time(tmp_path: Path) -> None:
    system = System(str(tmp_path), ScriptedClock())
    asked = Asked(system, 2 * LIMIT_S)
    limits: List[float] = []

    def fetch(url: str, timeout_s: float, limit_bytes: int) -> bytes:
        limits.append(timeout_s)
        return b"#!/bin/sh\n"

    found = collect(system, "user data", b"#include\nhttp://a/\n", fetch, dict)
    assert len(found.parts) == 1 and not found.warnings and limits[0] >= 5
    assert asked.told == ["#include of user data"]
