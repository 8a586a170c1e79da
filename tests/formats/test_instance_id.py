"""What may be an instance id, and the UUID in its two byte orders and any case."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

from lightinit.formats.instance_id import (
    is_usable_id,
    normalise_uuid,
    same_instance,
    swap_byte_order,
)
from lightinit.host.identity import Dmi, read_dmi
from lightinit.host.system import System

UUID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
SWAPPED = "3d2c1b0a-5f4e-7160-8293-a4b5c6d7e8f9"


@pytest.mark.parametrize(
    ("text", "uuid"),
    [
        (UUID, UUID),
        (UUID.upper() + "\n", UUID),
        ("  %s " % UUID, UUID),
        (None, None),
        ("", None),
        (UUID[:-1], None),
        (UUID + "0", None),
        (UUID.replace("-", ""), None),
        ("{%s}" % UUID, None),
        (UUID.replace("a", "g"), None),
        ("00000000-0000-0000-0000-000000000000", None),
        ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", None),
        ("Not Settable", None),
        (UUID + "\n" + UUID, None),
    ],
)
def test_normalise_uuid(text: Optional[str], uuid: Optional[str]) -> None:
    assert normalise_uuid(text) == uuid


def test_swap_byte_order() -> None:
    assert swap_byte_order(UUID) == SWAPPED
    assert swap_byte_order(SWAPPED) == UUID


@pytest.mark.parametrize(
    ("other", "answer"),
    [
        (UUID, True),
        (UUID.upper(), True),
        (SWAPPED, True),
        (SWAPPED.upper() + "\n", True),
        (UUID.replace("f9", "f8"), False),
        (SWAPPED.replace("3d", "3e"), False),
        (None, False),
        ("", False),
    ],
)
def test_same_instance(other: Optional[str], answer: bool) -> None:
    assert same_instance(UUID, other) is answer
    assert same_instance(other, UUID) is answer


def test_two_unknown_ids_are_not_the_same_instance() -> None:
    assert not same_instance(None, None)
    assert not same_instance("Not Settable", "Not Settable")


def test_read_dmi_below_the_root(tmp_path: Path) -> None:
    system = System(str(tmp_path))
    assert read_dmi(system) == Dmi()
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    (folder / "chassis_asset_tag").write_text("a tag\n")
    (folder / "product_uuid").write_text(UUID.upper() + "\n")
    (tmp_path / "sys/firmware/efi").mkdir(parents=True)
    assert read_dmi(system) == Dmi("a tag", UUID.upper(), None, True)


def test_read_dmi_takes_nothing_from_what_is_no_text_file(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/dmi/id"
    (folder / "chassis_asset_tag").mkdir(parents=True)
    (folder / "product_uuid").write_bytes(b"x" * 10000)
    assert read_dmi(System(str(tmp_path))) == Dmi()
    (folder / "product_uuid").write_bytes(b" \n")
    assert read_dmi(System(str(tmp_path))).product_uuid is None


@pytest.mark.parametrize("text", [UUID, "i-0abc12", "iid_local.01", "x" * 128])
def test_usable_ids(text: str) -> None:
    assert is_usable_id(text)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "../../etc", "a/b", "a b", "-x", "a\n", "ü", "x" * 129, "a\0"]
)
def test_ids_that_cannot_name_a_folder(text: str) -> None:
    assert not is_usable_id(text)
