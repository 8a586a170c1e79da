"""Health reports, and the records inside them: whole where they fit, cut where they do not."""

from __future__ import annotations

import csv
import io
import random
from typing import Dict, List
from xml.etree import ElementTree

import pytest

from lightinit.formats.azure import health
from lightinit.model import GoalState

STATE = GoalState(incarnation="3", container_id="c<1>", role_instance_id="role&1")
FIXED = {
    "agent": "lightinit/0.1.0",
    "vm_id": "00000000-1111-2222-3333-444444444444",
    "timestamp": "2023-11-14T22:13:20Z",
}
URL = "https://aka.ms/linuxprovisioningerror"


def fields_of(record: str) -> List[str]:
    """The record as an operator's tool reads it."""
    rows = list(csv.reader([record], delimiter="|", quotechar="'"))
    assert len(rows) == 1
    return rows[0]


def values_of(record: str) -> Dict[str, str]:
    return {name: value for name, _, value in (field.partition("=") for field in fields_of(record))}


def test_ready() -> None:
    tree = ElementTree.fromstring(health.ready(STATE))
    assert tree.tag == "Health"
    assert tree.findtext("GoalStateIncarnation") == "3"
    assert tree.findtext("Container/ContainerId") == "c<1>"
    role = tree.find("Container/RoleInstanceList/Role")
    assert role is not None
    assert role.findtext("InstanceId") == "role&1"
    assert role.findtext("Health/State") == "Ready"
    assert role.find("Health/Details") is None


def test_not_ready() -> None:
    tree = ElementTree.fromstring(
        health.not_ready(STATE, "ProvisioningFailed", "a|b <&> 'ü' \x00\x1b\ud800\uffff|z")
    )
    status = tree.find("Container/RoleInstanceList/Role/Health")
    assert status is not None
    assert status.findtext("State") == "NotReady"
    assert status.findtext("Details/SubStatus") == "ProvisioningFailed"
    assert status.findtext("Details/Description") == "a|b <&> 'ü' ????|z"


@pytest.mark.parametrize("unit", ["&", "\U0001f600", "<", "é", "\x01", "a"])
def test_a_description_is_cut_before_the_server_would_refuse_it(unit: str) -> None:
    body = health.not_ready(STATE, "ProvisioningFailed", unit * 5000).decode("utf-8")
    escaped = body[body.index("<Description>") + 13 : body.index("</Description>")]
    assert len(escaped.encode("utf-8")) <= 4096
    text = ElementTree.fromstring(body.encode("utf-8")).findtext(".//Description")
    assert text is not None and len(text) == 512


def test_the_whole_record() -> None:
    record = health.failure_description(
        "user cannot be made", {"user": "it's|me", "status": "9"}, **FIXED
    )
    assert record == (
        "result=error|reason=user cannot be made|agent=lightinit/0.1.0|'user=it''s|me'|status=9"
        "|vm_id=00000000-1111-2222-3333-444444444444|timestamp=2023-11-14T22:13:20Z"
        "|documentation_url=" + URL
    )
    assert values_of(record)["user"] == "it's|me"


def test_success() -> None:
    assert health.success_description(**FIXED) == (
        "result=success|agent=lightinit/0.1.0|pps_type=None"
        "|vm_id=00000000-1111-2222-3333-444444444444"
        "|timestamp=2023-11-14T22:13:20Z"
    )


def test_the_longest_detail_gives_way_first() -> None:
    record = health.failure_description(
        "command failed", {"command": "useradd", "said": "x" * 2000, "status": "9"}, **FIXED
    )
    values = values_of(record)
    assert len(record) == 512
    assert (values["command"], values["status"]) == ("useradd", "9")
    assert values["said"].startswith("xxxx") and values["said"].endswith("xx...")


def test_two_long_details_share_the_room() -> None:
    record = health.failure_description(
        "command failed", {"one": "x" * 300, "two": "y" * 300}, **FIXED
    )
    values = values_of(record)
    assert len(record) <= 512
    assert len(values["one"]) > 100 and len(values["two"]) > 100


def test_a_record_that_just_fits_is_not_cut() -> None:
    spare = 512 - len(health.failure_description("r", {"k": ""}, **FIXED))
    whole = health.failure_description("r", {"k": "x" * spare}, **FIXED)
    assert len(whole) == 512 and "..." not in whole
    cut = health.failure_description("r", {"k": "x" * (spare + 1)}, **FIXED)
    assert len(cut) == 512 and values_of(cut)["k"] == "x" * (spare - 3) + "..."


def test_too_many_details_are_counted() -> None:
    record = health.failure_description(
        "r", {"key%d" % number: "v" * 40 for number in range(100)}, **FIXED
    )
    values = values_of(record)
    kept = [name for name in values if name.startswith("key")]
    assert kept and int(values["left_out"]) == 100 - len(kept)
    assert kept == ["key%d" % number for number in range(len(kept))]


def test_a_detail_cannot_pass_for_one_of_the_records_own() -> None:
    record = health.failure_description("r", {"result": "success", "vm_id": "other"}, **FIXED)
    values = values_of(record)
    assert (values["result"], values["error_result"]) == ("error", "success")
    assert (values["vm_id"], values["error_vm_id"]) == (FIXED["vm_id"], "other")


def test_a_record_stays_on_one_line() -> None:
    record = health.failure_description("r", {"said": "one\r\ntwo\x00\u2028three"}, **FIXED)
    assert values_of(record)["said"] == "one  two  three"


def test_any_record_fits_and_can_be_read() -> None:
    dice = random.Random(4096)
    letters = "ab'|&<é\U0001f600\n\ud800=."
    for _ in range(400):

        def text(limit: int) -> str:
            return "".join(dice.choice(letters) for _ in range(dice.randint(0, limit)))

        details = {
            "k%d" % number: text(dice.choice((3, 30, 300, 900)))
            for number in range(dice.randint(0, 30))
        }
        reason = text(dice.choice((20, 500)))
        record = health.failure_description(
            reason, details, text(dice.choice((10, 200))), text(100), text(60), text(200)
        )
        assert len(record) <= 512
        rewritten = io.StringIO()
        csv.writer(rewritten, delimiter="|", quotechar="'", lineterminator="").writerow(
            fields_of(record)
        )
        assert rewritten.getvalue() == record
        names = [field.partition("=")[0] for field in fields_of(record)]
        assert names[:3] == ["result", "reason", "agent"]
        assert names[-3:] == ["vm_id", "timestamp", "documentation_url"]
        assert len(names) - 6 <= len(details) + 1
        tree = ElementTree.fromstring(health.not_ready(STATE, "ProvisioningFailed", record))
        assert tree.findtext(".//Description") == record
