"""The modules that run only where a cloud-config asks for them, in the order in which they run.
What they declare is as in ``shipped.py``.
"""

from __future__ import annotations

from typing import Tuple

from lightinit.model import Frequency
from lightinit.settings.declaration import Declaration

ASKED: Tuple[Declaration, ...] = (
    Declaration(
        "phone_home",
        Frequency.INSTANCE,
        False,
        cloud_config=("phone_home",),
        asked=True,
    ),
    Declaration(
        "final_message",
        Frequency.INSTANCE,
        False,
        cloud_config=("final_message",),
        asked=True,
    ),
    Declaration(
        "power_state",
        Frequency.INSTANCE,
        False,
        cloud_config=("power_state",),
        asked=True,
    ),
)
