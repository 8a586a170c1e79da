"""Restarts the machine, or switches it off, when all else has ended: the results, the marks and the
status are on the disk, so that the next boot does not do it again.
"""

from __future__ import annotations

import logging

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host.init import power
from lightinit.model import Frequency, Outcome
from lightinit.pipeline import Context, run_step
from lightinit.result import finish
from lightinit.stages.pending import stage_done
from lightinit.stages.selection import in_memory, module_list

LOG = logging.getLogger("lightinit.power")
NEXT = "do it by hand if it is still wanted"


def run(context: Context) -> None:
    """Do what a module of this run has asked for. Nothing happens if none has.

    Args:
        context: after everything else of its run.
    """
    wish = power.find_wish(context.system)
    if wish is None:
        return
    try:
        _check(context, wish)
        LOG.info("%s, as %s asks%s", wish.mode, wish.by, ": " + wish.why if wish.why else "")
        context.is_going_down = True
        LOG.info("started: %s", power.act(context.system, wish))
    except LightinitError as error:
        context.is_going_down = False
        outcome = Outcome("no %s" % wish.mode, (str(error),))
        run_step(context.unmarked(), "check", "power", Frequency.BOOT, lambda: outcome)
        finish(context, ran=True)


def _check(context: Context, wish: power.PowerWish) -> None:
    """Refuse what could happen at each boot again.

    Raises:
        ProvisioningError: why.
    """
    why = ""
    if not stage_done(context, "final"):
        why = "the VM is not ready"
    elif module_list.find_mark(context, wish.by) is None:
        why = "the module %s has not left its mark" % wish.by
    elif wish.mode == "reboot" and in_memory.STATE in in_memory.find_in_memory(context):
        why = "%s is in memory, so each boot would restart the machine" % in_memory.STATE
    elif wish.mode == "reboot" and module_list.frequency_of(context, wish.by) is Frequency.BOOT:
        why = "%s runs at each boot, so each boot would restart the machine" % wish.by
    if why:
        raise ProvisioningError("machine is not switched off", mode=wish.mode, why=why, hint=NEXT)
