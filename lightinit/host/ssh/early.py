"""Runs the programs that make SSH host keys before the keys are asked for: side by side, at low
priority, while lightinit waits for the network.

They write into private folders, which only this run uses: a program that outlives a crash of
lightinit cannot disturb the next run. Whoever puts the keys in place waits for the programs by
:func:`wait_for`. The run ends with :func:`abandon`.
"""

from __future__ import annotations

import binascii
import logging
import os
import signal
from typing import Dict, List, Optional
from weakref import WeakKeyDictionary

from lightinit.digits import read_digits
from lightinit.errors import ProvisioningError
from lightinit.host.command import Running
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.host_keys")
# Low, so that the rest of the boot comes first, but not idle: the keys are needed soon.
NICE = 10
USUAL = 0
# Where the keys of OpenSSH and of dropbear are made.
SCRATCHES = ("/etc/ssh/.lightinit-new", "/etc/.dropbear.lightinit-new")


class EarlyWork(NamedTuple):
    """What was begun on one machine.

    Attributes:
        running: the programs, each by the name of what it makes.
        began_s: when each was started, by the machine's clock.
        folders: subject -> the private folder, as the VM sees it.
        scratches: the folders that have those.
    """

    running: Dict[str, Running]
    began_s: Dict[str, float]
    folders: Dict[str, str]
    scratches: List[str]


class KeygenResult(NamedTuple):
    """How a program that makes a key has ended.

    Attributes:
        failure: "" if it ended well, else what it said last.
        printed: its standard output if it ended well.
    """

    failure: str
    printed: str = ""


_BEGUN: "WeakKeyDictionary[System, EarlyWork]" = WeakKeyDictionary()


def make_folder(system: System, scratch: str) -> str:
    """Make a new private folder in ``scratch``, and remove what an earlier run has left there.

    Args:
        system: the live machine.
        scratch: a folder of lightinit's own, on the file system of the keys. Only root may look
            into it.

    Raises:
        ProvisioningError: it cannot be made.
    """
    system.remove_tree(scratch)
    system.make_dir(scratch, 0o700)
    folder = "%s/%s" % (scratch, binascii.hexlify(os.urandom(4)).decode("ascii"))
    make_inner(system, folder)
    return folder


def make_inner(system: System, name: str) -> None:
    """Make a directory in a private folder. A crash may take it away.

    Raises:
        ProvisioningError: it cannot be made.
    """
    try:
        os.makedirs(system.path(name), 0o700)
    except OSError as error:
        raise ProvisioningError(
            "directory cannot be made", path=name, error=error.strerror
        ) from error


def make_first_folder(system: System, subject: str, scratch: str) -> str:
    """As :func:`make_folder`, for what is begun early, such as that of ``ssh-keygen``."""
    work = _BEGUN.setdefault(system, EarlyWork({}, {}, {}, []))
    work.scratches.append(scratch)
    folder = make_folder(system, scratch)
    work.folders[subject] = folder
    return folder


def find_folder(system: System, subject: str) -> str:
    """The private folder for a subject; "" if nothing was begun."""
    work = _BEGUN.get(system)
    if work is None:
        return ""
    return work.folders.get(subject, "")


def is_begun(system: System) -> bool:
    """Whether anything was begun on this machine."""
    return system in _BEGUN


def begin(system: System, name: str, argv: List[str]) -> None:
    """Start a program that makes the key ``name``.

    Raises:
        ProvisioningError: it cannot be started.
    """
    work = _BEGUN[system]
    running = system.begin(argv)
    work.running[name] = running
    work.began_s[name] = system.clock.monotonic()
    running.set_priority(NICE)


def wait_for(system: System, name: str, limit_s: float) -> Optional[KeygenResult]:
    """Wait for the program that makes the key ``name``. From now on it has the usual priority.

    Args:
        system: the machine.
        name: as :func:`begin` got it.
        limit_s: seconds from the program's start after which it is killed.

    Returns:
        How it ended; None if none was begun.
    """
    work = _BEGUN.get(system)
    if work is None or name not in work.running:
        return None
    running = work.running.pop(name)
    running.set_priority(USUAL)
    left_s = work.began_s[name] + limit_s - system.clock.monotonic()
    try:
        ended = system.wait_for(running, max(0.0, left_s))
    except ProvisioningError:
        return KeygenResult("it did not end within %g s" % limit_s)
    if ended.ok:
        return KeygenResult("", ended.stdout)
    return KeygenResult(ended.last_words)


def give_up(system: System, name: str) -> None:
    """Kill the program that makes the key ``name``, if it was begun: the key is not wanted."""
    work = _BEGUN.get(system)
    if work is not None and name in work.running:
        running = work.running.pop(name)
        LOG.debug("%s is not wanted: process %d is killed", name, running.pid)
        running.kill()


def abandon(system: System) -> None:
    """Kill the programs that nobody waits for any more, and remove the private folders."""
    work = _BEGUN.pop(system, None)
    if work is None:
        return
    for name, running in work.running.items():
        LOG.debug("%s is not needed: process %d is killed", name, running.pid)
        running.kill()
    _remove(system, work)


def abandon_orphans(system: System) -> None:
    """As :func:`abandon`, from another process than the one that has started the programs.

    Those that were started after the fork are found in /proc. The folders of these stay, since a
    new run may use them already.
    """
    work = _BEGUN.get(system)
    if work is None:
        for pid in _find_orphans(system):
            _kill(pid)
        return
    for running in work.running.values():
        # Meanwhile its number may be that of another process.
        said = system.read_text("/proc/%d/cmdline" % running.pid).split("\0")
        if said[-len(running.argv) : -1] != running.argv[1:]:
            continue
        _kill(running.pid)
    _remove(system, work)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass


def _find_orphans(system: System) -> List[int]:
    """The programs that write into one of the folders, and whose parent is no lightinit."""
    places = tuple(system.path(each) + "/" for each in SCRATCHES)
    found = []
    for entry in system.list_dir("/proc"):
        pid = read_digits(entry)
        if pid is None:
            continue
        said = system.read_text("/proc/%s/cmdline" % entry)
        if not any(word.startswith(places) for word in said.split("\0")):
            continue
        fields = system.read_text("/proc/%s/stat" % entry).rpartition(")")[2].split()
        if "lightinit" not in system.read_text("/proc/%s/cmdline" % "".join(fields[1:2])):
            found.append(pid)
    return found


def _remove(system: System, work: EarlyWork) -> None:
    for scratch in work.scratches:
        try:
            system.remove_tree(scratch)
        except ProvisioningError as error:
            LOG.debug("the next run removes it: %s", error)
