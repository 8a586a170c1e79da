"""Makes the running init system start a service anew, so that it reads its new configuration, and
start it at each boot.

lightinit may itself be a service that the others wait for. So nothing here waits for a service
that is to start after lightinit, nor for what that service needs.
"""

from __future__ import annotations

import logging
import os
from typing import Callable, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.init import openrc, systemd, sysvinit
from lightinit.host.init.init_system import Service
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.init")
LIMIT_S = 30.0
RUNIT_FOLDERS = ("/var/service", "/run/runit/service", "/service", "/etc/service")
RUNIT_SERVICES = ("/etc/sv", "/etc/runit/sv")


class ServiceManager(NamedTuple):
    """An init system that runs, as far as services are concerned.

    Attributes:
        name: its name in messages.
        is_running: whether it is the one that runs.
        find: the name under which it knows a service, or "".
        restart: restarts a service; with True also one that does not run.
        enable: has it started at each boot.
    """

    name: str
    is_running: Callable[[System], bool]
    find: Callable[[System, Sequence[str]], str]
    restart: Callable[[System, str, bool], None]
    enable: Callable[[System, str], None]


def restart_service(system: System, names: Sequence[str], start: bool = True) -> str:
    """Restart a service under the init system that runs.

    Args:
        system: the machine.
        names: its possible names, without ``.service``; the first that is known counts.
        start: whether it is started if it does not run, and at each boot from now on.

    Returns:
        "" on success, and for a scratch root; else why not, for a warning.
    """
    if not system.live:
        system.skip("restart of %s" % names[0])
        return ""
    manager = next((each for each in MANAGERS if each.is_running(system)), None)
    if manager is None:
        return "no init system is known to run here; %s reads it at the next boot" % names[0]
    name = manager.find(system, names)
    if not name:
        return "%s knows no service %s" % (manager.name, " or ".join(names))
    try:
        if start:
            manager.enable(system, name)
        manager.restart(system, name, start)
    except ProvisioningError as error:
        return "%s could not be restarted: %s" % (name, error)
    LOG.info("restarted %s (%s)", name, manager.name)
    return ""


def _tool(system: System, name: str) -> str:
    found = system.tool(name)
    if found is None:
        raise ProvisioningError(
            "command is not there", command=name, hint="install the package that has it"
        )
    return found


def _run(system: System, tool: str, *arguments: str) -> None:
    system.run_checked([_tool(system, tool), *arguments], timeout_s=LIMIT_S)


# -- systemd


def _unit(system: System, names: Sequence[str]) -> str:
    units = [name + ".service" for name in names]
    known = [unit for unit in units if systemd.has_unit(system, unit)]
    masked = [unit for unit in known if systemd.is_masked(system, unit)]
    return next((unit for unit in known if unit not in masked), "")


def _restart_unit(system: System, name: str, start: bool) -> None:
    # A unit that is ordered after lightinit would be waited for as long as lightinit runs.
    _run(system, "systemctl", "restart" if start else "try-restart", "--no-block", name)


def _enable_unit(system: System, name: str) -> None:
    if not systemd.is_linked(system, name):
        _run(system, "systemctl", "enable", name)


# -- OpenRC


def _restart_rc(system: System, name: str, start: bool) -> None:
    if system.exists("/run/openrc/started/" + name):
        _run(system, "rc-service", "--nodeps", name, "restart")
    elif start and not system.exists("/run/openrc/rc.starting"):
        # Otherwise OpenRC is still on its way to it.
        _run(system, "rc-service", "--nodeps", name, "start")


def _enable_rc(system: System, name: str) -> None:
    if not openrc.starts(system, Service((), (name,))):
        _run(system, "rc-update", "add", name, "default")


# -- runit


def _runit_folder(system: System) -> Optional[str]:
    return next((each for each in RUNIT_FOLDERS if system.is_dir(each)), None)


def _find_runit(system: System, names: Sequence[str]) -> str:
    places = [each for each in (_runit_folder(system), *RUNIT_SERVICES) if each]
    for name in names:
        if any(system.exists("%s/%s/run" % (place, name)) for place in places):
            return name
    return ""


