"""What must be the same on a machine whether its first boot was interrupted or not."""

from __future__ import annotations

import re
from typing import Dict

from tests.lib.scratch import Machine

# What says when, how long or by which process: it differs between any two runs.
VARIES = (
    "/run/lightinit/",
    "/var/log/",
    "/timeline.json",
    "/result.json",
    "/sem/",
    "/var/lib/hyperv/",
)


def is_lasting(name: str) -> bool:
    """Whether the content of a file must be the same."""
    return not any(part in name for part in VARIES)


def lasting(machine: Machine) -> Dict[str, str]:
    """The tree without what differs between any two runs; marks by name alone."""
    tree = machine.tree()
    found = {name: text for name, text in tree.items() if is_lasting(name)}
    found.update({name: "" for name in tree if "/sem/" in name})
    # The stamp has each settings file's inode and time.
    found.update(
        {
            name: re.sub(r"file=\S+", "file=", text)
            for name, text in found.items()
            if name.endswith("/provisioned")
        }
    )
    return found
