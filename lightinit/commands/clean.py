"""``lightinit clean``: forgets what was provisioned, so that the next boot does it again.

Options also remove the log, the machine id, SSH host keys and accounts.
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import Callable, List, Sequence

from lightinit.commands.removal.changes import (
    Change,
    RemovalContext,
    RemovalStep,
    carry_out,
    file_removals,
    make_plan,
    removals,
)
from lightinit.commands.removal.host_keys import note_next_boot, plan_host_keys
from lightinit.commands.removal.session import run_alone
from lightinit.commands.removal.users import plan_users, provisioned_users
from lightinit.commands.terminal import complain, tell
from lightinit.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, ProvisioningError, RefusedError
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file
from lightinit.host.init import systemd
from lightinit.host.log import printable
from lightinit.host.system import System
from lightinit.registry import load_settings
from lightinit.settings import Settings
from lightinit.state import CURRENT, INSTANCES, SECRETS

MACHINE_ID = "/etc/machine-id"
DBUS_MACHINE_ID = "/var/lib/dbus/machine-id"
RUNTIME_STATE = ("/run/lightinit/sem", "/run/lightinit/status.json", SECRETS)


def run(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit clean``."""
    if arguments.reboot:
        check_reboot(system)

    steps = choose_steps(
        arguments.logs, arguments.machine_id, arguments.ssh_host_keys, arguments.user
    )
    code = run_alone(
        system, "clean", lambda: clean(system, steps, load_settings(system), tell, complain)
    )
    if arguments.reboot and code == EXIT_OK:
        os.sync()
        reboot(system)
    return code


def plan_instances(context: RemovalContext) -> List[Change]:
    """Plan to remove the state and marks of every instance.

    Marks of frequency ``once`` stay, because the disk is the same.
    """

    def forget(path: str) -> None:
        # The records name the provisioned accounts, and a second run needs them.
        if context.kept_users:
            raise ProvisioningError(
                "instances are kept until their accounts are gone",
                users=", ".join(context.kept_users),
                hint="fix the errors about these accounts, then run the command again",
            )
        context.system.remove_tree(path)

    there = [
        path
        for path in (CURRENT, INSTANCES) + RUNTIME_STATE
        if os.path.lexists(context.system.path(path, follow_last=False))
    ]
    return [Change("remove " + path, "removed " + path, partial(forget, path)) for path in there]


def plan_logs(context: RemovalContext) -> List[Change]:
    """Plan to remove the log and its rotated files."""
    if not context.log_file:
        return []
    names = (context.log_file, context.log_file + ".[0-9]*", context.log_file + "-[0-9]*")
    return file_removals(context.system, names)


def plan_machine_id(context: RemovalContext) -> List[Change]:
    """Plan to let the next boot make a new machine id.

    With systemd, /etc/machine-id becomes an empty file. If the file were missing, or contained
    ``uninitialized``, systemd would treat the next boot as the machine's first. Then it would apply
    all presets, which enables and disables services without the image maker's knowledge, and start
    units with ConditionFirstBoot=.
    """
    system = context.system
    if not systemd.is_installed(system):
        return removals(system, (MACHINE_ID, DBUS_MACHINE_ID))
    changes = []
    real = system.path(MACHINE_ID, follow_last=False)
    if os.path.islink(real) or not os.path.exists(real) or read_text_file(system, MACHINE_ID):
        changes.append(
            Change(
                "empty " + MACHINE_ID, "emptied " + MACHINE_ID, lambda: _empty_machine_id(system)
            )
        )
    # Usually a link to the other file. A separate file would bring the old id back.
    if not os.path.islink(system.path(DBUS_MACHINE_ID, follow_last=False)):
        changes += removals(system, (DBUS_MACHINE_ID,))
    return changes


def _empty_machine_id(system: System) -> None:
    if os.path.islink(system.path(MACHINE_ID, follow_last=False)):
        system.remove(MACHINE_ID)
    system.write(MACHINE_ID, b"", 0o444)
    restore_labels(system, [MACHINE_ID])


LOGS = RemovalStep("log", plan_logs)
MACHINE = RemovalStep("machine id", plan_machine_id)
KEYS = RemovalStep("SSH host keys", plan_host_keys)
USERS = RemovalStep("users", plan_users)
RECORDS = RemovalStep("instances", plan_instances)


def choose_steps(
    logs: bool, machine_id: bool, ssh_host_keys: bool, users: bool
) -> Sequence[RemovalStep]:
    """Return the steps of ``lightinit clean`` with these options.

    Accounts are removed before the records that name them. Both come last, so that logins work
    until then.
    """
    choices = (
        (LOGS, logs),
        (MACHINE, machine_id),
        (KEYS, ssh_host_keys),
        (USERS, users),
        (RECORDS, True),
    )
    return [step for step, is_chosen in choices if is_chosen]


def clean(
    system: System,
    steps: Sequence[RemovalStep],
    settings: Settings,
    say: Callable[[str], None],
    complain: Callable[[str], None],
) -> int:
    """Run the steps without asking.

    Args:
        system: the machine. The caller holds the lock.
        steps: from :func:`choose_steps`.
        settings: the effective settings.
        say: prints a line about what was done, or a note.
        complain: prints a line about what failed.

    Returns:
        The exit code.
    """
    going = provisioned_users(system) if USERS in steps else []
    context = RemovalContext(system, settings, USERS in steps, going)
    plan = make_plan(context, steps)
    planned_steps = [planned.step for planned in plan]
    note_next_boot(context, KEYS in planned_steps, RECORDS in planned_steps)
    for note in context.notes:
        say(printable("note: " + note.text))
    if not plan:
        say("nothing to remove")
    failed = carry_out(plan, lambda line: say(printable(line)))
    for line in failed:
        complain(line)
    if failed:
        return EXIT_FAILED
    return EXIT_OK


def check_reboot(system: System) -> None:
    """Refuse an impossible reboot before anything is changed.

    Raises:
        RefusedError: this is a scratch root.
    """
    if not system.live:
        raise RefusedError(
            "a scratch root cannot be rebooted",
            EXIT_USAGE,
            root=system.root,
            hint="leave out --reboot",
        )


def reboot(system: System) -> None:
    """Reboot this machine.

    Raises:
        ProvisioningError: there is no reboot command, or it failed.
    """
    systemctl, plain = system.tool("systemctl"), system.tool("reboot")
    if systemctl is not None and systemd.is_running(system):
        system.run_checked([systemctl, "reboot"])
    elif plain is not None:
        system.run_checked([plain])
    else:
        raise ProvisioningError(
            "no command that reboots", hint="reboot this machine in another way"
        )
