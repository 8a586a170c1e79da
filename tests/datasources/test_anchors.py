"""What names the instance at later boots: a clone must not look like the first VM."""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.datasources.anchors import describe
from lightinit.datasources.base import PRODUCT_UUID
from lightinit.datasources.ec2.datasource import Ec2Datasource
from lightinit.datasources.openstack.datasource import OpenStackDatasource
from lightinit.host.system import System


@pytest.mark.parametrize("source", [Ec2Datasource, OpenStackDatasource])
@pytest.mark.parametrize(
    "uuid, is_usable",
    [
        ("d8e02d56-2648-49a3-bf97-6be8f1204f38", True),
        (None, False),  # firmware without DMI
        ("", False),
        ("Not Settable", False),
        ("00000000-0000-0000-0000-000000000000", False),
        ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", False),
        ("03000200-0400-0500-0006-000700080009", False),  # on many boards
    ],
)
def test_a_uuid_that_others_have_names_no_instance(
    tmp_path: Any, source: Any, uuid: Any, is_usable: bool
) -> None:
    system = System(str(tmp_path))
    if uuid is not None:
        system.write(PRODUCT_UUID.name, (uuid + "\n").encode())
    made = source(system, {})
    assert made.anchors() == (PRODUCT_UUID,) * is_usable
    assert bool(describe(system, made)) is is_usable
