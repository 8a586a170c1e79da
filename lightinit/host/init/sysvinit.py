"""sysvinit: which services it starts. `update-rc.d` makes the links in /etc/rc?.d."""

from __future__ import annotations

from lightinit.host.init.init_system import InitSystem, Service
from lightinit.host.system import System


def starts(system: System, service: Service) -> bool:
    """Whether one of the service's scripts has a start link in a runlevel of normal operation."""
    links = "/etc/rc[S2345].d/S[0-9][0-9]"
    return any(system.glob(links + script) for script in service.scripts)


INIT = InitSystem("sysvinit", starts, is_hidden=True)
