"""Restarts the VM or switches it off at the end of its first boot, as the ``power_state`` of a
cloud-config says. Here it is only asked for: it happens when all else has ended
(``lightinit/ending/power.py``).
"""

from __future__ import annotations

import logging
import shlex
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

from lightinit.errors import ProvisioningError
from lightinit.host.init import power
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.power_state")
NAME = "power_state"
CONDITION = "/run/lightinit/power-state-condition"
CONDITION_LIMIT_S = 60.0
YES, NO = 0, 1


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says: ``wanted``, a GivenPowerState or None."""
    from lightinit.formats.cloud_config.readers.ending import read_ending

    return {"wanted": read_ending(values)[0].power_state}


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Ask for it, unless its condition says no.

    Args:
        instance: not used.
        system: the machine.
        settings: ``wanted``, or nothing.

    Returns:
        What will happen. A condition that cannot be answered is a warning, and means no.
    """
    wanted = settings.get("wanted")
    if wanted is None:
        return Outcome("not asked for", skipped=True)
    if not system.live:
        system.skip("power_state")
        return Outcome("left out", skipped=True)
    met, why = _is_met(system, wanted.condition)
    if not met:
        warnings = (why,) if why else ()
        return Outcome("no %s: its condition is not met" % wanted.mode, warnings)
    when = "in %d minutes" % wanted.delay_minutes if wanted.delay_minutes else "now"
    power.ask(
        system,
        power.PowerWish(
            wanted.mode, NAME, "of the cloud-config", wanted.delay_minutes, wanted.message
        ),
    )
    return Outcome("%s %s, when all else has ended" % (wanted.mode, when))


def _is_met(
    system: System, condition: Union[bool, str, Sequence[str]]
) -> Tuple[bool, Optional[str]]:
    """Whether a condition is met; and if it cannot be known, why."""
    if isinstance(condition, bool):
        return condition, None
    from lightinit.host.scripts.run import run_script

    text = condition
    if not isinstance(text, str):
        text = "exec " + " ".join(map(shlex.quote, condition))
    # In a file, since every user can read the arguments of a command.
    system.write(CONDITION, (text + "\n").encode("utf-8", "surrogateescape"), 0o600, durable=False)
    try:
        ended = run_script(
            system,
            ["/bin/sh", system.path(CONDITION)],
            {},
            CONDITION_LIMIT_S,
            "lightinit-power-state",
            lambda line: LOG.info("condition: %s", line),
        )
    except ProvisioningError as error:
        return False, "its condition cannot be asked: %s" % error
    finally:
        system.remove(CONDITION)
    if ended.timed_out:
        return False, "its condition took longer than %g s" % CONDITION_LIMIT_S
    if ended.status not in (YES, NO):
        return (
            False,
            "its condition ended with status %d: write a command that ends with 0 or 1"
            % (ended.status),
        )
    return ended.status == YES, None
