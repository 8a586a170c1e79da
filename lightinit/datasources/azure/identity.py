"""How a VM on Azure is recognised: DMI, the platform's addresses, and the platform's id of the VM.

Pure: DMI values in, answers out.
"""

from __future__ import annotations

from typing import Optional

from lightinit.formats.instance_id import normalise_uuid, swap_byte_order
from lightinit.host.identity import Dmi

VENDOR = "Microsoft Corporation"
ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"  # the same on every VM on Azure
NOT_AZURE = "not an Azure VM (DMI has another chassis asset tag, or no tag and another vendor)"
# The same in every region: the VM's host answers there.
WIRESERVER = "168.63.129.16"
IMDS = "169.254.169.254"


def is_azure(asset_tag: Optional[str], sys_vendor: Optional[str] = None) -> Optional[bool]:
    """Whether this is a VM on Azure. The chassis asset tag decides; if it cannot be read, the
    vendor's name does.

    Args:
        asset_tag: "" if the firmware leaves it empty; None if there is none or it cannot be read.
        sys_vendor: the vendor's name, "" and None as for ``asset_tag``.

    Returns:
        None if it is unknown: all of Microsoft's virtual machines have the same vendor.
    """
    if asset_tag is not None:
        return asset_tag.strip() == ASSET_TAG
    if sys_vendor and sys_vendor.strip() != VENDOR:
        return False
    return None


def vm_id(dmi: Dmi) -> str:
    """The platform's id of this VM (vmId of IMDS), "" if DMI has no product_uuid.

    Source: docs/protocol.md: on Gen1 VMs, which have no UEFI, vmId is product_uuid in the other
        byte order; on Gen2 VMs it is product_uuid.
    """
    uuid = normalise_uuid(dmi.product_uuid)
    if uuid is None:
        return ""
    if dmi.efi:
        return uuid
    return swap_byte_order(uuid)
