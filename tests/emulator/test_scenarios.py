"""Scenario files: the shipped ones are valid and documented, wrong ones are explained."""

from __future__ import annotations

import os
import re
from typing import Any, List

import pytest

from lightinit.emulator import ScenarioError
from lightinit.emulator.scenario import (
    TOP_KEYS,
    find_problems,
    list_names,
    load_scenario,
    read_json,
)
from lightinit.emulator.wire.faults import KEYS, VARIANTS

PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "emulator.md")


def read_page() -> str:
    """Return the emulator's page."""
    with open(PAGE, encoding="utf-8") as file:
        return file.read()


def complain(**parts: Any) -> List[str]:
    """Return the problems of a scenario with these parts."""
    return find_problems(dict({"name": "x", "description": "x"}, **parts))


@pytest.mark.parametrize("name", list_names())
def test_shipped_scenarios_are_valid_and_say_what_they_expect(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.description.endswith(".")
    assert set(scenario.expect) == {"ready", "outcome", "reports"}
    assert (scenario.expect["outcome"] == "error") == ("Ready" not in scenario.expect["reports"])


def test_what_takes_more_than_any_agent_has_says_so() -> None:
    for name in list_names():
        scenario = load_scenario(name)
        kinds = [kind for kind in ("certificates", "preprovisioned") if name.startswith(kind)]
        assert scenario.needs == kinds, name
        assert (scenario.preprovisioned is not None) == (kinds == ["preprovisioned"]), name


def test_enough_scenarios_are_shipped() -> None:
    assert len(list_names()) >= 20


def test_page_and_scenario_files_agree() -> None:
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| (.*) \| (\d+) \| (\w+) \| (.*) \|$", read_page(), re.MULTILINE
    )
    written = {
        name: (text, int(ready), outcome, reports) for name, text, ready, outcome, reports in rows
    }
    shipped = {}
    for name in list_names():
        scenario = load_scenario(name)
        expect = scenario.expect
        shipped[name] = (
            scenario.description,
            expect["ready"],
            expect["outcome"],
            ", ".join(expect["reports"]) or "none",
        )
    assert written == shipped


def test_page_describes_every_key() -> None:
    page = read_page()
    for name, key in KEYS.items():
        assert "| `%s` | " % name in page, name
        assert key.meaning in page, name
    for name in TOP_KEYS:
        assert "`%s`" % name in page, name
    for names in VARIANTS.values():
        for name in names:
            assert "`%s`" % name in page, name


