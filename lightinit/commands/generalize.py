"""``lightinit generalize``: prepares the disk for an image.

It lists its steps, asks, runs them, and prints what to do next.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Callable, List

from lightinit.commands import clean
from lightinit.commands.removal import host_keys, image
from lightinit.commands.removal.changes import (
    Planned,
    RemovalContext,
    RemovalStep,
    carry_out,
    make_plan,
    show_plan,
)
from lightinit.commands.removal.session import run_alone
from lightinit.commands.removal.users import provisioned_users
from lightinit.commands.terminal import tell
from lightinit.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, RefusedError
from lightinit.host.log import printable
from lightinit.host.system import System
from lightinit.registry import load_settings
from lightinit.settings import Settings

LATE = (
    "Shutdown writes a random seed and a DHCP lease once more: harmless, because lightinit ignores"
    " a lease whose address is not in use."
)
QUESTION = "Do all this? It cannot be undone. [y/N] "
NEXT = (
    """
Next, without a reboot, because a boot would provision this machine again:
  unset HISTFILE     # the shell writes its history when it exits
  sudo poweroff
  az vm deallocate --resource-group GROUP --name VM
  az vm generalize --resource-group GROUP --name VM
"""
    + LATE
)
NEXT_USERS = (
    """
Next, without a reboot, because a boot would provision this machine again. The accounts are gone:
this may be your last session, and sudo no longer works in it:
  az vm deallocate --resource-group GROUP --name VM
  az vm generalize --resource-group GROUP --name VM
"""
    + LATE
)
NEXT_SCRATCH = "\nNext: unmount it."


KEYS = RemovalStep("SSH host keys", host_keys.plan_image_keys)


def run(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit generalize``."""
    ask: Callable[[str], str] = refuse_to_guess
    if sys.stdin is not None and sys.stdin.isatty():
        ask = input
    return run_alone(
        system,
        "generalize",
        lambda: generalize(system, arguments.user, load_settings(system), arguments.yes, ask, tell),
    )


def steps(users: bool) -> List[RemovalStep]:
    """Return the steps in order. Host keys and accounts come late, so that logins work until then;
    the records that name the accounts come last.
    """
    chosen = list(image.STEPS) + [clean.LOGS, clean.MACHINE, KEYS]
    if users:
        chosen.append(clean.USERS)
    return chosen + [clean.RECORDS]


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
    context = RemovalContext(system, settings)
    plan = make_plan(context, steps(users))
    if not users:
        stay = provisioned_users(system)
        if stay:
            context.notes.append(
                "accounts that lightinit provisioned stay (--user removes them): " + ", ".join(stay)
            )
    for note in context.notes:
        say(printable("note: " + note))
    if not plan:
        say("nothing left to do")
        return EXIT_OK
    if not yes:
        _confirm(plan, ask, say)
    failed = carry_out(plan, lambda line: say(printable(line)))
    os.sync()
    if failed:
        say("some steps failed:")
        for line in failed:
            say(printable("  " + line))
        say("fix these errors, then run the command again; it does what is left")
        return EXIT_FAILED
    say(_next_steps(system, plan))
    return EXIT_OK


def _next_steps(system: System, plan: List[Planned]) -> str:
    if not system.live:
        return NEXT_SCRATCH
    if any(each.step is clean.USERS for each in plan):
        return NEXT_USERS
    return NEXT


def _confirm(plan: List[Planned], ask: Callable[[str], str], say: Callable[[str], None]) -> None:
    say("lightinit generalize will:")
    for line in show_plan(plan):
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
