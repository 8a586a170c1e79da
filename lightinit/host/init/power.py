"""Restarts the machine or switches it off, by the tools of its init system.

A module only asks for it. When all else has ended, ``lightinit/ending/power.py`` does it.
"""

from __future__ import annotations

import logging
import os
from typing import IO, Callable, List, Optional, Sequence

from lightinit.errors import ProvisioningError
from lightinit.host.init import systemd
from lightinit.host.init.transient_unit import find_systemd_run, unit_command
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.power")

KEY = "power"  # in System.remembered
# shutdown(8) of sysvinit needs -h beside -P and -H; systemd's and runit's take it. Some others
# refuse one of these letters: then the next command is tried.
SHUTDOWN = {"poweroff": ("-h", "-P"), "halt": ("-h", "-H"), "reboot": ("-r",)}
OPENRC = {"poweroff": "--poweroff", "halt": "--halt", "reboot": "--reboot"}
# A tool that is refused ends at once. One that waits for its time goes on without us.
LOOK_S = 3.0
TICK_S = 0.02
MESSAGE_CHARACTERS = 500


class PowerWish(NamedTuple):
    """What is to happen to the machine at the end.

    Attributes:
        mode: poweroff, halt or reboot.
        by: the module that asks. Only if it has its mark it is done, so that it is done once.
        why: for the log; no secret.
        delay_minutes: how long shutdown waits.
        message: for those who are logged in; every user can read it. "": none.
    """

    mode: str
    by: str
    why: str = ""
    delay_minutes: int = 0
    message: str = ""


def ask(system: System, wish: PowerWish) -> None:
    """Ask for it. It is done when all else has ended, if the VM is ready. A later wish replaces an
    earlier one.

    Args:
        system: the machine. A scratch root is left out.
        wish: what is to happen.
    """
    if not system.live:
        system.skip(wish.mode)
        return
    system.remembered[KEY] = wish


def find_wish(system: System) -> Optional[PowerWish]:
    """What a module of this run has asked for."""
    found: Optional[PowerWish] = system.remembered.get(KEY)
    return found


def act(
    system: System, wish: PowerWish, start: Optional[Callable[[Sequence[str]], str]] = None
) -> str:
    """Do it: begin to go down, or start the program that waits for its time.

    Args:
        system: the machine.
        wish: what is to happen.
        start: starts a command; returns "" if it runs or has succeeded, else what it said.

    Returns:
        The command that was taken.

    Raises:
        ProvisioningError: no command was taken.
    """
    said = []
    for argv in list_commands(system, wish):
        problem = (start or _start(system))(argv)
        if not problem:
            return " ".join(argv)
        said.append("%s: %s" % (argv[0], problem))
        LOG.info("%s", said[-1])
    raise ProvisioningError(
        "machine cannot be switched off",
        mode=wish.mode,
        said="; ".join(said) or "no tool for it is installed",
        hint="it is not tried again; do it by hand",
    )


def list_commands(system: System, wish: PowerWish) -> List[List[str]]:
    """The commands that this machine has for it, the best one first."""
    found = []
    seconds = wish.delay_minutes * 60
    shutdown = system.tool("shutdown")
    if shutdown is not None:
        when = "+%d" % wish.delay_minutes if wish.delay_minutes else "now"
        message = _printable(wish.message[:MESSAGE_CHARACTERS])
        # After the hyphens nothing of the message counts as an option.
        argv = [shutdown, *SHUTDOWN[wish.mode], "--", when]
        found.append(argv + [message] * bool(message))
    if systemd.is_running(system):
        return found + _list_for_systemd(system, wish.mode, seconds)
    for name, options in ((wish.mode, ()), ("openrc-shutdown", (OPENRC[wish.mode], "now"))):
        tool = system.tool(name)
        if tool is None:
            continue
        argv = [tool, *options]
        if seconds:
            # Only some of these tools can wait.
            argv = ["/bin/sh", "-c", 'sleep "$0" && exec "$@"', str(seconds), *argv]
        found.append(argv)
    return found


def _printable(text: str) -> str:
    """A text that steers no terminal: it is shown to all who are logged in."""
    return "".join(each if each.isprintable() else " " for each in text).strip()


def _list_for_systemd(system: System, mode: str, seconds: int) -> List[List[str]]:
    """If shutdown is missing, or logind, which it needs to wait."""
    systemctl, systemd_run = system.tool("systemctl"), find_systemd_run(system)
    if systemctl is None:
        return []
    argv = [systemctl, "--no-block", mode]
    if not seconds:
        return [argv]
    if systemd_run is None:
        return []
    timer = ["--on-active=%d" % seconds, "--timer-property=AccuracySec=1s"]
    return [unit_command(systemd_run, argv, "The %s that user data asked for" % mode, timer)]


def file_for_errors(folders: Sequence[Optional[str]] = (None, "/run")) -> IO[bytes]:
    """A file without a name, into which a tool can still write after lightinit has ended.

    Args:
        folders: where to try it; None: /tmp and the like. If there is no room in any of them, what
            the tool writes is lost.
    """
    import tempfile

    for folder in folders:
        try:
            return tempfile.TemporaryFile(dir=folder)
        except OSError:
            continue
    return open(os.devnull, "w+b")


def _start(system: System) -> Callable[[Sequence[str]], str]:
    def start(argv: Sequence[str]) -> str:
        import subprocess

        with file_for_errors() as said:
            try:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                return error.strerror or str(error)
            ends_s = system.clock.monotonic() + LOOK_S
            while process.poll() is None and system.clock.monotonic() < ends_s:
                system.clock.sleep(TICK_S)
            if not process.returncode:
                return ""
            said.seek(0)
            lines = said.read(4096).decode("utf-8", "replace").strip().splitlines()
            return lines[-1][:200] if lines else "exit status %d" % process.returncode

    return start
