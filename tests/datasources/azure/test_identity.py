"""Recognising Azure by what the firmware says."""

from __future__ import annotations

from typing import Optional

import pytest

from lightinit.datasources.azure.identity import is_azure, vm_id
from lightinit.host.identity import Dmi

UUID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
SWAPPED = "3d2c1b0a-5f4e-7160-8293-a4b5c6d7e8f9"


@pytest.mark.parametrize(
    ("tag", "answer"),
    [
        ("7783-7084-3265-9085-8269-3286-77", True),
        ("7783-7084-3265-9085-8269-3286-77\n", True),
        ("7783-7084-3265-9085-8269-3286-78", False),
        ("", False),
        (None, None),
        ("Amazon EC2", False),
    ],
)
def test_is_azure(tag: Optional[str], answer: Optional[bool]) -> None:
    assert is_azure(tag) is answer


def test_without_a_tag_the_vendor_tells_only_what_it_is_not() -> None:
    assert is_azure(None, "QEMU") is False
    assert is_azure(None, "Microsoft Corporation") is None
    assert is_azure(None, "") is None
    assert is_azure("7783-7084-3265-9085-8269-3286-77", "QEMU") is True


@pytest.mark.parametrize(
    "uuid, efi, found",
    [
        (UUID.upper(), True, UUID),
        (UUID, False, SWAPPED),
        (None, True, ""),
        ("00000000-0000-0000-0000-000000000000", False, ""),
    ],
)
def test_vm_id(uuid: Optional[str], efi: bool, found: str) -> None:
    assert vm_id(Dmi(product_uuid=uuid, efi=efi)) == found
