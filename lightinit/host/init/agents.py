"""Finds other agents that would provision this machine at its next boot: cloud-init, walinuxagent,
azure-init.

An agent counts if its program exists, an init system starts it, and its configuration does not
switch it off. All of this is read from files, so it also works in a scratch root. The name of the
distribution is not used.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Callable, List, Tuple

from lightinit.host.init import systemd
from lightinit.host.init.init_system import Service
from lightinit.host.init.init_systems import is_started
from lightinit.host.system import System
from lightinit.model import NamedTuple

GENERATOR_FOLDERS = (
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-generators",
)
CLOUD_TARGET = "cloud-init.target"
WAAGENT_CONF = "/etc/waagent.conf"


class Agent(NamedTuple):
    """An agent.

    Attributes:
        name: its name in messages.
        programs: the possible paths of its program.
        service: the service that starts it at boot.
        is_switched_off: returns whether its own configuration switches provisioning off.
    """

    name: str
    programs: Tuple[str, ...]
    service: Service
    is_switched_off: Callable[[System], bool]


def other_agents(system: System) -> List[str]:
    """The names of the other agents that would provision this machine at its next boot. The list
    should be empty.

    Args:
        system: the machine, or a scratch root.
    """
    return [
        agent.name
        for agent in AGENTS
        if any(_is_program(system, path) for path in agent.programs)
        and is_started(system, agent.service)
        and not agent.is_switched_off(system)
    ]


def _is_program(system: System, path: str) -> bool:
    try:
        status = os.stat(system.path(path))
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o111)


# -- cloud-init
# --------------------------------------------------------------------------------------------------


def _cloud_init_is_off(system: System) -> bool:
    # cloud-init's own generator checks in this order: kernel command line, 'enabled', 'disabled'.
    said = re.findall(
        r"(?:^|\s)cloud-init=(enabled|disabled)(?=\s|$)", system.read_text("/proc/cmdline")
    )
    if said:
        return bool(said[-1] == "disabled")
    return not system.exists("/etc/cloud/cloud-init.enabled") and system.exists(
        "/etc/cloud/cloud-init.disabled"
    )


def _cloud_target_is_pulled_in(system: System) -> bool:
    # The units belong to cloud-init.target, which its generator adds to multi-user.target at each
    # boot.
    if systemd.is_masked(system, CLOUD_TARGET):
        return False
    if systemd.is_linked(system, CLOUD_TARGET):
        return True
    name = "cloud-init-generator"
    return not systemd.is_masked(system, name, GENERATOR_FOLDERS) and any(
        _is_program(system, "%s/%s" % (folder, name)) for folder in GENERATOR_FOLDERS
    )


# -- walinuxagent
# --------------------------------------------------------------------------------------------------


def _waagent_is_off(system: System) -> bool:
    """Whether waagent's configuration switches provisioning off.

    ``Provisioning.Agent`` decides. ``disabled``: off. ``auto`` and ``waagent``: it provisions.
    ``cloud-init``: it waits for cloud-init and then reports to the platform, so it is not off
    either. Versions without that key have ``Provisioning.Enabled``.
    """
    found = {}
    for line in system.read_text(WAAGENT_CONF).split("\n"):
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[key.strip()] = value.split("#")[0].strip('" ').strip().lower()
    agent = found.get("Provisioning.Agent", "none")
    return agent == "disabled" or (agent == "none" and found.get("Provisioning.Enabled") == "n")


AGENTS = (
    Agent(
        "cloud-init",
        ("/usr/bin/cloud-init", "/usr/local/bin/cloud-init"),
        Service(
            units=(
                "cloud-init-local.service",
                "cloud-init-main.service",
                "cloud-init.service",
                "cloud-init-network.service",
                "cloud-config.service",
                "cloud-final.service",
            ),
            scripts=(
                "cloud-init-local",
                "cloud-init-ds-identify",
                "cloud-init",
                "cloud-config",
                "cloud-final",
            ),
            is_pulled_in=_cloud_target_is_pulled_in,
        ),
        _cloud_init_is_off,
    ),
    Agent(
        "walinuxagent",
        ("/usr/sbin/waagent", "/usr/bin/waagent", "/usr/local/sbin/waagent"),
        Service(
            units=("walinuxagent.service", "waagent.service"),
            scripts=("walinuxagent", "waagent"),
        ),
        _waagent_is_off,
    ),
    Agent(
        "azure-init",
        (
            "/usr/bin/azure-init",
            "/usr/sbin/azure-init",
            "/usr/local/bin/azure-init",
            "/var/lib/azure-init/azure-init",
            "/var/lib/azure-provisioning-agent/azure-provisioning-agent",
        ),
        Service(
            units=("azure-init.service", "azure-provisioning-agent.service"),
            scripts=("azure-init",),
        ),
        lambda _system: False,
    ),
)
