"""Runs the scripts of an instance's user data, one after the other, and says how they went.

It does not know whether the platform has accepted Ready yet.
"""

from __future__ import annotations

import logging
import math
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.scripts.output import OutputFiles
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, NamedTuple, Outcome, repr_without
from lightinit.user_data.kept import VENDOR_DATA, Kept, decode, list_documents
from lightinit.user_data.parts import Part, take_apart
from lightinit.user_data.scripts import execution, jobs
from lightinit.user_data.scripts.jobs import NO_SCRIPTS, ConfigScripts, ScriptJob

LOG = logging.getLogger("lightinit.scripts")
STILL_S = 300.0  # a first line about a script that still runs; each next one after twice the time


class RunSettings(NamedTuple):
    """How scripts are run.

    Attributes:
        documents: ``custom data`` and ``user data``, as far as they take effect.
        timeout_s: seconds for all scripts; 0 for no limit.
        each_boot: whether what says nothing else is executed at each boot.
        given: what the cloud-config has executed late.
        bootcmd: the commands for each boot as a script, or "". They may be a secret, too.
        output: the files that get the output, besides the log.
        appends: whether what is in them stays.
    """

    documents: Tuple[str, ...]
    timeout_s: float = 0.0
    each_boot: bool = False
    given: ConfigScripts = NO_SCRIPTS
    bootcmd: str = ""
    output: Tuple[str, ...] = ()
    appends: bool = True

    def __repr__(self) -> str:
        return repr_without(self, "bootcmd")


def read_settings(settings: Mapping[str, Any]) -> RunSettings:
    """Read the settings of the modules scripts and bootcmd."""
    return RunSettings(
        tuple(settings["documents"]),
        settings["timeout_s"],
        settings.get("frequency") == Frequency.BOOT.value,
        ConfigScripts(
            settings.get("runcmd", ""),
            settings.get("each_boot", False),
            settings.get("written", ()),
        ),
        settings.get("bootcmd", ""),
        tuple(settings.get("output", ())),
        settings.get("appends", True),
    )


def read_commands_of(values: Mapping[str, Any], key: str, stage: str) -> Dict[str, Any]:
    """The settings that a cloud-config has for scripts and bootcmd: its commands as a script, and
    the files that get the output.

    Args:
        values: the keys of the cloud-config.
        key: ``runcmd`` or ``bootcmd``.
        stage: the stage of ``output``, in cloud-init's words.
    """
    from lightinit.formats.cloud_config.readers.commands import read_commands
    from lightinit.formats.cloud_config.readers.ending import find_output, read_ending

    output = find_output(read_ending(values)[0].outputs, stage)
    commands = getattr(read_commands(values)[0], key)
    return {key: commands, "output": output.paths, "appends": output.append}