def _restart_runit(system: System, name: str, start: bool) -> None:
    place = "%s/%s" % (_runit_folder(system), name)
    if system.exists(place + "/supervise"):
        _run(system, "sv", "restart", place)


def _enable_runit(system: System, name: str) -> None:
    folder = _runit_folder(system)
    if folder is None or system.exists("%s/%s" % (folder, name)):
        return
    for place in RUNIT_SERVICES:
        if system.exists("%s/%s/run" % (place, name)):
            system.link("%s/%s" % (folder, name), "%s/%s" % (place, name))
            return


# -- s6


def _find_s6(system: System, names: Sequence[str]) -> str:
    return next((each for each in names if system.exists("/run/service/%s/run" % each)), "")


def _restart_s6(system: System, name: str, start: bool) -> None:
    _run(system, "s6-svc", "-ru" if start else "-r", "/run/service/" + name)


# -- dinit


def _find_dinit(system: System, names: Sequence[str]) -> str:
    places = ("/etc/dinit.d", "/usr/lib/dinit.d", "/lib/dinit.d")
    for name in names:
        if any(system.exists("%s/%s" % (place, name)) for place in places):
            return name
    return ""


def _restart_dinit(system: System, name: str, start: bool) -> None:
    ended = system.run([_tool(system, "dinitctl"), "restart", "--no-wait", name], timeout_s=LIMIT_S)
    if start and not ended.ok:  # it does not run
        _run(system, "dinitctl", "start", "--no-wait", name)


# -- init scripts


def _find_script(system: System, names: Sequence[str]) -> str:
    for name in names:
        paths = ["/etc/init.d/" + name, "/etc/rc.d/rc." + name]
        paths += system.glob("/etc/init.d/S[0-9][0-9]" + name)
        for path in paths:
            if system.exists(path):
                return path
    return ""


def _restart_script(system: System, path: str, start: bool) -> None:
    real = system.path(path)
    if not os.access(real, os.X_OK):  # so Slackware switches a service off
        if not start:
            return
        os.chmod(real, 0o755)
    system.run_checked([real, "restart"], timeout_s=LIMIT_S)


def _enable_script(system: System, path: str) -> None:
    name = path.rpartition("/")[2]
    is_sysvinit = path == "/etc/init.d/" + name
    if not is_sysvinit or sysvinit.starts(system, Service((), (name,))):
        return
    for tool, arguments in (("update-rc.d", (name, "defaults")), ("chkconfig", (name, "on"))):
        if system.tool(tool) is not None:
            _run(system, tool, *arguments)
            return


def _is_process_1(*names: str) -> Callable[[System], bool]:
    return lambda system: system.read_text("/proc/1/comm").strip() in names


def _leave(_system: System, _name: str) -> None:
    """For an init system whose services run once they are there."""


MANAGERS: Tuple[ServiceManager, ...] = (
    ServiceManager("systemd", systemd.is_running, _unit, _restart_unit, _enable_unit),
    ServiceManager(
        "OpenRC",
        lambda system: system.exists("/run/openrc/softlevel"),
        lambda system, names: _first(system, "/etc/init.d/", names),
        _restart_rc,
        _enable_rc,
    ),
    ServiceManager("runit", _is_process_1("runit"), _find_runit, _restart_runit, _enable_runit),
    ServiceManager(
        "s6", _is_process_1("s6-svscan", "s6-linux-init"), _find_s6, _restart_s6, _leave
    ),
    ServiceManager(
        "dinit",
        _is_process_1("dinit"),
        _find_dinit,
        _restart_dinit,
        lambda system, name: _run(system, "dinitctl", "enable", name),
    ),
    ServiceManager(
        "the init scripts",
        _is_process_1("init", "linuxrc", "busybox"),
        _find_script,
        _restart_script,
        _enable_script,
    ),
)


def _first(system: System, folder: str, names: Sequence[str]) -> str:
    return next((each for each in names if system.exists(folder + each)), "")
