"""What an init system is to lightinit: it starts services at boot."""

from __future__ import annotations

from typing import Callable, NamedTuple, Tuple

from lightinit.host.system import System


class Service(NamedTuple):
    """A service as the init systems know it.

    Attributes:
        units: its systemd units. Any of them starts it.
        scripts: its init scripts.
        is_pulled_in: whether systemd reaches its units at all, if that does not follow from their
            own links.
    """

    units: Tuple[str, ...]
    scripts: Tuple[str, ...]
    is_pulled_in: Callable[[System], bool] = lambda _system: True


class InitSystem(NamedTuple):
    """An init system. All answers come from files, so they hold for a scratch root too.

    Attributes:
        name: its name for people.
        starts: whether it starts the service at boot.
        hides_scripts: whether it is installed and leaves out the service's links in /etc/rc?.d,
            since it has a unit of that name.
        is_hidden: whether its own links are those in /etc/rc?.d.
    """

    name: str
    starts: Callable[[System, Service], bool]
    hides_scripts: Callable[[System, Service], bool] = lambda _system, _service: False
    is_hidden: bool = False