def read_scripts_of(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The settings that a cloud-config has for scripts besides: whether they are executed at each
    boot, and the scripts that its ``write_files`` puts into folders of cloud-init.

    Args:
        values: the keys of the cloud-config.
    """
    from lightinit.formats.cloud_config.readers.commands import place_of, read_scripts

    given = read_scripts(values)[0]
    written = tuple((place_of(each.path), each.path, each.content) for each in given.written)
    return {"each_boot": given.each_boot, "written": written}


Plans = List[Tuple[str, List[ScriptJob]]]


def plan_all(
    system: System, instance: Instance, settings: RunSettings, is_early: bool = False
) -> Plans:
    """The jobs of each document that has some.

    ``runcmd`` and ``bootcmd`` are with the last document that has a cloud-config.

    Args:
        system, instance, settings: as for :func:`run_scripts`.
        is_early: whether what runs early in each boot is wanted, or all else.
    """
    found: List[Tuple[Kept, Sequence[Part]]] = []
    for name, text in list_documents(instance):
        if name not in settings.documents:
            continue
        kept = decode(name, text)
        if kept is not None and kept.problem is None:
            taken = take_apart(system, instance, name, kept.data, settings.each_boot)
            found.append((kept, taken.parts))
    configs = [at for at, each in enumerate(found) if any(p.handler.is_applied for p in each[1])]
    plans = []
    for at, (kept, parts) in enumerate(found):
        is_last = configs[-1:] == [at]
        if is_early:
            planned = jobs.plan_early(kept, parts, settings.bootcmd if is_last else "")
        else:
            given = settings.given if is_last else NO_SCRIPTS
            each_boot = settings.given.each_boot and kept.name != VENDOR_DATA
            planned = jobs.plan(kept, parts, settings.each_boot or each_boot, given)
        if planned:
            plans.append((kept.name, planned))
    return plans


def run_early(instance: Instance, system: System, settings: RunSettings) -> Outcome:
    """Execute what runs early in each boot: boothooks and ``bootcmd``, each once in this boot.

    Args:
        instance, system, settings: as for :func:`run_scripts`.

    Raises:
        ProvisioningError: the first failure, after all of one document.
    """
    plans = plan_all(system, instance, settings, is_early=True)
    if not plans:
        return Outcome("nothing to run early", skipped=True)
    if not system.live:
        return _only_write(system, plans)
    return _execute(Run(system, instance.id, settings), plans)


def _only_write(system: System, plans: Plans) -> Outcome:
    """What becomes of scripts in a scratch root: their files are there."""
    system.skip("scripts of user data")
    planned = [job for _, each in plans for job in each]
    for job in planned:
        system.write(job.script, job.part.data, 0o700, follow_last=False)
    return Outcome("written and not executed: %s" % ", ".join(job.script for job in planned))


def _execute(run: Run, plans: Plans) -> Outcome:
    told = []
    for name, planned in plans:
        try:
            told.append(run.execute(name, planned))
        except ProvisioningError as error:
            if name != VENDOR_DATA:  # the owner's scripts do not depend on the vendor's
                raise
            told.append("%s: failed" % name)
            run.warnings.append(str(error))
    return Outcome(", ".join(told), tuple(run.warnings))


def run_scripts(instance: Instance, system: System, settings: RunSettings) -> Outcome:
    """Check all scripts, then execute those that have not started yet, one after the other.

    If a document that is a script fails, the next document does not start, neither now nor at a
    later boot. But if the end of a script was not seen, the next one starts: the first may have
    restarted the machine on purpose. In a document of several parts, all are executed. A failure
    in vendor data is a warning, and stops nothing.

    Args:
        instance: its ``custom_data`` and ``user_data``.
        system: the machine.
        settings: how.

    Returns:
        What was executed. There is a warning for each script that an earlier run started without
        success, and for each that must not start.

    Raises:
        ProvisioningError: a script cannot be started, has failed in this run, or has taken too
            long.
    """
    plans = plan_all(system, instance, settings)
    if not plans:
        return Outcome("no script", skipped=True)
    run = Run(system, instance.id, settings)
    owners = [planned for name, planned in plans if name != VENDOR_DATA]
    whole = [job for planned in owners for job in planned if job.part.is_whole]
    to_do = [job for job in whole if run.find_mark(job) is None]
    for job in to_do:
        job.check()
    if not system.live:
        return _only_write(system, plans)
    for job in to_do:
        job.part.handler.check_machine(job.name, job.part.data)
    jobs.ask_for_each_boot(system, [job for _, planned in plans for job in planned])
    if any(run.find_mark(job) is None for _, planned in plans for job in planned):
        system.need_network("scripts of user data")
    return _execute(run, plans)


class Run:
    """Executes the jobs of this boot.

    Args:
        system: the machine.
        instance_id: of this instance.
        settings: how.

    Attributes:
        warnings: one for each script that an earlier run started without success, and for each that
            must not start.
    """

    def __init__(self, system: System, instance_id: str, settings: RunSettings) -> None:
        self._system = system
        self._instance_id = instance_id
        self._limit_s = settings.timeout_s or math.inf
        self._began_s = system.clock.monotonic()
        self._settings = settings
        self._failed = ""
        self.warnings: List[str] = []

    def find_mark(self, job: ScriptJob) -> Optional[execution.ScriptMark]:
        """The mark of an earlier execution."""
        return execution.find_mark(self._system, job)

    def execute(self, name: str, planned: Sequence[ScriptJob]) -> str:
        """Execute one document's jobs that have no mark. Returns what was done.

        Args:
            name: the document's name.
            planned: its jobs.

        Raises:
            ProvisioningError: the first failure, after all jobs of this document.
        """
        first: Optional[ProvisioningError] = None
        failed, ran, before = "", 0, 0
        for job in planned:
            mark = self.find_mark(job)
            if mark is None and self._failed:
                text = "%s not executed, because %s failed" % (job.name, self._failed)
                self.warnings.append(text)
            elif mark is None:
                error = self._attempt(job)
                if error is None:
                    ran += 1
                elif first is None:
                    first = error
                else:
                    LOG.warning("%s", error)
            elif mark.outcome == execution.DONE:
                before += 1
            else:
                self.warnings.append(
                    "%s script began at %s, %s: not executed again"
                    % (job.name, mark.began, mark.outcome or "did not end")
                )
                failed = failed or (mark.outcome and job.name)
        if first is not None:
            for warning in self.warnings:
                LOG.warning("%s", warning)
            raise first
        self._failed = self._failed or (failed if name != VENDOR_DATA else "")
        if planned[0].part.is_whole:
            if ran:
                return name + " executed"
            return name + (" executed before" if before else " not executed")
        text = "%d of %d scripts of the %s executed" % (ran, len(planned), name)
        return text + (", %d before" % before if before else "")

    def _attempt(self, job: ScriptJob) -> Optional[ProvisioningError]:
        """Execute a job. Returns its failure."""
        took_s = self._system.clock.monotonic() - self._began_s
        left_s = max(0.0, self._limit_s - took_s)
        waiting = Waiting(job.name)
        files = OutputFiles(self._system, self._settings.output, self._settings.appends)
        try:
            job.check()
            job.part.handler.check_machine(job.name, job.part.data)
            execution.execute(
                self._system,
                job,
                self._instance_id,
                left_s,
                self._limit_s,
                waiting.tell,
                files.write,
            )
        except ProvisioningError as error:
            return error
        finally:
            files.close()
            self.warnings += [each for each in files.warnings if each not in self.warnings]
        return None


class Waiting:
    """Tells of a script that takes long.

    Args:
        name: of the script.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._next_s = STILL_S

    def tell(self, took_s: float) -> None:
        """Tell of it if it is time.

        Args:
            took_s: seconds that the script has run.
        """
        if took_s >= self._next_s:
            LOG.info("%s: still runs after %d minutes", self._name, self._next_s // 60)
            self._next_s *= 2
