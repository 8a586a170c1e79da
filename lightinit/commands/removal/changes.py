"""The common part of `clean` and `generalize`: steps plan changes, then the changes are made.

The plan that is shown is the plan that is done. This file knows no particular step.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, List, Sequence

from lightinit.commands.removal.mounted import remove_unmounted
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host.files.text import edit_text_file, read_text_file
from lightinit.host.system import READ_LIMIT_BYTES, System
from lightinit.model import NamedTuple
from lightinit.settings import Settings

# As logrotate names them, compressed or not.
ROTATED = re.compile(r".*(?:\.\d{1,4}|-\d{8}(?:-\d{1,12})?|\.old)(?:\.(?:gz|xz|bz2|zst|lz4))?\Z")


class Change(NamedTuple):
    """One thing to do.

    Attributes:
        todo: the text before the change: ``remove /etc/x``.
        done: the text after the change: ``removed /etc/x``.
        do: makes the change; raises LightinitError or OSError.
    """

    todo: str
    done: str
    do: Callable[[], Any]


class Note(NamedTuple):
    """What a step does not do, and the operator should know: ``text``, by the step's name."""

    step: str
    text: str


@dataclass
class RemovalContext:
    """The data that the steps of one run share.

    Attributes:
        system: the machine.
        settings: those in force.
        removes_users: whether this run removes the accounts that lightinit provisioned.
        going_users: their names, if it does.
        notes: notes for the operator, printed before anything is done.
        kept_users: accounts that could not be removed.
        step: the name of the step that is being planned.
    """

    system: System
    settings: Settings
    removes_users: bool = False
    going_users: Sequence[str] = ()
    notes: List[Note] = field(default_factory=list)
    kept_users: List[str] = field(default_factory=list)
    step: str = ""

    def note(self, text: str) -> None:
        """Add a note of the step that is being planned."""
        self.notes.append(Note(self.step, text))

    @property
    def log_file(self) -> str:
        """The path of the log, "" if there is none."""
        return str(self.settings["lightinit"]["log_file"])


class RemovalStep(NamedTuple):
    """A named part of the work. ``plan`` finds out what to change, and changes nothing."""

    name: str
    plan: Callable[[RemovalContext], List[Change]]


class Planned(NamedTuple):
    """A step with its changes; ``error`` says why they could not be planned."""

    step: RemovalStep
    changes: Sequence[Change] = ()
    error: str = ""


def make_plan(context: RemovalContext, steps: Sequence[RemovalStep]) -> List[Planned]:
    """The steps that have something to do, in order."""
    plan = []
    for step in steps:
        context.step = step.name
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
        Change("remove " + path, "removed " + path, partial(remove_unmounted, system, path))
        for path in paths
        if os.path.lexists(system.path(path, follow_last=False))
    ]


def file_removals(system: System, patterns: Sequence[str]) -> List[Change]:
    """As :func:`removals`, for the files and links (not directories) that match a shell pattern."""
    paths = matches(system, patterns)
    return removals(system, [path for path in paths if is_no_folder(system, path)])


def matches(system: System, patterns: Sequence[str]) -> List[str]:
    """The paths that match one of the shell patterns, each once, in order."""
    return list(dict.fromkeys(path for pattern in patterns for path in system.glob(pattern)))


def show_some(paths: Sequence[str], limit: int = 4) -> str:
    """Paths for a note: the first ones, and how many more there are."""
    shown = ", ".join(paths[:limit])
    if len(paths) > limit:
        shown += " and %d more" % (len(paths) - limit)
    return shown


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


def is_no_folder(system: System, path: str) -> bool:
    """Whether a path is a file or a link, also one to a directory."""
    real = system.path(path, follow_last=False)
    return os.path.islink(real) or not os.path.isdir(real)


def has_content(system: System, path: str) -> bool:
    """Whether there is a file that is not empty, a link, or a directory with something in it."""
    real = system.path(path, follow_last=False)
    if os.path.islink(real):
        return True
    if os.path.isdir(real):
        return bool(os.listdir(real))
    return os.path.isfile(real) and os.path.getsize(real) > 0


def log_removals(system: System, patterns: Sequence[str]) -> List[Change]:
    """Rotated logs go. The others stay without content, because programs have them open."""
    changes = []
    for path in matches(system, patterns):
        real = system.path(path, follow_last=False)
        if os.path.islink(real) or not os.path.isfile(real):
            continue
        if ROTATED.match(path):
            changes += removals(system, (path,))
        elif os.path.getsize(real):
            changes.append(
                Change("empty " + path, "emptied " + path, partial(empty_file, system, path))
            )
    return changes


def empty_file(system: System, path: str) -> None:
    """Take the content of a file. It stays the same file, for the programs that have it open.

    Raises:
        ProvisioningError: it is no regular file, or it has a second name that would lose its
            content too.
        OSError: it cannot be opened.
    """
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(system.path(path, follow_last=False), flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise ProvisioningError(
                "file cannot be emptied",
                path=path,
                hint="it is no plain file, or has a second name: look at it, and remove it",
            )
        os.ftruncate(descriptor, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
