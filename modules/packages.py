"""Installs the packages that a cloud-config names, from the sources that it names, with the host's
own package manager.

What cannot be installed is a warning with the manager's own words. Only if none can be installed,
and the lists cannot be fetched either, the module fails, and the next boot tries again.
"""

from __future__ import annotations

import logging
from typing import Any, Dict, List, Mapping, Optional, Sequence

from lightinit.errors import ProvisioningError
from lightinit.formats.cloud_config.readers.packages import GivenPackages, read_packages
from lightinit.formats.cloud_config.readers.sources.apt import GivenApt, read_apt
from lightinit.formats.cloud_config.readers.sources.repositories import (
    GivenRepositories,
    read_repositories,
)
from lightinit.host.init import power
from lightinit.host.packages import install, reboot
from lightinit.host.packages.install import Package
from lightinit.host.packages.kinds import NAMES, find_manager, find_program
from lightinit.host.packages.run import ManagerRun
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.package_sources.apt import AptFiles
from lightinit.package_sources.repositories import write_repositories
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.packages")

TOLD = 20  # packages that are named one by one


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of packages and their sources."""
    return {
        "given": read_packages(values)[0],
        "apt": read_apt(values)[0],
        "repositories": read_repositories(values)[0],
    }


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Install, after the lists were fetched.

    Args:
        instance: not looked at.
        system: the machine.
        settings: ``timeout_s``, and what :func:`from_cloud_config` returns.

    Returns:
        How many were installed. There is a warning for each that was not.

    Raises:
        ProvisioningError: none could be installed, nor the lists fetched.
    """
    given: GivenPackages = settings.get("given", GivenPackages())
    warnings = _write_sources(system, settings)
    if not (given.packages or given.update or given.upgrade or _has_lists(settings)):
        message = "no packages are asked for"
        if warnings is not None:
            message += "; the configuration of their manager is written"
        return Outcome(message, tuple(warnings or ()), skipped=warnings is None)
    if not system.live:
        system.skip("packages")
        return Outcome("packages are left out", tuple(warnings or ()))
    system.need_network("packages")
    had_modules = reboot.has_modules(system)
    work = Work(system, settings["timeout_s"])
    work.warnings += warnings or []
    message = work.do(given)
    if given.reboot_if_required and (given.packages or given.upgrade):
        work.warnings += _restart(system, had_modules)
    return Outcome(message, tuple(work.warnings))


def _write_sources(system: System, settings: ModuleSettings) -> Optional[List[str]]:
    """Write where packages come from. Returns warnings; None if nothing is said."""
    apt: GivenApt = settings.get("apt", GivenApt())
    repositories: GivenRepositories = settings.get("repositories", GivenRepositories())
    if apt == GivenApt() and repositories == GivenRepositories():
        return None
    warnings = write_repositories(system, repositories)
    if apt != GivenApt():
        files = AptFiles(system)
        files.write(apt)
        warnings += files.warnings
    return warnings


def _has_lists(settings: ModuleSettings) -> bool:
    """Whether there are sources whose lists must be fetched."""
    apt: GivenApt = settings.get("apt", GivenApt())
    others = settings.get("repositories", GivenRepositories()) != GivenRepositories()
    lists = (apt.sources_list, apt.primary, apt.security, apt.disabled, apt.sources)
    return others or any(lists)


class Work:
    """The work of the package managers.

    Args:
        system: the machine.
        limit_s: seconds for all of it.

    Attributes:
        warnings: what did not go as asked.
    """

    def __init__(self, system: System, limit_s: float) -> None:
        self.warnings: List[str] = []
        self._system = system
        self._deadline_s = system.clock.monotonic() + limit_s

    def do(self, given: GivenPackages) -> str:
        """Fetch, upgrade and install. Returns what was done."""
        done: List[str] = []
        run = self._begin("")
        if run is None:
            return self._do_without(given)
        problem = install.update(run)
        if problem:
            self.warnings.append("package lists cannot be fetched: %s" % problem)
        if given.upgrade:
            why = install.upgrade(run)
            if why:
                self.warnings.append("packages cannot be upgraded: %s" % why)
            else:
                done.append("packages upgraded with %s" % run.name)
        done += self._install(run, given, problem)
        return ", ".join(done) or "package lists fetched with %s" % run.name

    def _do_without(self, given: GivenPackages) -> str:
        """Install what is for a manager that has no packages of the host's."""
        rest = tuple(each for each in given.packages if each.manager)
        if len(rest) < len(given.packages) or not rest:
            self.warnings.append(
                "no package manager is here, so nothing is installed; known are: %s"
                % ", ".join(NAMES)
            )
        done = self._install(None, given._replace(packages=rest), "")
        return ", ".join(done) or "no package manager is here"

    def _install(self, own: Optional[ManagerRun], given: GivenPackages, problem: str) -> List[str]:
        """Install what is for each manager.

        Raises:
            ProvisioningError: nothing could be installed, because of the ``problem``.
        """
        done: List[str] = []
        failed: Dict[Package, str] = {}
        count = 0
        for name in dict.fromkeys(each.manager for each in given.packages):
            wanted = [Package(*each[:2]) for each in given.packages if each.manager == name]
            wanted = list(dict.fromkeys(wanted))
            run = own
            if own is None or name not in ("", own.manager.name, *own.manager.programs):
                run = self._begin(name)
            if run is None:
                self.warnings.append("%s is not here: %s" % (name, _list(wanted)))
                continue
            missing = install.install(run, wanted)
            failed.update(missing)
            count += len(wanted)
            there = len(wanted) - len(missing)
            done.append("%d of %d packages installed with %s" % (there, len(wanted), run.name))
            self._tell_versions(run, wanted)
        if problem and count and len(failed) == count:
            raise ProvisioningError(
                "packages cannot be installed",
                manager="" if own is None else own.name,
                why=problem,
                packages=_list(list(failed)),
                hint="the next boot tries again; or run: lightinit module packages --force",
            )
        self._tell(failed)
        return done

    def _tell(self, failed: Mapping[Package, str]) -> None:
        for package in list(failed)[:TOLD]:
            self.warnings.append("package %s is not installed: %s" % (package, failed[package]))
        if len(failed) > TOLD:
            self.warnings.append("not installed either: %s" % _list(list(failed)[TOLD:]))

    def _tell_versions(self, run: ManagerRun, wanted: Sequence[Package]) -> None:
        pinned = [package for package in wanted if package.version]
        if pinned and not run.manager.pinned:
            self.warnings.append(
                "%s takes no version: it installed what the lists have of %s"
                % (run.name, _list(pinned))
            )

    def _begin(self, name: str) -> Optional[ManagerRun]:
        """The manager of a name, or the host's own; None if it is not there."""
        manager = find_manager(self._system, name)
        program = None if manager is None else find_program(self._system, manager)
        if manager is None or program is None:
            return None
        left_s = max(1.0, self._deadline_s - self._system.clock.monotonic())
        run = ManagerRun(self._system, manager, program, left_s)
        run.mend()
        return run


def _list(packages: Sequence[Package]) -> str:
    return ", ".join(str(package) for package in packages[:TOLD])


def _restart(system: System, had_modules: bool) -> List[str]:
    """Ask for a restart of the machine, when all else has ended, if it must. Returns warnings."""
    manager = find_manager(system)
    if manager is None:
        return []
    required = reboot.is_required(system, manager, had_modules)
    if required is None:
        return [
            "package_reboot_if_required: nothing here tells whether a restart is required; the"
            " machine goes on"
        ]
    if not required:
        return []
    power.ask(system, power.PowerWish("reboot", "packages", "which the packages require"))
    return []
