"""The login check: can the admin log in from outside, with the key or password from the platform,
and become root?

It asks the host's own tools after the config stage, so that Ready is checked, not assumed. Each
tool that can refuse the admin has a file with one function, ``check(question)``, and a line in the
table :data:`CHECKS`. A check raises ProvisioningError if the tool could not be asked.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Callable, Dict, Tuple

if TYPE_CHECKING:
    from lightinit.login.question import Answer, Question

# They are asked in this order. The first certain refusal is reported.
ROOT = "root"
# The SSH server that a check is about. The admin needs only one that lets the admin in.
SERVERS: Dict[str, str] = {"sshd": "sshd", "pam": "sshd", "dropbear": "dropbear"}
CHECKS: Tuple[str, ...] = ("sshd", "pam", "dropbear", ROOT)


def load_check(name: str) -> Callable[[Question], Answer]:
    """The function ``check`` of the file ``name``."""
    check: Callable[[Question], Answer] = importlib.import_module("lightinit.login." + name).check
    return check
