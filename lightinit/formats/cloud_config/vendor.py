"""Vendor data, as the owner wants them: ``vendor_data``."""

from __future__ import annotations

from typing import Any, List, Mapping, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section

KEYS = ("vendor_data",)
KNOWN = ("enabled", "prefix")


def read_vendor_data(values: Mapping[str, Any]) -> Tuple[bool, List[Mistake]]:
    """Read whether vendor data take effect. Source: cloud-init's documentation, "Vendor data".

    Args:
        values: the keys of a cloud-config.

    Returns:
        Whether they do: unless it is switched off; and the mistakes.
    """
    given = Section(values)
    section = given.section("vendor_data")
    if section is None:
        return True, given.mistakes
    section.know(KNOWN)
    if section.values.get("prefix"):
        section.wrong(
            "prefix",
            "it is not supported: scripts of vendor data are executed as they are",
            "leave it out, or switch vendor data off by `enabled: false`",
        )
    return section.yes("enabled", True), given.mistakes
