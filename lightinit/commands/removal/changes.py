"""What `clean` and `generalize` have in common: steps that plan changes, and the changes carried
out.

What is shown beforehand and what is done are the same list. It knows no particular step.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, List, Sequence

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host.accounts.tools import restore_labels
from lightinit.host.system import READ_LIMIT_BYTES, System
from lightinit.settings import Settings


@dataclass(frozen=True)
class Change:
    """One thing to do.

    Attributes:
        todo: in words, before it is done: ``remove /etc/x``.
        done: in words, afterwards: ``removed /etc/x``.
        do: does it; raises LightinitError or OSError.
    """

    todo: str
    done: str
    do: Callable[[], Any]


@dataclass
class Job:
    """What the steps of one run work on.

    Attributes:
        system: the machine.
        settings: as they are in force.
        notes: what a person should know, said once, before anything is done.
        kept_users: accounts that were to go and could not be removed.
    """

    system: System
    settings: Settings
    notes: List[str] = field(default_factory=list)
    kept_users: List[str] = field(default_factory=list)

    @property
    def log_file(self) -> str:
        """Where the log is, "" for nowhere."""
        return str(self.settings["lightinit"]["log_file"])


@dataclass(frozen=True)
class Step:
    """A named part of the work: ``plan`` looks what there is to change, and changes nothing."""

    name: str
    plan: Callable[[Job], List[Change]]


@dataclass(frozen=True)
class Planned:
    """A step with what it is going to change; ``error`` when that could not even be found out."""

    step: Step
    changes: Sequence[Change] = ()
    error: str = ""


def make_plan(job: Job, steps: Sequence[Step]) -> List[Planned]:
    """What the steps have to do, in their order, without those that have nothing."""
    plan = []
    for step in steps:
        try:
            changes = step.plan(job)
        except (LightinitError, OSError) as error:
            plan.append(Planned(step, error=str(error)))
            continue
        if changes:
            plan.append(Planned(step, changes))
    return plan


def show_plan(plan: Sequence[Planned]) -> List[str]:
    """The plan for people, a line for each change."""
    lines = []
    for planned in plan:
        heads = [planned.step.name] + [""] * len(planned.changes)
        texts = [change.todo for change in planned.changes] or [
            "cannot be planned: " + planned.error
        ]
        lines += ["  %-14s %s" % pair for pair in zip(heads, texts)]
    return lines


def carry_out(plan: Sequence[Planned], say: Callable[[str], None]) -> List[str]:
    """Do all of it. What fails does not keep the rest from being done.

    Args:
        plan: as :func:`make_plan` gave it.
        say: told each change that was made; raises nothing.

    Returns:
        What failed, a line each.
    """
    failed = []
    for planned in plan:
        if planned.error:
            failed.append("%s: %s" % (planned.step.name, planned.error))
        for change in planned.changes:
            try:
                change.do()
            except (LightinitError, OSError) as error:
                failed.append("%s: %s: %s" % (planned.step.name, change.todo, error))
            else:
                say(change.done)
    return failed


# -- kinds of change
# --------------------------------------------------------------------------------------------------


def removals(system: System, paths: Sequence[str]) -> List[Change]:
    """One change for each of ``paths`` that is there: it is removed, with all that is in it,
    following no link.
    """
    return [
        Change("remove " + path, "removed " + path, partial(system.remove_tree, path))
        for path in paths
        if os.path.lexists(system.path(path, follow_last=False))
    ]


def file_removals(system: System, patterns: Sequence[str]) -> List[Change]:
    """As :func:`removals`, of the files and links (no folders) that match any of the shell
    patterns.
    """
    paths = [path for pattern in patterns for path in system.glob(pattern)]
    return removals(system, [path for path in dict.fromkeys(paths) if _is_no_folder(system, path)])


def _is_no_folder(system: System, path: str) -> bool:
    real = system.path(path, follow_last=False)
    return os.path.islink(real) or not os.path.isdir(real)


def read_file(system: System, path: str, limit_bytes: int = READ_LIMIT_BYTES) -> str:
    """The text of a file, bytes that are no UTF-8 kept; "" when there is none.

    Raises:
        ProvisioningError: it is there and cannot be read.
    """
    try:
        return system.read(path, limit_bytes).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
    except (OSError, LightinitError) as error:
        raise ProvisioningError(
            "file cannot be read", path=path, error=getattr(error, "strerror", None) or error
        ) from error


def edit_file(
    system: System, path: str, edit: Callable[[str], str], limit_bytes: int = READ_LIMIT_BYTES
) -> None:
    """Replace a file by what ``edit`` makes of its text; owner and mode stay. A missing file stays
    missing.

    Raises:
        ProvisioningError: it could not be read or written.
    """
    before = read_file(system, path, limit_bytes)
    after = edit(before)
    if after != before:
        status = os.stat(system.path(path))
        system.write(
            path,
            after.encode("utf-8", "surrogateescape"),
            stat.S_IMODE(status.st_mode),
            status.st_uid,
            status.st_gid,
        )
        restore_labels(system, [path])
