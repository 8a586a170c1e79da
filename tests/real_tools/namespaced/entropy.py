"""Run by test_entropy_real.py in a mount namespace of its own: the module with a table, and the
device that it is told.

Prints one JSON document: what was seen.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tty
from typing import Any, Dict

from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.modules import entropy

SECRET = b"OEM0".ljust(entropy.HEADER_BYTES, b"-") + b"ThisIsTheSecret!"


def must(*argv: str) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def lay_table(data: bytes) -> None:
    """Put a table where the kernel shows those of ACPI."""
    must("mount", "--make-rprivate", "/")
    must("mount", "-t", "tmpfs", "lightinit", "/sys/firmware")
    os.makedirs(os.path.dirname(entropy.TABLE))
    with open(entropy.TABLE, "wb") as handle:
        handle.write(data)


def apply() -> Dict[str, Any]:
    outcome = entropy.apply(Instance("real"), System("/"), {})
    return {"message": outcome.message, "warnings": outcome.warnings, "skipped": outcome.skipped}


def device() -> Dict[str, Any]:
    """The kernel's own device: that it takes the bytes, and uses them."""
    lay_table(SECRET)
    return apply()


def terminal() -> Dict[str, Any]:
    """A device that shows what it was given: the other end of a terminal."""
    lay_table(SECRET)
    shown, given = pty.openpty()
    tty.setraw(given)
    must("mount", "--bind", os.ttyname(given), entropy.POOL)
    said = apply()
    os.set_blocking(shown, False)
    return dict(said, given=os.read(shown, 65536).decode("latin-1"))


def none() -> Dict[str, Any]:
    """As on a machine whose kernel has no such table."""
    must("mount", "--make-rprivate", "/")
    must("mount", "-t", "tmpfs", "lightinit", "/sys/firmware")
    return apply()


if __name__ == "__main__":
    print(json.dumps({"device": device, "terminal": terminal, "none": none}[sys.argv[1]]()))
