"""The description of an init system, and of a service that it may start at boot."""

from __future__ import annotations

from typing import Callable, Tuple

from lightinit.host.system import System
from lightinit.model import NamedTuple


class Service(NamedTuple):
    """A service.

    Attributes:
        units: its systemd units. Each of them starts it.
        scripts: its init scripts.
        is_pulled_in: returns whether systemd reaches its units at boot, if the links to the units
            do not show this.
    """

    units: Tuple[str, ...]
    scripts: Tuple[str, ...]
    is_pulled_in: Callable[[System], bool] = lambda _system: True


class InitSystem(NamedTuple):
    """An init system. All answers come from files, so this also works for a scratch root.

    Attributes:
        name: its name in messages.
        starts: returns whether it starts the service at boot.
        hides_scripts: returns whether it is installed and ignores the service's links in
            /etc/rc?.d, because it has a unit of that name.
        is_hidden: whether it uses the links in /etc/rc?.d, which another init system may ignore.
    """

    name: str
    starts: Callable[[System, Service], bool]
    hides_scripts: Callable[[System, Service], bool] = lambda _system, _service: False
    is_hidden: bool = False
