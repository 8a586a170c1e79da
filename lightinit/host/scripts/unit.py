"""A script as a systemd unit of its own: outside of the sandbox of lightinit's service, as its
author expects.

It is asked for over systemd's private socket, for which no D-Bus daemon has to run, and neither the
output nor the exit status comes that way: the one comes through a FIFO, the other from a file. So a
systemd that executes itself anew meanwhile, as it does when a script upgrades it, loses nothing.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Dict, Optional, Sequence

from lightinit.errors import LightinitError
from lightinit.host.init.transient_unit import find_systemd_run, unit_command
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.scripts")

FOLDER = "/run/lightinit/scripts"
KILLED = 137
START_TIMEOUT_S = 30.0  # its job may have to wait for another's
STOP_TIMEOUT_S = 10.0
TICK_S = 0.02
# What the unit runs: it says that it began, runs the script, and leaves its exit status. In a file,
# since systemd would take dollar signs on a command line for variables of its own. The process in
# the background reads the output on as soon as nobody writes to `hold` any more, which is when
# lightinit has closed it or is dead: what the script has left running would be killed for what it
# prints without a reader. It ends when nobody has the output open any more. Both FIFOs are opened
# before it is started, since it would wait for ever to open one that everybody else has closed.
RUN = """folder=$1
shift
exec >"$folder/output" 2>&1 </dev/null 3<"$folder/output" 4<"$folder/hold"
{ cat <&4; exec cat 4<&-; } <&3 3<&- >/dev/null 2>&1 &
exec 3<&- 4<&-
umask 022
echo $$ >"$folder/began" || exit 1
"$@"
echo $? >"$folder/status.new" && mv "$folder/status.new" "$folder/status"
"""


def start(
    system: System, argv: Sequence[str], environment: Dict[str, str], name: str
) -> Optional["Unit"]:
    """Start a script as a unit.

    Args:
        system: the machine.
        argv: the script.
        environment: what is added to what systemd gives to every unit.
        name: of the unit.

    Returns:
        None when systemd does not start it, which is told of: then it can be started otherwise.
    """
    systemd_run, systemctl = find_systemd_run(system), system.tool("systemctl")
    why = "systemd-run is missing"
    if systemd_run is not None and systemctl is not None:
        unit = Unit(system, systemd_run, systemctl, "%s-%d" % (name, os.getpid()))
        try:
            why = unit.begin(argv, environment)
        except (OSError, LightinitError) as error:
            why = str(error)
        if not why or unit.abandon():
            return unit
    LOG.warning(
        "the script runs inside the sandbox of lightinit's service, which keeps it from some"
        " things: %s",
        why,
    )
    return None


class Unit:
    """A script that runs as a unit.

    Args:
        system: the machine.
        systemd_run, systemctl: where these are.
        name: of the unit.
    """

    def __init__(self, system: System, systemd_run: str, systemctl: str, name: str) -> None:
        self._system = system
        self._systemd_run, self._systemctl, self._name = systemd_run, systemctl, name
        self._folder = "%s/%s" % (FOLDER, name)
        self._process: Any = None
        self.output = self._hold = -1

    def begin(self, argv: Sequence[str], environment: Dict[str, str]) -> str:
        """Start it and wait until it runs.

        Returns:
            Why it does not, or "".

        Raises:
            OSError, ProvisioningError: what it needs in /run cannot be made.
        """
        import subprocess

        system, folder = self._system, self._folder
        system.remove_tree(folder)
        system.make_dir(folder, 0o700)
        system.write(folder + "/run", RUN.encode("ascii"), 0o600, durable=False)
        place = system.path(folder)
        for fifo in ("/output", "/hold"):
            os.mkfifo(place + fifo, 0o600)
        self.output = os.open(place + "/output", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        # For reading too, so that the open waits for nobody.
        self._hold = os.open(place + "/hold", os.O_RDWR | os.O_CLOEXEC)
        options = [
            "--unit=" + self._name,
            "--service-type=oneshot",
            # What the script leaves in the background goes on when it has ended. In a pipeline
            # whoever writes to one that has ended ends too, as in any shell; a unit's processes
            # would be told of an error instead.
            "--property=KillMode=process",
            "--property=IgnoreSIGPIPE=no",
        ]
        options += ["--setenv=%s=%s" % item for item in environment.items()]
        command = unit_command(
            self._systemd_run,
            ["/bin/sh", place + "/run", place] + list(argv),
            "Script given to this VM, run by lightinit",
            options,
        )
        with open(place + "/said", "wb") as said:
            self._process = subprocess.Popen(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        give_up_s = system.clock.monotonic() + START_TIMEOUT_S
        while not self._begun():
            if self._process.poll() is not None and not self._begun():
                words = self._read("said").strip().splitlines()
                return (
                    words[-1]
                    if words
                    else "systemd-run ended with status %d" % self._process.returncode
                )
            if system.clock.monotonic() > give_up_s:
                return "systemd did not start it within %d seconds" % START_TIMEOUT_S
            system.clock.sleep(TICK_S)
        return ""

    def abandon(self) -> bool:
        """Take back that it was to start.

        Returns:
            Whether it has begun all the same: then it was ended, and must not run twice.
        """
        try:
            self._system.run(
                [self._systemctl, "stop", self._name + ".service"], timeout_s=STOP_TIMEOUT_S
            )
        except LightinitError as error:
            LOG.debug("%s.service cannot be stopped: %s", self._name, error)
        if self._begun():
            self.kill()
            return True
        self.close()
        return False

    def poll(self) -> Optional[int]:
        """The script's exit status, None while it runs."""
        over = self._process.poll() is not None and not os.path.exists(
            "/proc/%s" % self._read("began").strip()
        )
        # Read after the look at the process, which may have ended in between.
        status = self._read("status").strip()
        if status.isdigit():
            return int(status)
        return KILLED if over else None

    def kill(self) -> None:
        """End the script and all that it has started, wherever these have put themselves."""
        try:
            self._system.run(
                [self._systemctl, "kill", "--signal=SIGKILL", self._name + ".service"],
                timeout_s=STOP_TIMEOUT_S,
            )
        except LightinitError as error:
            LOG.warning("the script cannot be killed: %s", error)

    def close(self) -> None:
        """Read no more, and take away what was needed."""
        for descriptor in (self.output, self._hold):
            if descriptor >= 0:
                os.close(descriptor)
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()  # it only waits for the unit
            self._process.wait()
        try:
            self._system.remove_tree(self._folder)
        except LightinitError as error:
            LOG.debug("%s stays: %s", self._folder, error)

    def _begun(self) -> bool:
        return self._read("began").endswith("\n")

    def _read(self, name: str) -> str:
        return self._system.read_text("%s/%s" % (self._folder, name))
