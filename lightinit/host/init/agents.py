"""Other agents that would provision this machine at its next boot: cloud-init, walinuxagent,
azure-init.

It decides by files alone, so it knows of a scratch root what it knows of the live machine: the
agent's program is there, an init system starts it, and nobody switched it off. It never asks which
distribution this is.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import Callable, List, Tuple

from lightinit.host.init import systemd
from lightinit.host.system import System

GENERATOR_FOLDERS = (
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-generators",
)
CLOUD_TARGET = "cloud-init.target"
WAAGENT_CONF = "/etc/waagent.conf"


@dataclass(frozen=True)
class Agent:
    """One agent and its traces.

    Attributes:
        name: what people call it.
        programs: where its program may be.
        units: its systemd units, any of which makes it start.
        services: its scripts in OpenRC's runlevels and in /etc/rc?.d.
        is_switched_off: whether its own configuration keeps it from provisioning.
        is_pulled_in: whether systemd gets as far as those units, where that hangs on more than
            their own links.
    """

    name: str
    programs: Tuple[str, ...]
    units: Tuple[str, ...]
    services: Tuple[str, ...]
    is_switched_off: Callable[[System], bool]
    is_pulled_in: Callable[[System], bool] = lambda _system: True


def other_agents(system: System) -> List[str]:
    """The names of the agents that would provision this machine at its next boot; none is the
    answer to hope for.

    Args:
        system: the machine, or a scratch root.
    """
    return [
        agent.name
        for agent in AGENTS
        if any(_is_program(system, path) for path in agent.programs)
        and _is_started(system, agent)
        and not agent.is_switched_off(system)
    ]


def _is_program(system: System, path: str) -> bool:
    try:
        status = os.stat(system.path(path))
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o111)


# -- init systems
# --------------------------------------------------------------------------------------------------


def _is_started(system: System, agent: Agent) -> bool:
    # A disk may have two init systems. systemd passes over an init script where it has a unit of
    # the same name, so where systemd is, the links in /etc/rc?.d count only for what has no unit.
    has_systemd = systemd.is_installed(system)
    units = [unit for unit in agent.units if systemd.has_unit(system, unit)]
    if (
        has_systemd
        and agent.is_pulled_in(system)
        and any(systemd.is_linked(system, unit) for unit in units)
    ):
        return True
    for service in agent.services:
        if system.glob("/etc/runlevels/*/" + service):
            return True
        if not (has_systemd and units) and system.glob("/etc/rc[S2345].d/S[0-9][0-9]" + service):
            return True
    return False


# -- cloud-init
# --------------------------------------------------------------------------------------------------


def _cloud_init_is_off(system: System) -> bool:
    # In the order in which cloud-init's own generator asks: kernel command line, 'enabled',
    # 'disabled'.
    said = re.findall(
        r"(?:^|\s)cloud-init=(enabled|disabled)(?=\s|$)", system.read_text("/proc/cmdline")
    )
    if said:
        return bool(said[-1] == "disabled")
    return not system.exists("/etc/cloud/cloud-init.enabled") and system.exists(
        "/etc/cloud/cloud-init.disabled"
    )


def _cloud_target_is_pulled_in(system: System) -> bool:
    # The units hang below cloud-init.target, which its generator adds to multi-user.target at each
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
    """Whether waagent's configuration leaves the provisioning alone.

    ``Provisioning.Agent`` decides: ``disabled`` is off; with ``auto`` and ``waagent`` it
    provisions; with ``cloud-init`` it waits for cloud-init and then reports to the platform in its
    place, which is provisioning too. Versions that do not know that key have
    ``Provisioning.Enabled``.
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
        (
            "cloud-init-local.service",
            "cloud-init-main.service",
            "cloud-init.service",
            "cloud-init-network.service",
            "cloud-config.service",
            "cloud-final.service",
        ),
        ("cloud-init-local", "cloud-init-ds-identify", "cloud-init", "cloud-config", "cloud-final"),
        _cloud_init_is_off,
        _cloud_target_is_pulled_in,
    ),
    Agent(
        "walinuxagent",
        ("/usr/sbin/waagent", "/usr/bin/waagent", "/usr/local/sbin/waagent"),
        ("walinuxagent.service", "waagent.service"),
        ("walinuxagent", "waagent"),
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
        ("azure-init.service", "azure-provisioning-agent.service"),
        ("azure-init",),
        lambda _system: False,
    ),
)
