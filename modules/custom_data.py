"""Keep the custom data and user data that the platform holds for this VM, and execute them where
the settings say so.

Only scripts are executed, each at most once: a mark says so before it begins, so that one that
restarts the machine, or fails, does not do so at every boot. The formats of cloud-init are
recognised, and are not supported: they are kept, and said to be of no effect.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from lightinit.errors import LightinitError, MalformedError, ProvisioningError
from lightinit.formats import user_data as encoding
from lightinit.host.boot_id import UNKNOWN, read_boot_id
from lightinit.host.scripts import run
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings, Setting
from lightinit.user_data import find_kind
from lightinit.user_data.kind import Kind

LOG = logging.getLogger("lightinit.custom_data")

NAME = "custom_data"
FREQUENCY = Frequency.INSTANCE
REQUIRED = False
SETTINGS: Tuple[Setting, ...] = (
    Setting(
        "execute",
        "text",
        "none",
        "Which scripts are executed, once per instance, as root.",
        ("none", "custom_data", "user_data", "both"),
    ),
    Setting(
        "timeout_s",
        "seconds",
        600.0,
        "Seconds that the scripts may take in all before they are killed.",
    ),
)

FOLDER = "/var/lib/lightinit/instance"
# With the instance's other marks; whoever forgets the module's takes away those whose names begin
# with it and a plus sign.
MARKS = FOLDER + "/sem/module." + NAME + "+"
DONE = "done"
AGAIN = "it is not executed again, except by: lightinit module custom_data --force"


class Begun(NamedTuple):
    """The mark of a script that has begun.

    Attributes:
        began: when (ISO 8601, UTC).
        boot_id: the kernel's id of the boot in which it began.
        outcome: ``DONE``, or how it failed; "" when nobody saw its end, since the machine was
            restarted or lost its power.
    """

    began: str
    boot_id: str
    outcome: str = ""


class Kept(NamedTuple):
    """One of the two as it was kept.

    Attributes:
        name: for people: ``custom data`` or ``user data``.
        path: where it is, as the VM sees it.
        data: its content.
        problem: why it is kept as it came, None when it was decoded.
    """

    name: str
    path: str
    data: bytes
    problem: Optional[MalformedError] = None

    @property
    def kind(self) -> Kind:
        """Of which kind of user data it is."""
        return find_kind(self.data)[0]

    @property
    def format(self) -> str:
        """The name of its format."""
        return find_kind(self.data)[1]


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Keep both, then execute what is to be executed.

    Args:
        instance: its ``custom_data`` and ``user_data``.
        system: the machine.
        settings: as in ``SETTINGS``.

    Returns:
        What was kept and executed; a warning for each that could not be decoded or that only
        cloud-init understands, and for each that an earlier run has begun to execute without
        success.

    Raises:
        ProvisioningError: they could not be kept; or one that is to be executed is no script,
            cannot be started, or has just failed or taken too long.
    """
    kept = []
    for name, text in (("custom data", instance.custom_data), ("user data", instance.user_data)):
        found = _keep(system, name, text)
        if found is not None:
            kept.append(found)
    if not kept:
        return Outcome("no custom data or user data", skipped=True)
    chosen = [each for each in kept if settings["execute"] in ("both", each.name.replace(" ", "_"))]
    executed, warnings = _execute(system, instance, chosen, settings)
    told = [
        "%s kept%s" % (each.name, executed.get(each.name) or _not_executed(each, each in chosen))
        for each in kept
    ]
    return Outcome(", ".join(told), tuple(_warnings(kept) + warnings))


def _not_executed(each: Kept, chosen: bool) -> str:
    if each.problem is None and each.kind.has_effect and not chosen:
        return " (a script, not executed)"
    return ""


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


# -- keeping
# --------------------------------------------------------------------------------------------------


def _keep(system: System, name: str, text: str) -> Optional[Kept]:
    """Write one of them, as far unpacked as it can be. What the platform does not give any more
    stays as it was kept.
    """
    if not text.strip():
        return None
    path = "%s/%s" % (FOLDER, name.replace(" ", "-"))
    data, problem = text.encode("utf-8", "surrogateescape"), None
    try:
        data = encoding.decode(text)
        data = encoding.unpack(data)
    except MalformedError as error:
        problem = error
    system.write(path, data, 0o600)
    return Kept(name, path, data, problem)


# -- executing
# --------------------------------------------------------------------------------------------------


