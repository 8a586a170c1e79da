"""Runs hooks. Each is a step with a mark of its own."""

from __future__ import annotations

import logging
import os
import re
import stat
from typing import Dict, List

from lightinit.errors import ProvisioningError
from lightinit.hooks import AFTER_MODULES, FOLDER, FREQUENCIES, REQUIRED
from lightinit.hooks.find import find
from lightinit.hooks.starts import Starts
from lightinit.host.system import System
from lightinit.model import Frequency, Outcome
from lightinit.pipeline import Context, key_of, run_step

LOG = logging.getLogger("lightinit.hooks")
INSTANCE_DATA = "/var/lib/lightinit/instance/instance-public.json"


def pending(context: Context, names: List[str]) -> List[str]:
    """The hooks that still have to run in this boot, apart from those of a stage.

    Args:
        context: the run.
        names: the hooks that an earlier result lists. Once the instance is ready, only these count,
            and those of each boot: what an upgrade adds must not run long after the first boot.
    """
    if not context.system.live or context.marks is None:
        return []
    ready = context.marks.find("stage.final", Frequency.INSTANCE) is not None
    found = []
    for place in AFTER_MODULES:
        frequency = FREQUENCIES.get(place, Frequency.INSTANCE)
        for hook in find(context.system, place).hooks:
            name = "%s/%s" % (place, hook)
            counts = not ready or frequency is Frequency.BOOT or name in names
            if counts and context.marks.find(key_of("hook", name), frequency) is None:
                found.append(name)
    return found


def run(context: Context, place: str) -> None:
    """Run the hooks of one folder, one after the other. Each is a step with a mark of its own.

    Args:
        context: the run.
        place: one of ``PLACES``.
    """
    system = context.system
    found = find(system, place)
    for text in found.ignored:
        LOG.warning("hooks: %s", text)
    if found.hooks and not system.live:
        system.skip("hooks")
        return
    for name in found.hooks:
        _run(context, place, name)


def _run(context: Context, place: str, name: str) -> None:
    def work() -> Outcome:
        return _execute(context, place, name)

    # What comes after Ready cannot take it back.
    required = place != "after-final" and REQUIRED in re.split(r"[-_.]", name)
    frequency = FREQUENCIES.get(place, Frequency.INSTANCE)
    run_step(context, "hook", "%s/%s" % (place, name), frequency, work, required)


def _execute(context: Context, place: str, name: str) -> Outcome:
    from lightinit.host.scripts.run import run_script

    system, path = context.system, "%s/%s/%s" % (FOLDER, place, name)
    _check_owner(system, path)
    starts = Starts(system, "%s.%s" % (place, name), context.instance_id)
    starts.begin(path)
    limit_s = context.settings["lightinit"]["hook_timeout_s"]
    unit = "lightinit-hook-" + re.sub(r"[^A-Za-z0-9]+", "-", name)

    def tell(line: str) -> None:
        LOG.info("%s/%s: %s", place, name, line)

    try:
        ended = run_script(
            system, [system.path(path)], _environment(context, place), limit_s, unit, tell
        )
    finally:
        context.check_stopped()  # then its end was not seen, and the record stays
    starts.end()
    if ended.timed_out:
        raise ProvisioningError(
            "hook took too long",
            hook=path,
            limit_s="%g" % limit_s,
            hint="raise hook_timeout_s of [lightinit], or let it start long work in the background",
        )
    if ended.status != 0:
        raise ProvisioningError(
            "hook failed",
            hook=path,
            status=ended.status,
            hint="the log has its output: grep '%s/%s:' /var/log/lightinit.log" % (place, name),
        )
    return Outcome("ran")


def _check_owner(system: System, path: str) -> None:
    """A hook runs as root, so only root may be able to change it."""
    from lightinit.host.files.trusted_place import find_weak_folder, root_uids

    real = system.path(path)
    try:
        status = os.stat(real)
        weak = find_weak_folder(system, os.path.dirname(real))
    except OSError as error:
        raise ProvisioningError("hook cannot be read", hook=path, error=error.strerror) from error
    who = ""
    if status.st_uid not in root_uids(system) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        who = path
    elif weak is not None:
        who = weak.path
    if who:
        raise ProvisioningError(
            "hook is not safe",
            hook=path,
            why="users other than root may change %s" % who,
            hint="chown root:root %s; chmod go-w %s" % (who, who),
        )


def _environment(context: Context, place: str) -> Dict[str, str]:
    """What a hook learns of the instance. Nothing here is secret."""
    from lightinit.host.log import printable

    instance, network = context.instance, context.network
    found = {"HOOK": place, "INSTANCE_ID": context.instance_id}
    if network is not None:
        found.update(INTERFACE=network.interface, ADDRESS=network.address)
    if instance is not None:
        found.update(
            PLATFORM=instance.platform,
            HOSTNAME=next(iter(instance.hostnames), ""),
            LOCATION=instance.location,
            VM_ID=instance.vm_id,
            VM_SIZE=instance.vm_size,
            ZONE=instance.zone,
            INSTANCE_DATA=INSTANCE_DATA,
        )
        if instance.admin is not None:
            found["ADMIN"] = instance.admin.name
    return {"LIGHTINIT_" + name: printable(value) for name, value in found.items()}
