"""Stores the VM's custom data and user data in files, and executes them if the settings say so.

Scripts are executed at most once each: those that are the whole document, those in containers such
as MIME multiparts, and the ``runcmd`` of a cloud-config. The other keys of a cloud-config are
settings of other modules (``lightinit/cloud_config``). Other formats are stored, too, with a
warning that they have no effect.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, NamedTuple, Outcome
from lightinit.settings import ModuleSettings

if TYPE_CHECKING:
    from lightinit.user_data.execution import ScriptMark
    from lightinit.user_data.jobs import ScriptJob
    from lightinit.user_data.kept import Kept
    from lightinit.user_data.parts import Part

LOG = logging.getLogger("lightinit.custom_data")


NO_EFFECT = "%s has a format that only cloud-init understands (%s): it is kept and has no effect"
NOT_CHOSEN = "%s kept and not executed (%s): `execute` of [module.custom_data] does not name it"


class Executed(NamedTuple):
    """The result of executing the data.

    Attributes:
        effects: by the name of the data: what to add to the message.
        warnings: one for each script that an earlier run started without success, for each that
            must not start, and for each part that was left out.
    """

    effects: Dict[str, str]
    warnings: List[str]


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Store both, then execute what the settings name.

    Args:
        instance: its ``custom_data`` and ``user_data``.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.

    Returns:
        What was stored and executed. There is a warning for data that could not be decoded, that
        only cloud-init understands, or that an earlier run started without success.

    Raises:
        ProvisioningError: the data could not be stored; or data that are to be executed are not a
            script, cannot be started, have failed in this run, or have taken too long.
    """
    if not (instance.custom_data + instance.user_data).strip():
        return Outcome("no custom data or user data", skipped=True)
    from lightinit.user_data.kept import is_named, keep, list_documents

    found = [keep(system, name, text) for name, text in list_documents(instance)]
    kept = [each for each in found if each is not None]
    chosen = [each for each in kept if is_named(settings["execute"], each.name)]
    executed = _execute(system, instance, chosen, settings)
    told = []
    for each in kept:
        effect = executed.effects.get(each.name, "")
        if each not in chosen and each.problem is None and each.kind.is_executed:
            effect = " (a script, not executed)"
        told.append("%s kept%s" % (each.name, effect))
    if "runcmd" in executed.effects:
        told.append("runcmd" + executed.effects["runcmd"].replace(" and", "", 1))
    return Outcome(", ".join(told), tuple(_warnings(kept, chosen) + executed.warnings))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The commands of a cloud-config, as a script."""
    from lightinit.formats.cloud_config.readers.commands import read_commands

    return {"runcmd": read_commands(values)[0].runcmd}


def _warnings(kept: Sequence[Kept], chosen: Sequence[Kept]) -> List[str]:
    found = []
    for each in kept:
        if each.problem is not None:
            found.append("%s kept as it came: %s" % (each.name, each.problem))
        elif each.kind.is_container or each.kind.is_applied:
            if each not in chosen:
                found.append(NOT_CHOSEN % (each.name, each.format))
        elif each.kind.warns:
            found.append(NO_EFFECT % (each.name, each.format))
    return found


def _execute(
    system: System, instance: Instance, chosen: Sequence[Kept], settings: ModuleSettings
) -> Executed:
    """Check all scripts, then execute those that have not started yet, one after the other.

    If a document that is a script fails, the next document does not start, neither now nor at a
    later boot. But if the end of a script was not seen, the next one starts: the first may have
    restarted the machine on purpose. In a document of several parts, all are executed.
    """
    executed = Executed({}, [])
    if not chosen:
        return executed
    from lightinit.user_data import jobs  # by default nothing is executed

    each_boot = settings.get("frequency") == Frequency.BOOT.value
    plans: List[Tuple[str, List[jobs.ScriptJob]]] = []
    for each in chosen:
        jobs.check_decoded(each)
        parts = _take_apart(system, instance, each, each_boot, executed)
        plans.append((each.name, jobs.plan(each, parts, each_boot)))
    commands = jobs.plan_commands(settings.get("runcmd", ""))
    if commands:
        plans.append((jobs.RUNCMD, commands))
    run = Run(system, instance.id, settings["timeout_s"], executed)
    whole = [job for _, planned in plans for job in planned if job.part.is_whole]
    to_do = [job for job in whole if run.find_mark(job) is None]
    for job in to_do:
        job.check()
    if not system.live:
        system.skip("custom data scripts")
        return executed
    for job in to_do:
        job.part.handler.check_machine(job.name, job.part.data)
    jobs.ask_for_each_boot(system, [job for _, planned in plans for job in planned])
    for name, planned in plans:
        run.execute(name, planned)
    return executed


def _take_apart(
    system: System, instance: Instance, kept: Kept, each_boot: bool, executed: Executed
) -> Sequence[Part]:
    """The parts of a document. What is left out, and what has no effect, is a warning."""
    from lightinit.user_data.parts import take_apart

    collected = take_apart(system, instance, kept.name, kept.data, each_boot)
    executed.warnings.extend(collected.warnings)
    for part in collected.parts:
        if not part.is_whole and part.handler.warns:
            executed.warnings.append(NO_EFFECT % (part.name, part.kind))
    return collected.parts


class Run:
    """Executes the jobs of this boot.

    Args:
        system: the machine.
        instance_id: of this instance.
        limit_s: seconds for all scripts.
        executed: what was done; it is filled in.
    """

    def __init__(
        self, system: System, instance_id: str, limit_s: float, executed: Executed
    ) -> None:
        from lightinit.user_data import execution

        self._execution = execution
        self._system = system
        self._instance_id = instance_id
        self._limit_s = limit_s
        self._deadline_s = system.clock.monotonic() + limit_s
        self._executed = executed
        self._failed = ""

    def find_mark(self, job: ScriptJob) -> Optional[ScriptMark]:
        """The mark of an earlier execution."""
        return self._execution.find_mark(self._system, job)

    def execute(self, name: str, planned: Sequence[ScriptJob]) -> None:
        """Execute one document's jobs that have no mark.

        Args:
            name: the document's name.
            planned: its jobs.

        Raises:
            ProvisioningError: the first failure, after all jobs of this document.
        """
        warnings, first, failed = self._executed.warnings, None, ""
        ran, before = 0, 0
        for job in planned:
            mark = self.find_mark(job)
            if mark is None and self._failed:
                warnings.append("%s not executed, because %s failed" % (job.name, self._failed))
            elif mark is None:
                error = self._attempt(job)
                if error is None:
                    ran += 1
                elif first is None:
                    first = error
                else:
                    LOG.warning("%s", error)
            elif mark.outcome == self._execution.DONE:
                before += 1
            else:
                warnings.append(
                    "%s script began at %s, %s: not executed again"
                    % (job.name, mark.began, mark.outcome or "did not end")
                )
                failed = failed or (mark.outcome and job.name)
        if first is not None:
            for warning in warnings:
                LOG.warning("%s", warning)
            raise first
        self._failed = self._failed or failed
        self._executed.effects[name] = _describe(planned, ran, before)

    def _attempt(self, job: ScriptJob) -> Optional[ProvisioningError]:
        """Execute a job. Returns its failure."""
        left_s = max(0.0, self._deadline_s - self._system.clock.monotonic())
        try:
            job.check()
            job.part.handler.check_machine(job.name, job.part.data)
            self._execution.execute(self._system, job, self._instance_id, left_s, self._limit_s)
        except ProvisioningError as error:
            return error
        return None


def _describe(planned: Sequence[ScriptJob], ran: int, before: int) -> str:
    """What to add to the message."""
    if planned and (planned[0].part.is_whole or planned[0].which == "runcmd"):
        if ran:
            return " and executed"
        return " and executed before" if before else ""
    if not planned:
        return ", no script in it"
    text = ", %d of its %d scripts executed" % (ran, len(planned))
    return text + (", %d before" % before if before else "")
