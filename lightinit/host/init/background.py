"""Lets the rest of a command go on in the background, while the command itself ends.

An init system waits for a command before it starts what is ordered after it. systemd leaves the
processes of a unit alone while the unit is active (``RemainAfterExit=yes``, systemd.service(5)).
"""

from __future__ import annotations

import logging
import os

LOG = logging.getLogger("lightinit.boot")


def split() -> bool:
    """Make a second process that goes on, in a session of its own: so the end of the first one
    sends it no SIGHUP. It has the same open files, and so the same locks.

    Returns:
        Whether this is the process that goes on. The first one is that, too, if there can be no
        second one.
    """
    try:
        pid = os.fork()
    except OSError as error:
        LOG.warning("the rest holds up the boot: no second process: %s", error.strerror)
        return True
    if pid:
        return False
    os.setsid()
    return True
