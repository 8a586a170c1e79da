"""Keep the custom data and user data that the platform holds for this VM, and execute them where the settings say so.

Only scripts are executed. The formats of cloud-init are recognised, and are not supported: they are kept, and said to be
of no effect.
"""
from __future__ import annotations

import logging
import os
from typing import List, NamedTuple, Optional, Sequence, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats import custom_data as formats
from lightinit.host import scripts
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings, Setting

LOG = logging.getLogger("lightinit.custom_data")

NAME = "custom_data"
FREQUENCY = Frequency.INSTANCE
REQUIRED = False
SETTINGS: Tuple[Setting, ...] = (
    Setting("execute", "text", "none", "Which of the two are executed, once per instance, as root, if they are scripts.",
            ("none", "custom_data", "user_data", "both")),
    Setting("timeout_s", "seconds", 600.0, "Seconds that the scripts may take, all together, before they are killed."),
)

FOLDER = "/var/lib/lightinit/instance"


class Kept(NamedTuple):
    """One of the two as it was kept.

    Attributes:
        name: for people: ``custom data`` or ``user data``.
        path: where it is, as the VM sees it.
        data: its content.
        kind: as :func:`lightinit.formats.custom_data.recognise` gives it; "" when it could not be decoded.
        problem: why it is kept as it came, None when it was decoded.
    """

    name: str
    path: str
    data: bytes
    kind: str
    problem: Optional[MalformedError] = None


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Keep both, then execute what is to be executed.

    Args:
        instance: its ``custom_data`` and ``user_data``.
        system: the machine.
        settings: as in ``SETTINGS``.

    Returns:
        What was kept and executed; a warning for each that could not be decoded or that only cloud-init understands.

    Raises:
        ProvisioningError: they could not be kept; or one that is to be executed is no script, cannot be started, failed,
            or took too long.
    """
    kept = []
    for name, text in (("custom data", instance.custom_data), ("user data", instance.user_data)):
        found = _keep(system, name, text)
        if found is not None:
            kept.append(found)
    if not kept:
        return Outcome("no custom data or user data", skipped=True)
    chosen = [each for each in kept if settings["execute"] in ("both", each.name.replace(" ", "_"))]
    ran = _execute(system, instance, chosen, settings["timeout_s"])
    told = ["%s kept%s" % (each.name, _more(each, each in chosen, ran)) for each in kept]
    return Outcome(", ".join(told), tuple(_warnings(kept)))


def _more(each: Kept, chosen: bool, ran: Sequence[str]) -> str:
    if each.name in ran:
        return " and executed"
    return " (a script, not executed)" if each.kind == formats.SCRIPT and not chosen else ""


def _warnings(kept: Sequence[Kept]) -> List[str]:
    found = []
    for each in kept:
        if each.problem is not None:
            found.append("%s kept as it came: %s" % (each.name, each.problem))
        elif each.kind not in (formats.SCRIPT, formats.OTHER):
            found.append("%s has a format that only cloud-init understands (%s): it is kept and has no effect" % (
                each.name, each.kind))
    return found


# -- keeping -----------------------------------------------------------------------------------------------------------

def _keep(system: System, name: str, text: str) -> Optional[Kept]:
    """Write one of them, as far unpacked as it can be. What the platform does not give any more stays as it was kept."""
    if not text.strip():
        return None
    path = "%s/%s" % (FOLDER, name.replace(" ", "-"))
    data, problem = text.encode("utf-8", "surrogateescape"), None
    try:
        data = formats.decode(text)
        data = formats.unpack(data)
    except MalformedError as error:
        problem = error
    system.write(path, data, 0o600)
    return Kept(name, path, data, "" if problem is not None else formats.recognise(data), problem)


# -- executing ---------------------------------------------------------------------------------------------------------

def _execute(system: System, instance: Instance, chosen: Sequence[Kept], timeout_s: float) -> List[str]:
    """Execute them one after the other; none before both are known to be scripts that can run.

    When the second fails the module has no mark and runs again at the next boot; a mark of its own keeps the first from
    running twice. They go when all is done, so that `lightinit module custom_data --force` executes both again.
    """
    for each in chosen:
        _check(each)
    if chosen and not system.live:
        system.skip("custom data scripts")
        return []
    for each in chosen:
        _check_interpreter(each)
    ran = []
    deadline_s = system.clock.monotonic() + timeout_s
    marks = [each.path + ".executed" for each in chosen]
    for each, mark in zip(chosen, marks):
        if system.exists(mark):
            LOG.info("%s was executed before: only what came after it runs again", each.name)
            continue
        _run(system, instance, each, max(0.0, deadline_s - system.clock.monotonic()), timeout_s)
        ran.append(each.name)
        if mark != marks[-1]:
            system.write(mark, b"")
    for mark in marks:
        system.remove(mark)
    return ran


def _check(each: Kept) -> None:
    if each.problem is not None:
        raise ProvisioningError("custom data cannot be decoded", which=each.name, why=each.problem,
                                hint="the platform takes base64; what came is in %s" % each.path)
    if each.kind == formats.SCRIPT:
        if each.data.split(b"\n", 1)[0].endswith(b"\r"):
            # The kernel takes the carriage return for a part of the interpreter's name.
            raise ProvisioningError("custom data is not a script", which=each.name, why="its lines end in CR LF",
                                    hint="give it with Unix line ends (LF)")
        return
    if each.kind != formats.OTHER:
        raise ProvisioningError("custom data has a format that is not supported", which=each.name, format=each.kind,
                                hint="give a script that begins with #!, or set `execute` so that it leaves this one out")
    why = "a byte-order mark or white space is before its #!" if formats.has_mark_before_script(each.data) else \
        "it does not begin with #!"
    raise ProvisioningError("custom data is not a script", which=each.name, why=why, hint="give a script that begins "
                            "with #!, or set `execute` so that it leaves this one out")


def _run(system: System, instance: Instance, each: Kept, left_s: float, limit_s: float) -> None:
    script = each.path + "-script"
    system.write(script, each.data, 0o700)

    def tell(line: str) -> None:
        LOG.info("%s: %s", each.name, line)

    ended = scripts.run_script(system, _command(each, system.path(script)),
                               {"LIGHTINIT_INSTANCE_ID": instance.id}, left_s,
                               "lightinit-" + each.name.replace(" ", "-"), tell)
    # Nothing of what it printed goes into an error, which the platform and every user can read: a shell quotes the script,
    # and what its variables hold, in its complaints. The log is root's.
    if ended.timed_out:
        raise ProvisioningError("custom data script took too long", which=each.name, limit_s=limit_s,
                                hint="raise timeout_s of [module.custom_data], or let the script start in the background "
                                "what takes long")
    if ended.status != 0:
        raise ProvisioningError("custom data script failed", which=each.name, status=ended.status,
                                hint="the log has what it printed: grep '%s:' /var/log/lightinit.log" % each.name)


def _check_interpreter(each: Kept) -> None:
    interpreter = formats.read_interpreter(each.data)
    if interpreter is None or not _can_execute(os.path.join("/", interpreter.path)):
        # Only the program's name: what stands behind it may be anything.
        raise ProvisioningError("interpreter of the custom data is missing", which=each.name,
                                interpreter=interpreter.path[:80] if interpreter is not None else "",
                                hint="put it into the image, or name another in the first line")


def _can_execute(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _command(each: Kept, path: str) -> List[str]:
    """The script itself, or its interpreter where the file system that it is on lets nothing be executed."""
    interpreter = formats.read_interpreter(each.data)
    if interpreter is None or not os.statvfs(path).f_flag & os.ST_NOEXEC:
        return [path]
    LOG.debug("%s is on a file system that is mounted noexec: its interpreter reads it", path)
    return [interpreter.path] + ([interpreter.argument] if interpreter.argument else []) + [path]
