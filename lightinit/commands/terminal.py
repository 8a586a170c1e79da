"""Prints text for operators, also on a terminal that cannot show all characters."""

from __future__ import annotations

import contextlib
import os
import sys

from lightinit.errors import EXIT_FAILED, RefusedError
from lightinit.host.log import printable


def show(text: str) -> None:
    """Print ``text`` on standard output, with escapes where needed: at boot there is no locale. If
    nobody reads it any more, as after ``| head -1``, that changes nothing.

    Raises:
        RefusedError: it cannot be written, as on a full disk.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        stop_printing()
    except OSError as error:
        raise unwritable(error) from None


def stop_printing() -> None:
    """Drop all further output: else Python would print an error at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def unwritable(error: OSError) -> RefusedError:
    """What to tell if standard output cannot be written."""
    return RefusedError(
        "output cannot be written",
        EXIT_FAILED,
        error=error.strerror or type(error).__name__,
        hint="look where standard output goes: is that disk full?",
    )


def tell(text: str) -> None:
    """Print a line about work that must go on, even if nobody reads the output any more."""
    try:
        show(text)
    except RefusedError:
        pass


def complain(text: str) -> None:
    """Print an error on standard error."""
    note("error: " + text)


def note(text: str) -> None:
    """Print a line beside the answer, on standard error."""
    with contextlib.suppress(OSError):
        sys.stderr.write("lightinit: %s\n" % printable(text))