@pytest.mark.parametrize(
    "parts, sentence",
    [
        ({"goalstat": []}, "unknown key 'goalstat': did you mean 'goalstate'?"),
        ({"goalstate": {}}, "'goalstate' must be a list of steps"),
        ({"goalstate": [500]}, "goalstate[0] must be an object"),
        (
            {"imds": [{}, {"stauts": 500}]},
            "imds[1] has an unknown key 'stauts': did you mean 'status'?",
        ),
        ({"imds": [{"status": 999}]}, "imds[0]: 'status' must be an HTTP status"),
        ({"imds": [{"status": True}]}, "'status' must be an HTTP status"),
        ({"imds": [{"repeat": 0}]}, "'repeat' must be a count from 1"),
        ({"imds": [{"delay_s": -1}]}, "'delay_s' must be a number of seconds"),
        ({"imds": [{"reset": False}]}, "'reset' must be true"),
        ({"imds": [{"body_base64": "?"}]}, "'body_base64' must be base64"),
        ({"imds": [{"body": 5}]}, "'body' must be a text"),
        ({"imds": [{"status": 200, "headers": {"A": "b\r\nc"}}]}, "'headers' must be"),
        ({"imds": [{"truncate": "x"}]}, "'truncate' must be a whole number of bytes"),
        ({"imds": [{"endless_mb": 0}]}, "'endless_mb' must be a number of megabytes"),
        ({"imds": [{"redirect": "ftp://x"}]}, "'redirect' must be a URL"),
        ({"imds": [{"omit": "compute"}]}, "'omit' must be a list of dotted paths"),
        ({"imds": [{"set": []}]}, "'set' must be an object"),
        ({"imds": [{"omit": ["compute.osProfil"]}]}, "did you mean 'compute.osProfile'?"),
        ({"goalstate": [{"omit": ["GoalState.Incarnation"]}]}, "paths start below GoalState"),
        ({"goalstate": [{"set": {"Incarnation": 5}}]}, "must be a text or null in a goal state"),
        ({"imds": [{"variant": "dtd"}]}, "imds has no variant 'dtd': it has bom, deep, huge"),
        ({"imds": [{"variant": "odd"}]}, "'variant' must be one of"),
        ({"health": [{"omit": ["a"]}]}, "has 'omit', which is allowed only in goalstate and imds"),
        ({"imds": [{"advance_incarnation": 1}]}, "allowed only in goalstate and health"),
        ({"imds": [{"reset": True, "close": True}]}, "has reset and close: keep one"),
        ({"imds": [{"reset": True, "status": 500}]}, "which sends no answer"),
        ({"imds": [{"status": 500, "omit": ["compute"]}]}, "kinds answer and edit"),
        ({"imds": [{"body": "a", "body_base64": ""}]}, "keep one"),
        ({"imds": [{"processed": True}]}, "also needs 'status'"),
        ({"rate_limit": []}, "'rate_limit' must be an object"),
        ({"rate_limit": {"imsd": {"per_s": 1}}}, "there is no such server"),
        ({"rate_limit": {"imds": {"burst": 1}}}, "must be an object with 'per_s'"),
        ({"rate_limit": {"imds": {"per_s": 0}}}, "per_s must be a number of requests, more than"),
        ({"rate_limit": {"imds": {"per_s": 1, "burst": 0}}}, "burst must be a number"),
        ({"rate_limit": {"imds": {"per_s": 1, "retry_after_s": "1"}}}, "retry_after_s must be"),
        ({"rate_limit": {"imds": {"per_s": 1, "rate": 1}}}, "rate must be left out: known are"),
        ({"imds": [{"retry_after_s": 1}]}, "needs 'status' or 'throttle_s'"),
        (
            {"imds": [{"status": 429, "retry_after_s": 1, "retry_after_date_s": 1}]},
            "both forms of Retry-After",
        ),
        ({"health": [{"status": 500, "advance_incarnation": 1}]}, "add 'processed'"),
        ({"imds": [{"status": 500, "repeat": "forever"}, {}]}, "make it the last step"),
        ({"listen_after_s": {"imd": 1}}, "did you mean 'imds'?"),
        ({"listen_after_s": {"imds": "never"}}, 'must be a number of seconds, or "forever"'),
        ({"listen_after_s": 3}, "'listen_after_s' must be an object"),
        ({"api_versions": "2019-06-01"}, "'api_versions' must be a list of texts"),
        ({"instance": []}, "'instance' must be an object"),
        (
            {"expect": {"ready": 1, "outcome": "fine", "reports": ["Ready"]}},
            "expect.outcome must be one of",
        ),
        (
            {"expect": {"ready": 0, "outcome": "done", "reports": ["Ready"]}},
            "is not the number of Ready",
        ),
        (
            {"expect": {"ready": 0, "outcome": "error", "reports": [], "report": 1}},
            "did you mean 'reports'?",
        ),
        ({"name": ""}, "'name' is missing or empty"),
        ({"needs": ["certificate"]}, "did you mean 'certificates'?"),
        ({"needs": "certificates"}, "'needs' must be a list of certificates and preprovisioned"),
        ({"certificate_options": {"pkcs12": "x"}}, "pkcs12 must be one of modern"),
        ({"certificates": [{"variant": "deep"}]}, "certificates has no variant 'deep'"),
        ({"certificates": [{"omit": ["Data"]}]}, "allowed only in goalstate and imds"),
        ({"progress": [{"variant": "bom"}]}, "has 'variant', which is allowed only in"),
        ({"preprovisioned": "running"}, "'preprovisioned' must be Running or Savable"),
        ({"preprovisioned": "Running", "assign": []}, "'assign' must be an object"),
        ({"assign": {}}, "'assign' needs 'preprovisioned' beside it"),
        (
            {"preprovisioned": "Running", "assign": {"ovf": {"hostname": "a"}}},
            "assign.ovf has an unknown key 'hostname'",
        ),
        (
            {"preprovisioned": "Running", "assign": {"ovf": {"ssh_keys": "a"}}},
            "which must be a list of texts",
        ),
        (
            {"preprovisioned": "Running", "assign": {"ovf": {"user_name": "\u0000"}}},
            "which XML cannot contain",
        ),
        (
            {"preprovisioned": "Running", "assign": {"instance": 1}},
            "assign.instance must be an object",
        ),
        (
            {"preprovisioned": "Running", "assign": {"owner": 1}},
            "'assign' has an unknown key 'owner'",
        ),
        ({"assign_after_s": 1}, "'assign_after_s' needs 'assign'"),
        (
            {"preprovisioned": "Running", "assign": {}, "assign_after_s": -1},
            "must be a number of seconds",
        ),
    ],
)
def test_mistakes_are_explained(parts: dict, sentence: str) -> None:
    problems = complain(**parts)
    assert [problem for problem in problems if sentence in problem], problems


def test_all_mistakes_are_told_at_once() -> None:
    assert len(complain(naem="x", imds=[{"status": 1}, {"stat": 1}])) == 3
    assert find_problems([]) == ["a scenario must be a JSON object; see docs/emulator.md"]


@pytest.mark.parametrize(
    "text, sentence",
    [
        ('{"name": ', "line 1, column"),
        ('{"name": "a", "name": "b"}', "the key 'name' is twice"),
        ("\ufeff{}", "JSON"),
    ],
)
def test_wrong_json_is_located(tmp_path: Any, text: str, sentence: str) -> None:
    file = tmp_path / "scenario.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        read_json(str(file))
    assert sentence in str(caught.value)
    assert str(file) in str(caught.value)


def test_unreadable_and_overlong_files(tmp_path: Any) -> None:
    with pytest.raises(ScenarioError, match="cannot be read: No such file"):
        load_scenario(str(tmp_path / "none.json"))
    (tmp_path / "long.json").write_text(" " * 1048577)
    with pytest.raises(ScenarioError, match="is longer than 1048576 bytes"):
        load_scenario(str(tmp_path / "long.json"))


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'two-500-then-good'"):
        load_scenario("two-500-then-god")
