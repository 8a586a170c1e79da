"""Which documents of user data take effect, by the settings. It reads no document."""

from __future__ import annotations

from typing import Mapping, Tuple

RUN, KEEP, NONE = "run", "keep", "none"
CUSTOM_DATA, USER_DATA = "custom data", "user data"
BOTH = (CUSTOM_DATA, USER_DATA)
# What `execute` of [module.custom_data] has meant.
EXECUTE: Mapping[str, Tuple[str, ...]] = {
    "none": (),
    "custom_data": (CUSTOM_DATA,),
    "user_data": (USER_DATA,),
    "both": BOTH,
}


def choose(user_data: str, execute: str = "") -> Tuple[str, ...]:
    """Choose the documents that take effect.

    Args:
        user_data: the setting of this name: run, keep or none.
        execute: the setting of custom_data that it has replaced; "" if no file sets it. It can only
            take a document away.

    Returns:
        ``custom data`` and ``user data``, one of them, or none.
    """
    if user_data != RUN:
        return ()
    return EXECUTE.get(execute, BOTH)
