"""Runs a script as its own systemd unit, outside the sandbox of lightinit's service.

systemd-run uses systemd's private socket, so no D-Bus daemon has to run. The output comes through a
FIFO and the exit status through a file. So nothing is lost if systemd re-executes itself, for
example because the script upgrades it.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Callable, Dict, List, Optional, Sequence

from lightinit.digits import read_digits
from lightinit.errors import LightinitError
from lightinit.host.init.transient_unit import find_systemd_run, unit_command
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.scripts")

FOLDER = "/run/lightinit/scripts"
KILLED = 137
START_TIMEOUT_S = 30.0  # the job may have to wait for another job
STOP_TIMEOUT_S = 10.0
TICK_S = 0.02
# The unit runs this: it records its start, runs the script, and writes the exit status. It is in a
# file, because systemd would expand the dollar signs on a command line.
#
# The background process reads the output after lightinit has closed `hold` or has died. Without a
# reader, SIGPIPE would kill the script's background processes when they print. The reader ends when
# no process has the output open for writing. Both FIFOs are opened before it starts, because
# opening a FIFO that no other process has open blocks for ever.
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
    system: System,
    argv: Sequence[str],
    environment: Dict[str, str],
    name: str,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Optional["Unit"]:
    """Start a script as a unit.

    Args:
        system: the machine.
        argv: the command that runs the script.
        environment: variables besides those that systemd gives to every unit.
        name: the beginning of the unit's name.
        is_stopped: whether a signal has come that ends lightinit. Then the start is given up.

    Returns:
        The unit. None: systemd did not start it; the log has the cause, and the caller may start
        the script in another way.
    """
    systemd_run, systemctl = find_systemd_run(system), system.tool("systemctl")
    why = "systemd-run is missing"
    if systemd_run is not None and systemctl is not None:
        unit = Unit(system, systemd_run, systemctl, "%s-%d" % (name, os.getpid()))
        try:
            why = unit.begin(argv, environment, is_stopped)
        except (OSError, LightinitError) as error:
            why = str(error)
        if not why or unit.abandon():
            return unit
    if is_stopped():
        return None
    LOG.warning(
        "no unit for the script (%s): it runs inside the sandbox of lightinit's service, which"
        " restricts it",
        why,
    )
    return None


class Unit:
    """A script that runs as a unit.

    Args:
        system: the machine.
        systemd_run: the path of systemd-run.
        systemctl: the path of systemctl.
        name: the name of the unit, without ``.service``.
    """

    def __init__(self, system: System, systemd_run: str, systemctl: str, name: str) -> None:
        self._system = system
        self._systemd_run, self._systemctl, self._name = systemd_run, systemctl, name
        self._folder = "%s/%s" % (FOLDER, name)
        self._process: Any = None
        self.output = self._hold = -1

    def begin(
        self,
        argv: Sequence[str],
        environment: Dict[str, str],
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> str:
        """Start the unit and wait until it runs.

        Args:
            argv: the command that runs the script.
            environment: variables besides those that systemd gives to every unit.
            is_stopped: whether to wait no longer.

        Returns:
            "" if it runs, otherwise the cause.

        Raises:
            OSError, ProvisioningError: its files in /run cannot be made.
        """
        import subprocess

        place = self._make_folder()
        with open(place + "/said", "wb") as said:
            self._process = subprocess.Popen(
                self._command(place, argv, environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        clock = self._system.clock
        give_up_s = clock.monotonic() + START_TIMEOUT_S
        while not self._begun():
            if self._process.poll() is not None and not self._begun():
                lines = self._read("said").strip().splitlines()
                if lines:
                    return lines[-1]
                return "systemd-run ended with status %d" % self._process.returncode
            if is_stopped():
                return "a signal has stopped lightinit"
            if clock.monotonic() > give_up_s:
                return "systemd did not start it within %d seconds" % START_TIMEOUT_S
            clock.sleep(TICK_S)
        return ""

    def _make_folder(self) -> str:
        """Make the unit's files in /run, and open the FIFOs. Return the folder's path."""
        system, folder = self._system, self._folder
        system.remove_tree(folder)
        system.make_dir(folder, 0o700)
        system.write(folder + "/run", RUN.encode("ascii"), 0o600, durable=False)
        place = system.path(folder)
        for fifo in ("/output", "/hold"):
            os.mkfifo(place + fifo, 0o600)
        self.output = os.open(place + "/output", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        # O_RDWR, because opening it only for writing would wait for a reader.
        self._hold = os.open(place + "/hold", os.O_RDWR | os.O_CLOEXEC)
        return place

    def _command(self, place: str, argv: Sequence[str], environment: Dict[str, str]) -> List[str]:
        options = [
            "--unit=" + self._name,
            "--service-type=oneshot",
            # The script's background processes continue after its end. SIGPIPE ends a writer in a
            # pipeline, as in any shell; systemd would ignore that signal by default.
            "--property=KillMode=process",
            "--property=IgnoreSIGPIPE=no",
        ]
        options += ["--setenv=%s=%s" % item for item in environment.items()]
        return unit_command(
            self._systemd_run,
            ["/bin/sh", place + "/run", place] + list(argv),
            "Script given to this VM, run by lightinit",
            options,
        )

    def abandon(self) -> bool:
        """Cancel the start.

        Returns:
            Whether the script has started meanwhile. Then it was killed, and must not be started
            again.
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
        """Return the script's exit status, or None while it runs."""
        over = self._process.poll() is not None and not os.path.exists(
            "/proc/%s" % self._read("began").strip()
        )
        # Read the files after the check of the process, which may end in between.
        status = read_digits(self._read("status").strip())
        if status is not None:
            return status
        if over:
            return KILLED
        return None

    def kill(self) -> None:
        """Kill the script and all processes that it has started, in any session."""
        try:
            self._system.run(
                [self._systemctl, "kill", "--signal=SIGKILL", self._name + ".service"],
                timeout_s=STOP_TIMEOUT_S,
            )
        except LightinitError as error:
            LOG.warning("the script cannot be killed: %s", error)

    def close(self) -> None:
        """Stop reading, and remove the files in /run."""
        for descriptor in (self.output, self._hold):
            if descriptor >= 0:
                os.close(descriptor)
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()  # it only waits for the unit
            self._process.wait()
        try:
            self._system.remove_tree(self._folder)
        except LightinitError as error:
            LOG.debug("%s cannot be removed: %s", self._folder, error)

    def _begun(self) -> bool:
        return self._read("began").endswith("\n")

    def _read(self, name: str) -> str:
        return self._system.read_text("%s/%s" % (self._folder, name))