def _execute(
    system: System, instance: Instance, chosen: Sequence[Kept], settings: ModuleSettings
) -> Tuple[Dict[str, str], List[str]]:
    """Execute those that have not begun yet, one after the other; none before both are known to be
    scripts that can run.

    One that has failed keeps the next from being executed, now and later. One that nobody saw
    ending does not: it may have restarted the machine on purpose.

    Returns:
        What to say of those that were executed, by their names; and warnings on those that were so
        without success.
    """
    begun = {
        each.name: _find_mark(system, each, settings.get("frequency") == Frequency.BOOT.value)
        for each in chosen
    }
    to_do = [each for each in chosen if begun[each.name] is None]
    for each in to_do:
        _check(each)
    if chosen and not system.live:
        system.skip("custom data scripts")
        return {}, []
    for each in to_do:
        each.kind.check_machine(each.name, each.data)
    told: Dict[str, str] = {}
    warnings: List[str] = []
    deadline_s = system.clock.monotonic() + settings["timeout_s"]
    failed = False
    for each in chosen:
        mark = begun[each.name]
        if mark is None and failed:
            warnings.append("%s not executed, since what comes before it failed" % each.name)
        elif mark is None:
            _run(
                system,
                instance,
                each,
                max(0.0, deadline_s - system.clock.monotonic()),
                settings["timeout_s"],
            )
            told[each.name] = " and executed"
        elif mark.outcome == DONE:
            told[each.name] = " and executed before"
        else:
            warnings.append(
                "%s script began at %s, %s: not executed again"
                % (each.name, mark.began, mark.outcome or "did not end")
            )
            failed = bool(mark.outcome)
    return told, warnings


def _find_mark(system: System, each: Kept, each_boot: bool) -> Optional[Begun]:
    """What an earlier run has begun, or None. A damaged mark is one all the same: better not at all
    than twice.
    """
    path = _mark_path(each)
    try:
        data = json.loads(system.read(path).decode("utf-8"))
        mark = Begun(*(str(data[key]) for key in Begun._fields))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError, KeyError, TypeError, MalformedError) as error:
        LOG.warning("%s is damaged (%s)", path, error)
        mark = Begun("an unknown time", UNKNOWN)
    return None if each_boot and mark.boot_id != read_boot_id(system) else mark


def _leave_mark(system: System, each: Kept, mark: Begun) -> None:
    system.write(_mark_path(each), (json.dumps(mark._asdict(), indent=1) + "\n").encode("utf-8"))


def _mark_path(each: Kept) -> str:
    return MARKS + each.path.rpartition("/")[2]


def _check(each: Kept) -> None:
    if each.problem is not None:
        raise ProvisioningError(
            "custom data cannot be decoded",
            which=each.name,
            why=each.problem,
            hint="the platform takes base64; what came is in %s" % each.path,
        )
    each.kind.check(each.name, each.format, each.data)


def _run(system: System, instance: Instance, each: Kept, left_s: float, limit_s: float) -> None:
    script = each.path + "-script"
    system.write(script, each.data, 0o700)

    def tell(line: str) -> None:
        LOG.info("%s: %s", each.name, line)

    command = each.kind.make_command(system, each.data, system.path(script))
    mark = Begun(
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(system.clock.time())), read_boot_id(system)
    )
    _leave_mark(system, each, mark)
    try:
        ended = run.run_script(
            system,
            command,
            {"LIGHTINIT_INSTANCE_ID": instance.id},
            left_s,
            "lightinit-" + each.name.replace(" ", "-"),
            tell,
        )
    except ProvisioningError:
        system.remove(_mark_path(each))  # it has not begun
        raise
    outcome = _outcome(ended, limit_s)
    try:
        _leave_mark(system, each, mark._replace(outcome=outcome))
    except LightinitError as error:
        LOG.warning("%s: how its script ended cannot be kept: %s", each.name, error)
    # Nothing of what it printed goes into an error, which the platform and every user can read: a
    # shell quotes the script, and what its variables hold, in its complaints. The log is root's.
    if ended.timed_out:
        raise ProvisioningError(
            "custom data script took too long",
            which=each.name,
            limit_s=limit_s,
            hint=(
                "raise timeout_s of [module.custom_data], or let the script start in the background"
                " what takes long; "
            )
            + AGAIN,
        )
    if ended.status != 0:
        raise ProvisioningError(
            "custom data script failed",
            which=each.name,
            status=ended.status,
            hint="the log has what it printed: grep '%s:' /var/log/lightinit.log; %s"
            % (each.name, AGAIN),
        )


def _outcome(ended: run.Ended, limit_s: float) -> str:
    if ended.timed_out:
        return "was killed at the limit of %g s" % limit_s
    if ended.status:
        return "failed with status %d" % ended.status
    return DONE
