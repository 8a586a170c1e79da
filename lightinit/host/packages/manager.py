"""The description of a package manager. Each one has a file of its own with a ``MANAGER``."""

from __future__ import annotations

from typing import Callable, Mapping, Optional, Tuple

from lightinit.host.system import System
from lightinit.model import NamedTuple

REBOOT_FILES = ("/run/reboot-required", "/var/run/reboot-required", "/run/reboot-needed")


def nothing(_system: System) -> str:
    """Nothing has to be done before."""
    return ""


class Manager(NamedTuple):
    """A package manager. Its commands are without the program.

    Attributes:
        name: its name in messages, and in the mappings of ``packages``.
        programs: its programs; the first that is there is used.
        signs: patterns of files. One that is there and not empty shows that this host's packages
            are this manager's.
        install: the arguments before the packages.
        update: the arguments that fetch the lists; () if there is nothing to fetch.
        upgrade: the arguments that upgrade all packages; () if it cannot.
        pinned: how a package of one version is written: its name, its version; "" if it cannot be.
        environment: variables that keep it from asking.
        before: mends what an interrupted run has left, without the manager. Returns what it did, or
            "".
        repair: the whole command that mends what an interrupted run has left, or waits until the
            manager can work; () for none.
        busy: a pattern of what it prints if another process has its lock.
        telling: a pattern of the lines that say why it failed.
        installed: the whole command that ends with 0 if a package, its last argument, is there; ()
            for none.
        installed_prints: the first word that this command prints then; "" for anything. It prints
            the version as a word, or after the name and a hyphen.
        outdated: an exit status which says that the manager itself must be renewed first, and the
            arguments that do so; None for none.
        needs_reboot: whole commands that tell whether the machine must be restarted. The first that
            is there is asked.
        reboot_prints: a pattern of what they print then; "": the status alone says so.
        reboot_status: their exit status then.
        one_by_one: whether it takes one package at a time.
        done_statuses: exit statuses besides 0 after which all is done.
        is_asked_after: whether its status 0 does not say that all is installed, so that
            ``installed`` is asked.
    """

    name: str
    programs: Tuple[str, ...]
    signs: Tuple[str, ...]
    install: Tuple[str, ...]
    update: Tuple[str, ...] = ()
    upgrade: Tuple[str, ...] = ()
    pinned: str = "%s-%s"
    environment: Mapping[str, str] = {}
    before: Callable[[System], str] = nothing
    repair: Tuple[str, ...] = ()
    busy: str = ""
    telling: str = ""
    installed: Tuple[str, ...] = ()
    installed_prints: str = ""
    outdated: Optional[Tuple[int, Tuple[str, ...]]] = None
    needs_reboot: Tuple[Tuple[str, ...], ...] = ()
    reboot_prints: str = ""
    reboot_status: int = 1
    one_by_one: bool = False
    done_statuses: Tuple[int, ...] = ()
    is_asked_after: bool = False

    def write(self, name: str, version: str) -> Tuple[str, ...]:
        """The words of a package on the command line.

        Args:
            name: its name.
            version: the version that is wanted, or "".
        """
        if not version or not self.pinned:
            return (name,)
        return tuple((self.pinned % (name, version)).split(" "))
