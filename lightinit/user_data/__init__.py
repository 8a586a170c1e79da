"""The kinds of user data: one file for each, and the table that lists them.

The table knows neither where the data come from nor whether the settings want them executed.
"""

from __future__ import annotations

from typing import Tuple

from lightinit.user_data.cloud_config import CloudConfig
from lightinit.user_data.kind import Kind
from lightinit.user_data.script import Script
from lightinit.user_data.unknown import Unknown
from lightinit.user_data.unsupported import Unsupported

# The first kind that recognises the data is used. The last one recognises everything.
KINDS: Tuple[Kind, ...] = (Script(), Unsupported(), CloudConfig(), Unknown())


def find_kind(data: bytes) -> Tuple[Kind, str]:
    """Find the kind of user data.

    Args:
        data: user data or custom data, decoded and unpacked.

    Returns:
        The kind, and the name of the format, such as ``script``, ``#include`` or ``MIME``.
    """
    for kind in KINDS:
        name = kind.recognise(data)
        if name:
            return kind, name
    raise AssertionError("the last kind recognises everything")
