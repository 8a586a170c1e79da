"""Vendor data: a third document, under those of the owner."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, List, Tuple

import pytest

from lightinit.cloud_config.choice import ALL, BOTH
from lightinit.cloud_config.given import drop_unwanted, read_given
from lightinit.formats.cloud_config.merge import lay_under
from lightinit.formats.cloud_config.vendor import read_vendor_data
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.modules import custom_data, scripts
from lightinit.user_data import overview, variables
from tests.lib.needs_yaml import needs_yaml
from tests.lib.stand_in import LiveRoot


def instance(vendor: str, user: str, **more: Any) -> Instance:
    texts = [base64.b64encode(each.encode()).decode() for each in (vendor, user)]
    return Instance("the-id", vendor_data=texts[0], user_data=texts[1], **more)


def test_the_owners_keys_win_and_mappings_are_joined() -> None:
    owners = {"a": 1, "list": [1], "map": {"x": 1, "deep": {"y": 1}}, "none": None}
    vendors = {
        "a": 2,
        "list": [2, 3],
        "map": {"x": 2, "z": 2, "deep": {"y": 2, "w": 2}},
        "b": 2,
        "vendor_data": {"enabled": False},
    }
    assert lay_under(owners, vendors) == {
        "a": 1,
        "list": [1],
        "map": {"x": 1, "z": 2, "deep": {"y": 1, "w": 2}},
        "none": None,
        "b": 2,
    }
    assert owners["map"] == {"x": 1, "deep": {"y": 1}}, "neither is changed"


@pytest.mark.parametrize(
    ("value", "is_on", "mistakes"),
    [
        ({}, True, 0),
        ({"enabled": True}, True, 0),
        ({"enabled": False}, False, 0),
        ({"enabled": "no"}, False, 1),
        ({"enabled": [], "prefix": "/bin/wrap"}, True, 2),
        ({"sprefix": 1}, True, 1),
        ("text", True, 1),
    ],
)
def test_how_it_is_switched_off(value: Any, is_on: bool, mistakes: int) -> None:
    found = read_vendor_data({"vendor_data": value})
    assert (found[0], len(found[1])) == (is_on, mistakes)


@needs_yaml
def test_a_document_of_the_owner_goes_before(tmp_path: Path) -> None:
    system = System(str(tmp_path))
    vendor = "#cloud-config\nhostname: vendor\ntimezone: Etc/UTC\nmerge_how: 'dict(replace)'\n"
    given = read_given(system, instance(vendor, "#cloud-config\nhostname: owner\n"), ALL)
    assert given is not None
    assert given.values == {"hostname": "owner", "timezone": "Etc/UTC"}
    alone = read_given(system, instance(vendor, "#!/bin/sh\n"), ALL)
    assert alone is not None and alone.values["hostname"] == "vendor"


@needs_yaml
def test_switched_off_it_is_kept_and_has_no_effect(tmp_path: Path) -> None:
    system = LiveRoot(tmp_path)
    off = instance("#!/bin/sh\ntrue SECRET\n", "#cloud-config\nvendor_data: {enabled: false}\n")
    assert drop_unwanted(system, off, ALL) == BOTH
    assert drop_unwanted(system, instance("#!/bin/sh\n", "#!/bin/sh\n"), ALL) == ALL
    outcome = custom_data.apply(off, system, {"documents": BOTH})
    assert (
        outcome.message == ("vendor data kept (switched off by the user data), user data kept")
        and not outcome.warnings
    )
    kept = tmp_path / "var/lib/lightinit/instance/vendor-data"
    assert b"SECRET" in kept.read_bytes() and kept.stat().st_mode & 0o777 == 0o600
    views = overview.view(system, off, BOTH)
    assert [(each.name, each.parts[0].ended) for each in views] == [
        ("vendor data", "kept only"),
        ("user data", ""),
    ]
    assert "SECRET" not in str(overview.as_data(views))


def run(root: Path, vendor: str, user: str) -> Tuple[List[str], Any]:
    log = root / "log"
    system = LiveRoot(root)
    given = instance(vendor.replace("LOG", str(log)), user.replace("LOG", str(log)))
    outcome = scripts.apply(given, system, {"documents": ALL, "timeout_s": 0.0})
    return log.read_text().split(), outcome


def test_its_scripts_run_first_and_cannot_stop_the_owners(tmp_path: Path) -> None:
    told, outcome = run(
        tmp_path,
        "#!/bin/sh\necho vendor >>LOG\nexit 3\n",
        "#!/bin/sh\necho owner >>LOG\n",
    )
    assert told == ["vendor", "owner"]
    assert "user data executed" in outcome.message
    (warning,) = outcome.warnings
    assert "vendor data" in warning and "custom data script failed" in warning
    told, outcome = run(
        tmp_path,
        "#!/bin/sh\necho vendor >>LOG\nexit 3\n",
        "#!/bin/sh\necho owner >>LOG\n",
    )
    assert told == ["vendor", "owner"], "once per instance"
    (tmp_path / "other").mkdir()
    told, outcome = run(tmp_path / "other", "#!/missing/shell\n", "#!/bin/sh\necho owner >>LOG\n")
    assert told == ["owner"] and "interpreter of the custom data is missing" in outcome.warnings[0]


def test_templates_know_the_metadata_of_any_platform(tmp_path: Path) -> None:
    metadata = {"instance-id": "i-1", "local-hostname": "n", "a-b": 1, "userData": "SECRET"}
    found = variables.make(
        System(str(tmp_path)),
        Instance(
            "i-1",
            platform="nocloud",
            hostnames=("n",),
            location="desk",
            zone="desk-1",
            subplatform="seed-dir (/seed)",
            raw={"meta_data": metadata},
        ),
    )
    document = found["ds"]["meta_data"]
    assert (document["a_b"], document["local_hostname"]) == (1, "n")
    assert "imds" not in document and "SECRET" not in str(found)
    v1 = found["v1"]
    assert (v1["region"], v1["availability_zone"], v1["subplatform"], v1["cloud_name"]) == (
        "desk",
        "desk-1",
        "seed-dir (/seed)",
        "nocloud",
    )
