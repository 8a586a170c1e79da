"""Every error that lightinit raises on purpose: one class per decision that the catcher makes.

An error has a ``reason``, a fixed phrase that can be searched for, and ``details``, the facts of
this case. The log line, the report to the platform and ``lightinit status`` are made from both, so
neither may have a secret in it. What to do next belongs in the detail ``hint``.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple


class LightinitError(Exception):
    """The base class. Catch a class below instead, unless you treat all of them alike.

    Args:
        reason: a fixed, searchable phrase in lower case, the same for every case of this kind.
        details: facts of this case; values are turned into text.
    """

    def __init__(self, reason: str, **details: Any) -> None:
        self.reason = reason
        self.details: Dict[str, str] = {key: str(value) for key, value in details.items()}
        super().__init__(reason, self.details)

    def __str__(self) -> str:
        facts = dict(self.details)
        hint = facts.pop("hint", "")
        text = self.reason
        if facts:
            text += " (" + ", ".join("%s=%s" % item for item in facts.items()) + ")"
        return text + ("; " + hint if hint else "")


class TransientError(LightinitError):
    """Try again: the same call may succeed later.

    Args:
        reason: as in :class:`LightinitError`.
        retry_after_s: seconds that the other side asked us to wait, or None.

    Attributes:
        was_sent: whether the whole request had been sent. Then the other side may have acted on it.
        wait_between_s: seconds between which to wait, at random, instead of the usual pause; None
            if nobody knows better.
    """

    def __init__(self, reason: str, retry_after_s: Optional[float] = None, **details: Any) -> None:
        super().__init__(reason, **details)
        self.retry_after_s = retry_after_s
        self.was_sent = False
        self.wait_between_s: Optional[Tuple[float, float]] = None


class MalformedError(LightinitError):
    """The bytes do not follow their format. Retry a request a few times; pass over a file."""


class ProvisioningError(LightinitError):
    """Give up this step and report: trying again in this boot would not help."""


class LibraryError(ProvisioningError):
    """A library that is not a part of Python cannot be used. Report without it.

    Attributes:
        is_missing: whether it is not installed, and not just damaged.
    """

    is_missing = False


class RepeatedError(ProvisioningError):
    """This step failed only because an earlier one had: that one's error is the one to show."""


class OvertakenError(RepeatedError):
    """Stop reporting a failure, and run the stages again: the cause of the failure has gone."""


class RefusedError(LightinitError):
    """Refuse the command: nothing was changed.

    Args:
        reason: as in :class:`LightinitError`.
        exit_code: the exit code of the command line, one of the ``EXIT_*`` below.
    """

    def __init__(self, reason: str, exit_code: int = 1, **details: Any) -> None:
        super().__init__(reason, **details)
        self.exit_code = exit_code


# Exit codes. 0 to 3 are those of `lightinit status`; the rest are those of sysexits.h, which no
# status uses.
EXIT_OK = 0
EXIT_FAILED = 1
EXIT_WARNINGS = 2
EXIT_NOT_RUN = 3
EXIT_USAGE = 64
EXIT_NO_INPUT = 66
EXIT_LOCKED = 75
EXIT_NO_PERMISSION = 77
