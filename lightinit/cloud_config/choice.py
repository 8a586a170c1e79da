"""Which documents of user data take effect, by the settings. It reads no document."""

from __future__ import annotations

from typing import Mapping, Tuple

RUN, KEEP, NONE = "run", "keep", "none"
CUSTOM_DATA, USER_DATA, VENDOR_DATA = "custom data", "user data", "vendor data"
BOTH = (CUSTOM_DATA, USER_DATA)  # the owner's
ALL = (VENDOR_DATA, *BOTH)
# What `execute` of [module.custom_data] has meant.
EXECUTE: Mapping[str, Tuple[str, ...]] = {
    "none": (),
    "custom_data": (CUSTOM_DATA,),
    "user_data": (USER_DATA,),
    "both": ALL,
}


def choose(user_data: str, execute: str = "") -> Tuple[str, ...]:
    """Choose the documents that take effect.

    Args:
        user_data: the setting of this name: run, keep or none.
        execute: the setting of custom_data that it has replaced; "" if no file sets it. It can only
            take a document away.

    Returns:
        Those of ``vendor data``, ``custom data`` and ``user data``; or none. The owner can switch
        vendor data off: see :func:`lightinit.cloud_config.given.drop_unwanted`.
    """
    if user_data != RUN:
        return ()
    return EXECUTE.get(execute, ALL)
