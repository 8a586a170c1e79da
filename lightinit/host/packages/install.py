"""Installs packages with a package manager, and tells what could not be installed.

All are installed at once. If that fails, each is tried by itself, so that one that is missing does
not cost the others. What is there already stays, so all this can be done again.
"""

from __future__ import annotations

import logging
from typing import Dict, List, Sequence

from lightinit.host.packages.manager import Manager
from lightinit.host.packages.run import ManagerRun, Ran, without_secrets
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.packages")


class Package(NamedTuple):
    """A package: its name, and the version that is wanted or ""."""

    name: str
    version: str = ""

    def words(self, manager: Manager) -> Sequence[str]:
        """How it is written on the manager's command line."""
        return manager.write(self.name, self.version)

    def __str__(self) -> str:
        name = without_secrets(self.name)
        if self.version:
            return "%s (%s)" % (name, self.version)
        return name


def update(run: ManagerRun) -> str:
    """Fetch the lists. Returns why they could not be fetched, or ""."""
    if not run.manager.update:
        return ""
    ran = run.call(run.manager.update)
    if ran.ok:
        return ""
    return _describe(run, ran)


def upgrade(run: ManagerRun) -> str:
    """Upgrade all packages. Returns why that failed, or ""."""
    if not run.manager.upgrade:
        return "%s cannot upgrade all packages" % run.name
    LOG.info("packages: upgrading all with %s", run.name)
    ran = run.call(run.manager.upgrade)
    if ran.ok:
        return ""
    return _describe(run, ran)


def install(run: ManagerRun, packages: Sequence[Package]) -> Dict[Package, str]:
    """Install packages.

    Args:
        run: the manager.
        packages: without repetitions.

    Returns:
        Those that could not be installed, each with the manager's own words.
    """
    LOG.info("packages: installing %d with %s", len(packages), run.name)
    failed: Dict[Package, str] = {}
    if not run.manager.one_by_one:
        ran = _install(run, packages)
        if ran.ok and not run.manager.is_asked_after:
            return {}
        if ran.ok:
            return _missing(run, packages, run.explain(ran))
        if len(packages) == 1 or ran.timed_out or ran.is_busy:
            return _missing(run, packages, _describe(run, ran))
        LOG.info("packages: not all could be installed at once: trying one by one")
    for package in packages:
        ran = _install(run, [package])
        if not ran.ok:
            failed.update(_missing(run, [package], _describe(run, ran)))
    return failed


def _install(run: ManagerRun, packages: Sequence[Package]) -> Ran:
    words: List[str] = []
    for package in packages:
        words += package.words(run.manager)
    return run.call([*run.manager.install, *words])


def _missing(run: ManagerRun, packages: Sequence[Package], why: str) -> Dict[Package, str]:
    """Those of the packages that are not there. The manager may have failed for another one."""
    return {package: why for package in packages if not run.has(package.name, package.version)}


def _describe(run: ManagerRun, ran: Ran) -> str:
    if ran.is_busy:
        return "another process has the lock of %s" % run.name
    return run.explain(ran)
