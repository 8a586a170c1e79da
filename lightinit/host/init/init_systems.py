"""The table of the init systems that lightinit knows. Each one has a file of its own.

To add an init system, write its file here with an ``INIT``, and add that to :data:`INIT_SYSTEMS`.
"""

from __future__ import annotations

from typing import Tuple

from lightinit.host.init import openrc, systemd, sysvinit
from lightinit.host.init.init_system import InitSystem, Service
from lightinit.host.system import System

INIT_SYSTEMS: Tuple[InitSystem, ...] = (systemd.INIT, openrc.INIT, sysvinit.INIT)


def is_started(system: System, service: Service) -> bool:
    """Whether an init system of this disk starts the service at boot. A disk may have several."""
    hidden = any(init.hides_scripts(system, service) for init in INIT_SYSTEMS)
    return any(
        init.starts(system, service) for init in INIT_SYSTEMS if not (hidden and init.is_hidden)
    )
