"""Whether this machine is a VM of OpenStack, by its firmware's tables."""

from __future__ import annotations

from typing import Any, Mapping

from lightinit.datasources.signs import Evidence, Sign
from lightinit.formats.nova.dmi import find_openstack


def find_sign(evidence: Evidence, options: Mapping[str, Any]) -> Sign:
    """Look at DMI. A machine without it, such as a bare-metal one or an old ARM VM, needs the
    datasource's name in the settings.
    """
    found = find_openstack(evidence.dmi.product_name, evidence.dmi.chassis_asset_tag)
    if found:
        return Sign(True, found)
    return Sign(False, "DMI names neither OpenStack nor a cloud that is built on it")
