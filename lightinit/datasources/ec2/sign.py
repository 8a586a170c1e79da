"""How a VM on EC2, or on a private cloud that speaks its protocol, is recognised by DMI.

Source: AWS's documentation, "Identify EC2 instances"; the names of private clouds are those that
cloud-init's ds-identify knows.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional

from lightinit.datasources.signs import Evidence, Sign
from lightinit.formats.instance_id import normalise_uuid, same_instance, swap_byte_order
from lightinit.host.identity import Dmi

VENDOR = "Amazon EC2"
PREFIX = "ec2"
HYPERVISOR_UUID = "/sys/hypervisor/uuid"
MISSING = "DMI names neither Amazon EC2 nor a cloud that is known to speak its protocol"


def find_sign(evidence: Evidence, options: Mapping[str, Any]) -> Sign:
    """Whether this is a VM on EC2, or on a cloud like it."""
    why = _find(evidence.dmi)
    if not why and evidence.system.read_text(HYPERVISOR_UUID).strip().lower().startswith(PREFIX):
        why = "Xen's uuid begins with ec2"
    return Sign(bool(why), why or MISSING)


def is_amazon(dmi: Dmi) -> bool:
    """Whether DMI says that Amazon made this machine: Nitro, and bare metal."""
    return (dmi.sys_vendor or "").strip() == VENDOR


def _find(dmi: Dmi) -> str:
    """What in DMI is a sign, as a phrase; "" for nothing."""
    vendor, product = (dmi.sys_vendor or "").strip(), (dmi.product_name or "").strip()
    serial, tag = (dmi.product_serial or "").strip(), (dmi.chassis_asset_tag or "").strip()
    if is_amazon(dmi):
        return "DMI's vendor is Amazon EC2"
    # One of 4096 random UUIDs begins so. On EC2, the serial number is the same UUID.
    if _begins_with_ec2(dmi.product_uuid) and same_instance(dmi.product_uuid, serial):
        return "DMI's product_uuid and serial number begin with ec2"
    if serial.endswith(".brightbox.com"):
        return "DMI's serial number is of Brightbox"
    if tag.endswith(".zstack.io"):
        return "DMI's chassis asset tag is of ZStack"
    if vendor == "e24cloud":
        return "DMI's vendor is e24cloud"
    if vendor == "3DS Outscale" and product == "3DS Outscale VM":
        return "DMI's product is 3DS Outscale VM"
    return ""


def _begins_with_ec2(text: Optional[str]) -> bool:
    """Whether a UUID begins with ec2, in either byte order."""
    uuid = normalise_uuid(text)
    return uuid is not None and (
        uuid.startswith(PREFIX) or swap_byte_order(uuid).startswith(PREFIX)
    )
