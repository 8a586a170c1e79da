"""Debian's cloud-init, which looks for its datasource itself."""

from __future__ import annotations

import importlib
from typing import Any, Callable, List

from tests.peers.datasources.inside.machine import arrange, write
from tests.peers.user_data.inside import agent_cloud_init as agent

NAME = agent.NAME
read_log = agent.read_log
SETTINGS = b"""datasource_list: [NoCloud, ConfigDrive, OpenStack, Ec2]
datasource: {NoCloud: {fs_label: cidata}}
"""


def prepare() -> None:
    """Import all that a boot may import."""
    agent.prepare()
    for name in ("ConfigDrive", "OpenStack", "Ec2"):
        importlib.import_module("cloudinit.sources.DataSource" + name)


def stages(data: bytes) -> List[Callable[[], Any]]:
    """What an init system starts in a boot, in its order."""
    arrange(data)
    write("/etc/cloud/cloud.cfg.d/95-peers.cfg", SETTINGS)
    return agent.list_stages()
