"""Whether a failure that is being reported has gone: then the boot goes on instead.

A report may take minutes, since without one the platform restarts the VM for ever. Meanwhile the
lease may come, or IMDS may answer. As long as the platform has not accepted NotReady, it is better
to run the stages again.
"""

from __future__ import annotations

import logging
from typing import Callable, Optional

from lightinit.errors import LibraryError, LightinitError, OvertakenError
from lightinit.pipeline import Context
from lightinit.stages import local

LOG = logging.getLogger("lightinit.revision")
# Asking the platform takes time that the report needs, and a server may throttle.
ASK_EVERY_S = 10.0
# A cause may come and go.
MAX_REVISIONS = 3
# What the stages need at least, before the watchdog ends them.
ROUND_S = 120.0


class Revisions:
    """How often the stages may run again in one boot, and until when.

    Without a limit of time the waits of each round would add up to more than the platform's
    patience.

    Args:
        context: the run. Its watchdog has begun.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._left = MAX_REVISIONS

    def failure_check(self) -> Callable[[], None]:
        """What the datasource calls while it reports the failure of this round."""
        if not self._left:
            return lambda: None
        check = failure_check(self._context)

        def in_time() -> None:
            if self._context.watchdog.left_s >= ROUND_S:
                check()

        return in_time

    def start_again(self) -> None:
        """The failure has gone: begin a new round."""
        self._left -= 1
        start_again(self._context)


def failure_check(context: Context) -> Callable[[], None]:
    """What the datasource calls while it reports the failure of this run.

    It raises OvertakenError if the network has come for which the local stage had waited, or if
    the platform gives by now what the fetch stage lacked. For any other failure it does nothing.
    """
    has_gone = _cause(context)

    def check() -> None:
        if has_gone is None:
            return
        try:
            gone = has_gone()
        except LightinitError as error:
            # The report matters more than this question.
            LOG.debug("it is unknown whether the failure has gone: %s", error)
            return
        if gone:
            raise OvertakenError("failure has gone")

    return check


def _cause(context: Context) -> Optional[Callable[[], bool]]:
    failure = context.first_failure
    if failure is None or context.datasource is None:
        return None
    if isinstance(failure.error, LibraryError):
        return None  # it will not be installed meanwhile, and the question may need it
    if failure.name == "local" and context.network is None:
        return local.has_network(context)
    if failure.name == "fetch" and context.network is not None:
        source = context.datasource
        answers = _asked_now_and_then(context, source.answers_now)
        # A look at this machine's own drives is no burden for the platform.
        return lambda: source.has_late_media() or answers()
    return None


def _asked_now_and_then(context: Context, ask: Callable[[], bool]) -> Callable[[], bool]:
    clock = context.system.clock
    next_s = clock.monotonic() + ASK_EVERY_S  # the stage has asked just now

    def has_gone() -> bool:
        nonlocal next_s
        if clock.monotonic() < next_s:
            return False
        found = ask()
        next_s = clock.monotonic() + ASK_EVERY_S
        return found

    return has_gone


def start_again(context: Context) -> None:
    """Forget the failed steps of this run. What has succeeded has its mark, and is not repeated."""
    failure = context.first_failure
    if failure is not None:
        LOG.warning("the failure has gone, the boot goes on: %s", failure.error)
    context.steps.clear()
    context.network = None
    context.instance = None
