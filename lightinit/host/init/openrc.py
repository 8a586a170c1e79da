"""OpenRC: which services it starts. `rc-update add` makes a link below /etc/runlevels."""

from __future__ import annotations

from lightinit.host.init.init_system import InitSystem, Service
from lightinit.host.system import System


def starts(system: System, service: Service) -> bool:
    """Whether one of the service's scripts is in a runlevel."""
    return any(system.glob("/etc/runlevels/*/" + script) for script in service.scripts)


INIT = InitSystem("OpenRC", starts)
