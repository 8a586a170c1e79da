"""Executes user data, at most once: a mark is on the disk before the execution starts.

So a script that restarts the machine, or fails, does not do that again at each boot. This file does
not know which data are to be executed.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Callable, Optional

from lightinit.errors import LightinitError, MalformedError, ProvisioningError
from lightinit.host.identity import UNKNOWN, read_boot_id
from lightinit.host.scripts import run
from lightinit.host.system import System
from lightinit.model import NamedTuple
from lightinit.user_data.scripts import per
from lightinit.user_data.scripts.jobs import BOOTCMD, EARLY_MARKS, ScriptJob

LOG = logging.getLogger("lightinit.scripts")

DONE = "done"
AGAIN = "to execute it again, run: lightinit module %s --force"


class ScriptMark(NamedTuple):
    """The mark of a script that has started.

    Attributes:
        began: when it started (ISO 8601, UTC).
        boot_id: the kernel's id of the boot in which it started.
        outcome: ``DONE``, or how it failed. "": lightinit did not see its end, because the machine
            was restarted or lost power.
    """

    began: str
    boot_id: str
    outcome: str = ""


def find_mark(system: System, job: ScriptJob) -> Optional[ScriptMark]:
    """The mark of an earlier execution that counts.

    Args:
        system: the machine.
        job: what is to be executed.

    Returns:
        None if it may be executed.
    """
    mark = read_job_mark(system, job)
    if mark is not None and job.each_boot and mark.boot_id != read_boot_id(system):
        return None
    return mark


def read_job_mark(system: System, job: ScriptJob) -> Optional[ScriptMark]:
    """Read the mark of a job, whichever version has left it; None if there is none.

    The script itself may have upgraded lightinit and restarted the machine.

    Args:
        system: the machine.
        job: what is to be executed.
    """
    mark = read_mark(system, job.mark)
    if mark is None:
        mark = read_mark(system, job.earlier_mark)
    return mark


def read_mark(system: System, path: str) -> Optional[ScriptMark]:
    """Read the mark of an earlier execution; None if there is none.

    A damaged mark counts as a mark: no execution is better than a second one.

    Args:
        system: the machine.
        path: of the mark.
    """
    try:
        data = json.loads(system.read(path).decode("utf-8"))
        return ScriptMark(*(str(data[key]) for key in ScriptMark._fields))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError, KeyError, TypeError, MalformedError) as error:
        LOG.warning("%s is damaged (%s)", path, error)
        return ScriptMark("an unknown time", UNKNOWN)


def execute(
    system: System,
    job: ScriptJob,
    instance_id: str,
    left_s: float,
    limit_s: float,
    on_wait: Callable[[float], None] = lambda _: None,
    copy: Callable[[bytes], None] = lambda _: None,
) -> None:
    """Execute data that have no mark. Each line of their output goes to the log, as do the begin
    and the end.

    Args:
        system: the machine; it must be live.
        job: its ``check`` and the kind's ``check_machine`` accepted it.
        instance_id: the value of ``LIGHTINIT_INSTANCE_ID`` and ``INSTANCE_ID``.
        left_s: seconds after which the script is killed.
        limit_s: the limit in the settings in seconds, for the error.
        on_wait: called all the time with the seconds that the script has taken.
        copy: called with each piece of their output.

    Raises:
        ProvisioningError: the script could not be started, failed, or took too long.
    """
    system.write(job.script, job.part.data, 0o700, follow_last=False)
    variables = {"LIGHTINIT_INSTANCE_ID": instance_id, "INSTANCE_ID": instance_id}
    path = per.find_path(system, job.part.data)
    if path:
        variables["PATH"] = path
    command = job.part.handler.make_command(system, job.part.data, system.path(job.script))
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(system.clock.time()))
    mark = ScriptMark(began, read_boot_id(system))
    _write_mark(system, job, mark)
    system.make_durable()  # or a power cut would let the script run twice
    began_s = _tell_begin(system, job)
    ended = run.run_script(
        system,
        command,
        variables,
        left_s,
        job.unit,
        lambda line: LOG.info("%s: %s", job.name, line),
        on_wait,
        copy,
        undo=lambda: system.remove(job.mark),
    )
    took_s = system.clock.monotonic() - began_s
    LOG.info("%s: ended after %.1f s: %s", job.name, took_s, _describe(ended, limit_s))
    try:
        _write_mark(system, job, mark._replace(outcome=_describe(ended, limit_s)))
    except LightinitError as error:
        LOG.warning("%s: the result of its script cannot be saved: %s", job.name, error)
    _raise_failure(job, ended, limit_s)


def _tell_begin(system: System, job: ScriptJob) -> float:
    """Say that it begins. Returns the time, in seconds of the monotonic clock."""
    LOG.info("%s: begins", job.name)
    if system.on_progress is not None:
        system.on_progress("script " + job.name)
    return system.clock.monotonic()


def _raise_failure(job: ScriptJob, ended: run.Ended, limit_s: float) -> None:
    # The error has none of the output in it: the platform and every user can read the error, and a
    # shell's messages quote the script and its variables. Only root can read the log.
    if ended.timed_out:
        raise ProvisioningError(
            "custom data script took too long",
            which=job.name,
            limit_s=limit_s,
            hint="raise timeout_s of [module.scripts], or let the script start long work in the"
            " background; " + _again(job),
        )
    if ended.status != 0:
        raise ProvisioningError(
            "custom data script failed",
            which=job.name,
            status=ended.status,
            hint="the log has its output: grep '%s:' /var/log/lightinit.log; %s"
            % (job.name, _again(job)),
        )


def _again(job: ScriptJob) -> str:
    return AGAIN % (BOOTCMD if job.mark.startswith(EARLY_MARKS) else "scripts")


def _describe(ended: run.Ended, limit_s: float) -> str:
    if ended.timed_out:
        return "was killed at the limit of %g s" % limit_s
    if ended.status:
        return "failed with status %d" % ended.status
    return DONE


def _write_mark(system: System, job: ScriptJob, mark: ScriptMark) -> None:
    system.write(job.mark, (json.dumps(mark._asdict(), indent=1) + "\n").encode("utf-8"))
