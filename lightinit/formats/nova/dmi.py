"""The words in DMI by which a VM of OpenStack is known.

Source: cloud-init's documentation of OpenStack ("Discovery") and its ds-identify. Clouds that are
built on OpenStack have an asset tag of their own.
"""

from __future__ import annotations

from typing import Optional

PRODUCTS = ("OpenStack Nova", "OpenStack Compute")
ASSET_TAGS = (
    *PRODUCTS,
    "HUAWEICLOUD",
    "OpenTelekomCloud",
    "SAP CCloud VM",
    "Samsung Cloud Platform",
)


def find_openstack(product_name: Optional[str], chassis_asset_tag: Optional[str]) -> str:
    """What in DMI says that this is OpenStack, as a phrase; "" if nothing does."""
    if (product_name or "").strip() in PRODUCTS:
        return "product name %s in DMI" % (product_name or "").strip()
    if (chassis_asset_tag or "").strip() in ASSET_TAGS:
        return "chassis asset tag %s in DMI" % (chassis_asset_tag or "").strip()
    return ""
