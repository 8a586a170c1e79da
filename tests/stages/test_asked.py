"""Which of the shipped modules a cloud-config asks for: what they declare says it."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from lightinit.cloud_config.given import asks_for
from lightinit.settings.shipped import SHIPPED

DEFERRED = {"path": "/a", "defer": True}
ASKED: List[Any] = [
    ({}, []),
    ({"hostname": "web-1", "users": []}, []),
    ({"runcmd": ["true"], "locale": "C"}, ["locale", "scripts"]),
    ({"packages": None}, ["packages"]),
    ({"write_files": [{"path": "/a"}, DEFERRED]}, ["write_files_deferred"]),
    ({"write_files": [dict(DEFERRED, defer="yes")]}, ["write_files_deferred"]),
    ({"write_files": [{"path": "/a"}, {"path": "/b", "defer": False}]}, []),
    ({"write_files": []}, []),
    ({"write_files": None}, []),
    ({"write_files": "defer"}, []),
    ({"write_files": {"defer": True}}, []),
    ({"write_files": ["defer", None, {"defer": "perhaps"}]}, []),
]


@pytest.mark.parametrize(("values", "names"), ASKED, ids=[repr(case[0])[:50] for case in ASKED])
def test_these_are_asked_for(values: Dict[str, Any], names: List[str]) -> None:
    asked = [
        each.name
        for each in SHIPPED.values()
        if each.asked and asks_for(values, each.cloud_config, each.asked_field)
    ]
    assert sorted(asked) == names
