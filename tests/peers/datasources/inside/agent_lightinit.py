"""lightinit, which looks for its datasource itself."""

from __future__ import annotations

import importlib
from typing import Any, Callable, List

from tests.peers.datasources.inside.machine import arrange, write
from tests.peers.user_data.inside import agent_lightinit as agent
from tests.peers.user_data.inside.seed import ADMIN

NAME = agent.NAME
prepare = agent.prepare
read_log = agent.read_log
SETTINGS = """[lightinit]
datasource = auto
platform_check = dmi
default_user = %s
"""


def stages(data: bytes) -> List[Callable[[], Any]]:
    """What an init system starts in a boot."""
    arrange(data)
    write("/etc/lightinit/conf.d/95-peers.conf", (SETTINGS % ADMIN).encode("ascii"))
    cli: Any = importlib.import_module("lightinit.cli")
    return [lambda: cli.main(["boot"])]
