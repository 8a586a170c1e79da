"""The common part of `clean` and `generalize`: steps plan changes, then the changes are made.

The plan that is shown is the plan that is done. This file knows no particular step.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, List, Sequence

from lightinit.errors import LightinitError
from lightinit.host.files.text import edit_text_file, read_text_file
from lightinit.host.system import READ_LIMIT_BYTES, System
from lightinit.settings import Settings


@dataclass(frozen=True)
class Change:
    """One thing to do.

    Attributes:
        todo: the text before the change: ``remove /etc/x``.
        done: the text after the change: ``removed /etc/x``.
        do: makes the change; raises LightinitError or OSError.
    """

    todo: str
    done: str
    do: Callable[[], Any]


@dataclass
class RemovalContext:
    """The data that the steps of one run share.

    Attributes:
        system: the machine.
        settings: those in force.
        notes: notes for the operator, printed before anything is done.
        kept_users: accounts that could not be removed.
    """

    system: System
    settings: Settings
    notes: List[str] = field(default_factory=list)
    kept_users: List[str] = field(default_factory=list)

    @property
    def log_file(self) -> str:
        """The path of the log, "" if there is none."""
        return str(self.settings["lightinit"]["log_file"])


@dataclass(frozen=True)
class RemovalStep:
    """A named part of the work. ``plan`` finds out what to change, and changes nothing."""

    name: str
    plan: Callable[[RemovalContext], List[Change]]


@dataclass(frozen=True)
class Planned:
    """A step with its changes; ``error`` says why they could not be planned."""

    step: RemovalStep
    changes: Sequence[Change] = ()
    error: str = ""


def make_plan(context: RemovalContext, steps: Sequence[RemovalStep]) -> List[Planned]:
    """The steps that have something to do, in order."""
    plan = []
    for step in steps:
        try:
            changes = step.plan(context)
        except (LightinitError, OSError) as error:
            plan.append(Planned(step, error=str(error)))
            continue
        if changes:
            plan.append(Planned(step, changes))
    return plan


def show_plan(plan: Sequence[Planned]) -> List[str]:
    """The plan as text, a line for each change."""
    lines = []
    for planned in plan:
        heads = [planned.step.name] + [""] * len(planned.changes)
        texts = [change.todo for change in planned.changes] or [
            "cannot be planned: " + planned.error
        ]
        lines += ["  %-14s %s" % pair for pair in zip(heads, texts)]
    return lines


def carry_out(plan: Sequence[Planned], say: Callable[[str], None]) -> List[str]:
    """Make all changes. If one fails, the others are still made.

    Args:
        plan: from :func:`make_plan`.
        say: called with the text of each change that was made. It must not raise.

    Returns:
        A line for each failure.
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
    """A change for each of ``paths`` that exists: it is removed with everything in it.

    Links are not followed.
    """
    return [
        Change("remove " + path, "removed " + path, partial(system.remove_tree, path))
        for path in paths
        if os.path.lexists(system.path(path, follow_last=False))
    ]


def file_removals(system: System, patterns: Sequence[str]) -> List[Change]:
    """As :func:`removals`, for the files and links (not directories) that match a shell pattern."""
    paths = [path for pattern in patterns for path in system.glob(pattern)]
    return removals(system, [path for path in dict.fromkeys(paths) if _is_no_folder(system, path)])


def line_removals(
    system: System,
    what: str,
    path: str,
    drop: Callable[[str], str],
    limit_bytes: int = READ_LIMIT_BYTES,
) -> List[Change]:
    """A change that removes lines from a file; none if the file has no such lines.

    Args:
        system: the machine.
        what: the lines, in words.
        path: the file.
        drop: gives the file's text without these lines.
        limit_bytes: a larger file is an error.

    Raises:
        ProvisioningError: the file cannot be read.
    """
    before = read_text_file(system, path, limit_bytes) or ""
    if drop(before) == before:
        return []
    words = "%s from %s" % (what, path)
    edit = partial(edit_text_file, system, path, drop, limit_bytes)
    return [Change("remove " + words, "removed " + words, edit)]


def _is_no_folder(system: System, path: str) -> bool:
    real = system.path(path, follow_last=False)
    return os.path.islink(real) or not os.path.isdir(real)
