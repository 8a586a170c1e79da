"""Stores the VM's custom data and user data in files, and executes them if the settings say so.

Only scripts are executed, each at most once. The formats of cloud-init are stored, too, with a
warning that they have no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Sequence

from lightinit.host.system import System
from lightinit.model import Frequency, Instance, NamedTuple, Outcome
from lightinit.settings import ModuleSettings

if TYPE_CHECKING:
    from lightinit.user_data.kept import Kept


class Executed(NamedTuple):
    """The result of executing the data.

    Attributes:
        effects: by the name of the data: what to add to the message.
        warnings: one for each script that an earlier run started without success, and for each that
            must not start.
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
    given = (("custom data", instance.custom_data), ("user data", instance.user_data))
    from lightinit.user_data.kept import keep

    found = [keep(system, name, text) for name, text in given]
    kept = [each for each in found if each is not None]
    if not kept:
        return Outcome("no custom data or user data", skipped=True)
    chosen = [each for each in kept if settings["execute"] in ("both", each.name.replace(" ", "_"))]
    executed = _execute(system, instance, chosen, settings)
    told = []
    for each in kept:
        effect = executed.effects.get(each.name, "")
        if each not in chosen and each.problem is None and each.kind.has_effect:
            effect = " (a script, not executed)"
        told.append("%s kept%s" % (each.name, effect))
    return Outcome(", ".join(told), tuple(_warnings(kept) + executed.warnings))


def _warnings(kept: Sequence[Kept]) -> List[str]:
    found = []
    for each in kept:
        if each.problem is not None:
            found.append("%s kept as it came: %s" % (each.name, each.problem))
        elif each.kind.warns:
            found.append(
                "%s has a format that only cloud-init understands (%s): it is kept and has no"
                " effect" % (each.name, each.format)
            )
    return found


def _execute(
    system: System, instance: Instance, chosen: Sequence[Kept], settings: ModuleSettings
) -> Executed:
    """Check all scripts, then execute those that have not started yet, one after the other.

    If a script fails, the next one does not start, neither now nor at a later boot. But if the end
    of a script was not seen, the next one starts: the first may have restarted the machine on
    purpose.
    """
    executed = Executed({}, [])
    if not chosen:
        return executed
    from lightinit.user_data import execution  # by default nothing is executed

    each_boot = settings.get("frequency") == Frequency.BOOT.value
    marks = {each.name: execution.find_mark(system, each, each_boot) for each in chosen}
    to_do = [each for each in chosen if marks[each.name] is None]
    for each in to_do:
        execution.check(each)
    if not system.live:
        system.skip("custom data scripts")
        return executed
    for each in to_do:
        each.kind.check_machine(each.name, each.data)
    limit_s = settings["timeout_s"]
    deadline_s = system.clock.monotonic() + limit_s
    failed = ""
    for each in chosen:
        mark = marks[each.name]
        if mark is None and failed:
            executed.warnings.append("%s not executed, because %s failed" % (each.name, failed))
        elif mark is None:
            left_s = max(0.0, deadline_s - system.clock.monotonic())
            execution.execute(system, each, instance.id, left_s, limit_s)
            executed.effects[each.name] = " and executed"
        elif mark.outcome == execution.DONE:
            executed.effects[each.name] = " and executed before"
        else:
            executed.warnings.append(
                "%s script began at %s, %s: not executed again"
                % (each.name, mark.began, mark.outcome or "did not end")
            )
            if mark.outcome:
                failed = each.name
    return executed
