"""Prints text for operators, also on a terminal that cannot show all characters."""

from __future__ import annotations

import sys

from lightinit.host.log import printable


def show(text: str) -> None:
    """Print ``text`` on standard output, with escapes where needed: at boot there is no locale."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def tell(text: str) -> None:
    """Print a line about work that must go on, even if nobody reads the output any more."""
    try:
        show(text)
    except OSError:
        pass


def complain(text: str) -> None:
    """Print an error on standard error."""
    sys.stderr.write("lightinit: error: %s\n" % printable(text))
