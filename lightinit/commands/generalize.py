"""``lightinit generalize``: prepares the disk for an image.

It lists its steps, asks, runs them, and prints what to do next.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import Callable, List, Tuple

from lightinit.commands import clean, terminal
from lightinit.commands.removal.changes import (
    Planned,
    RemovalContext,
    carry_out,
    make_plan,
    show_plan,
)
from lightinit.commands.removal.planners import PLANNERS
from lightinit.commands.removal.session import run_alone
from lightinit.commands.removal.table import NOT_OURS, NOTED, make_steps, read_table
from lightinit.commands.removal.users import provisioned_users
from lightinit.datasources.detect import AZURE, detect
from lightinit.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, RefusedError
from lightinit.host.log import printable
from lightinit.host.system import System
from lightinit.registry import load_settings
from lightinit.settings import Settings
from lightinit.state import INSTANCES

LATE = (
    "Shutdown writes a random seed and a DHCP lease once more: harmless, because lightinit ignores"
    " a lease whose address is not in use."
)
TO_REMOVE = "would be removed"  # the fate ``removed``, in a plan
QUESTION = "Do all this? It cannot be undone. [y/N] "
NEXT = """
Next, without a reboot, because a boot would provision this machine again:
  unset HISTFILE     # the shell writes its history when it exits
  sudo poweroff
"""
NEXT_USERS = """
Next, without a reboot, because a boot would provision this machine again. The accounts are gone:
this may be your last session, and sudo no longer works in it:
"""
ON_AZURE = """\
  az vm deallocate --resource-group GROUP --name VM
  az vm generalize --resource-group GROUP --name VM
"""
OFF_FROM_OUTSIDE = "  switch the machine off from outside\n"
ELSEWHERE = "  copy its disk: that is the image\n"
NEXT_SCRATCH = "\nNext: unmount it."


def run(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit generalize``."""
    if arguments.dry_run:
        return show(system, arguments.user, load_settings(system), terminal.show)
    ask: Callable[[str], str] = refuse_to_guess
    if sys.stdin is not None and sys.stdin.isatty():
        ask = input
    return run_alone(
        system,
        "generalize",
        lambda: generalize(
            system, arguments.user, load_settings(system), arguments.yes, ask, terminal.tell
        ),
    )


def plan(system: System, users: bool, settings: Settings) -> Tuple[RemovalContext, List[Planned]]:
    """Find out what is to do, by the table. Nothing is changed.

    Args:
        system: the machine.
        users: whether to remove the accounts that lightinit provisioned.
        settings: the effective settings.

    Returns:
        What the steps share, with their notes; and the steps that have something to do.
    """
    going = provisioned_users(system) if users else []
    context = RemovalContext(system, settings, users, going)
    return context, make_plan(context, make_steps(PLANNERS))


def show(system: System, users: bool, settings: Settings, say: Callable[[str], None]) -> int:
    """Print the plan, and change nothing: ``--dry-run``.

    Each line has three columns, with two spaces or more between them: the fate (``would be
    removed``, ``noted``, ``not ours``), the row of the table, and what would be done, the note, or
    the reason. A step that could not be planned is ``noted`` too.

    Args:
        system: the machine. Nobody holds the lock.
        users: as for :func:`plan`.
        settings: the effective settings.
        say: prints a line.

    Returns:
        The exit code: always 0.
    """
    hidden = find_hidden(system)
    if hidden:
        # The plan says it once, and not for each step that looks there.
        logging.getLogger("lightinit").setLevel(logging.ERROR)
    context, planned = plan(system, users, settings)
    lines = [
        (TO_REMOVE, each.step.name, change.todo) for each in planned for change in each.changes
    ]
    lines += [
        (NOTED, each.step.name, "cannot be planned: " + each.error)
        for each in planned
        if each.error
    ]
    if hidden:
        text = "what only root can read is not in this plan, such as %s" % hidden[0]
        lines.append((NOTED, "permission", text))
    lines += [(NOTED, note.step, note.text) for note in context.notes]
    lines += [
        (NOT_OURS, row.name, "%s: %s" % (row.what, row.why))
        for row in read_table()
        if row.fate == NOT_OURS
    ]
    for line in lines:
        say(printable("%-16s  %-17s  %s" % line))
    return EXIT_OK


def find_hidden(system: System) -> List[str]:
    """What the plan depends on and this process may not read: none for root."""
    records = ["%s/%s/instance.json" % (INSTANCES, name) for name in system.list_dir(INSTANCES)]
    found = []
    for path in ["/etc/shadow"] + records:
        real = system.path(path)
        if os.path.exists(real) and not os.access(real, os.R_OK):
            found.append(path)
    return found


def generalize(
    system: System,
    users: bool,
    settings: Settings,
    yes: bool,
    ask: Callable[[str], str],
    say: Callable[[str], None],
) -> int:
    """Plan the steps, ask, and run them.

    Args:
        system: the machine. The caller holds the lock.
        users: whether to remove the accounts that lightinit provisioned.
        settings: the effective settings.
        yes: whether to skip the question.
        ask: prints a question and returns the answer; raises RefusedError without a terminal.
        say: prints a line.

    Returns:
        The exit code.

    Raises:
        RefusedError: there is no terminal, or the answer was not yes.
    """
    context, planned = plan(system, users, settings)
    for note in context.notes:
        say(printable("note: " + note.text))
    if not planned:
        say("nothing left to do")
        return EXIT_OK
    if not yes:
        _confirm(planned, ask, say)
    failed = carry_out(planned, lambda line: say(printable(line)))
    os.sync()
    if failed:
        say("some steps failed:")
        for line in failed:
            say(printable("  " + line))
        say("fix these errors, then run the command again; it does what is left")
        return EXIT_FAILED
    if system.live:
        gone = any(each.step.name == clean.USERS.name for each in planned)
        say(next_steps(detect(system, settings.values).name == AZURE, gone))
    else:
        say(NEXT_SCRATCH)
    return EXIT_OK


def next_steps(on_azure: bool, gone: bool) -> str:
    """What is to be done after the command.

    Args:
        on_azure: whether this is a VM on Azure, or may be one.
        gone: whether accounts have been removed.
    """
    words = NEXT_USERS if gone else NEXT
    if on_azure:
        return words + ON_AZURE + LATE
    return words + OFF_FROM_OUTSIDE * gone + ELSEWHERE + LATE


def _confirm(planned: List[Planned], ask: Callable[[str], str], say: Callable[[str], None]) -> None:
    say("lightinit generalize will:")
    for line in show_plan(planned):
        say(printable(line))
    try:
        answer = ask(QUESTION)
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise RefusedError("nothing was changed", EXIT_FAILED)


def refuse_to_guess(_question: str) -> str:
    """Refuse, because there is no terminal to ask on."""
    raise RefusedError(
        "nobody to ask: standard input is no terminal",
        EXIT_USAGE,
        hint="use --yes to skip the question",
    )
