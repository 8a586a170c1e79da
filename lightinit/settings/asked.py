"""The modules that run only where a cloud-config asks for them, in the order in which they run.
What they declare is as in ``shipped.py``.
"""

from __future__ import annotations

from typing import Tuple

from lightinit.settings.declaration import Declaration

ASKED: Tuple[Declaration, ...] = ()
