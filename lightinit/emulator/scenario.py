"""Finds, reads and checks scenario files. Plays nothing.

A scenario is a JSON object; docs/emulator.md describes its keys, and ``faults.py`` those of a step.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from lightinit.emulator.certificates.bundles import find_option_problems
from lightinit.emulator.documents.goal_state import format_goal_state, has_element
from lightinit.emulator.errors import ScenarioError
from lightinit.emulator.services.machine import read_data
from lightinit.emulator.services.paths import has_path, list_paths, merge
from lightinit.emulator.services.reprovision import find_assign_problems
from lightinit.emulator.wire.faults import ENDPOINTS, FOREVER, KEYS, FaultStep, find_conflicts
from lightinit.emulator.wire.rate_limit import find_limit_problems

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scenarios")
FILE_BYTES = 1 << 20
OUTCOMES = ("done", "degraded", "error")
REPORTS = ("Ready", "NotReady")
_TEXTS = ("name", "description")
_LISTS = ("api_versions", "wireserver_versions")
_OBJECTS = ("expect", "instance", "listen_after_s")
TOP_KEYS = (
    _TEXTS
    + ("expect", "needs")
    + ENDPOINTS
    + _LISTS
    + (
        "instance",
        "listen_after_s",
        "certificate_options",
        "preprovisioned",
        "assign",
        "assign_after_s",
        "rate_limit",
    )
)
NEEDS = ("certificates", "preprovisioned")
SERVERS = ("wireserver", "imds")


class Scenario(NamedTuple):
    """A valid scenario.

    ``expect`` is the outcome with a correct agent. ``needs`` names what the agent must support and
    be configured for. The emulator itself uses neither.
    """

    name: str
    description: str
    expect: Dict[str, Any]
    steps: Dict[str, List[FaultStep]]
    api_versions: Optional[List[str]]
    wireserver_versions: Optional[List[str]]
    instance: Dict[str, Any]
    listen_after_s: Dict[str, float | str]
    needs: List[str]
    certificate_options: Optional[Dict[str, Any]]
    preprovisioned: Optional[str]
    assign: Optional[Dict[str, Any]]
    assign_after_s: float
    rate_limit: Dict[str, Any]


def _name_nearest(key: str, known: Iterable[str]) -> str:
    import difflib  # a slow import, needed for errors only

    known = list(known)
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return "did you mean %r?" % near[0] if near else "known are: %s" % ", ".join(known)


def _check_step(step: Any, endpoint: str, where: str) -> List[str]:
    if not isinstance(step, dict):
        return ['%s must be an object such as {"status": 500}' % where]
    found = []
    for key, value in step.items():
        if key not in KEYS:
            found.append("%s has an unknown key %r: %s" % (where, key, _name_nearest(key, KEYS)))
        elif endpoint not in KEYS[key].endpoints:
            found.append(
                "%s has %r, which is allowed only in %s: remove it"
                % (where, key, " and ".join(KEYS[key].endpoints))
            )
        elif KEYS[key].check(value):
            found.append("%s: %r %s" % (where, key, KEYS[key].check(value)))
    return found or ["%s %s" % (where, text) for text in find_conflicts(step, endpoint)]


def _check_paths(step: FaultStep, endpoint: str, where: str, document: Any) -> List[str]:
    """Check that the paths of ``omit`` exist: a misspelt path would omit nothing."""
    found = []
    for path in step.get("omit", ()):
        if endpoint == "goalstate":
            if not has_element(format_goal_state("1", "c", "r", "h"), path):
                found.append(
                    "%s: 'omit' names no element of the goal state: %r; paths start below "
                    "GoalState, such as 'Container.ContainerId'" % (where, path)
                )
        elif not has_path(document, path):
            found.append(
                "%s: 'omit' names nothing in the IMDS document: %r; %s"
                % (where, path, _name_nearest(path, list_paths(document)))
            )
    if endpoint == "goalstate":
        for path, value in step.get("set", {}).items():
            if value is not None and not isinstance(value, str):
                found.append(
                    "%s: 'set' of %r must be a text or null in a goal state" % (where, path)
                )
    return found


def _check_sequence(steps: Any, endpoint: str, document: Any) -> List[str]:
    if not isinstance(steps, list):
        return ["%r must be a list of steps" % endpoint]
    found: List[str] = []
    for number, step in enumerate(steps):
        where = "%s[%d]" % (endpoint, number)
        problems = _check_step(step, endpoint, where)
        found += problems or _check_paths(step, endpoint, where, document)
        if not problems and step.get("repeat") == FOREVER and number + 1 < len(steps):
            found.append(
                "%s repeats forever, so later steps never run: make it the last step" % where
            )
    return found


def _check_expect(expect: Mapping[str, Any]) -> List[str]:
    found = [
        "'expect' has an unknown key %r: %s"
        % (key, _name_nearest(key, ("ready", "outcome", "reports")))
        for key in expect
        if key not in ("ready", "outcome", "reports")
    ]
    ready, reports = expect.get("ready"), expect.get("reports")
    if not isinstance(ready, int) or isinstance(ready, bool) or ready < 0:
        found.append("expect.ready must be the number of Ready reports that are accepted")
    if expect.get("outcome") not in OUTCOMES:
        found.append("expect.outcome must be one of %s" % ", ".join(OUTCOMES))
    if not isinstance(reports, list) or any(report not in REPORTS for report in reports):
        found.append("expect.reports must be a list of Ready and NotReady")
    elif reports.count("Ready") != ready:
        found.append(
            "expect.ready is not the number of Ready in expect.reports: change one of them"
        )
    return found


def _check_listen(delays: Mapping[str, Any]) -> List[str]:
    found = []
    for server, value in delays.items():
        is_number = (
            isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 86400
        )
        if server not in SERVERS:
            found.append(
                "'listen_after_s' has an unknown key %r: %s"
                % (server, _name_nearest(server, SERVERS))
            )
        elif not is_number and value != FOREVER:
            found.append('listen_after_s.%s must be a number of seconds, or "forever"' % server)
    return found


def _check_needs(needs: Any) -> List[str]:
    if not isinstance(needs, list):
        return ["'needs' must be a list of %s" % " and ".join(NEEDS)]
    return [
        "'needs' has an unknown word %r: %s" % (word, _name_nearest(str(word), NEEDS))
        for word in needs
        if word not in NEEDS
    ]


def find_problems(data: Any) -> List[str]:
    """Return one sentence for each mistake in a scenario's data; an empty list if it is valid."""
    if not isinstance(data, dict):
        return ["a scenario must be a JSON object; see docs/emulator.md"]
    strange = [key for key in data if key not in TOP_KEYS]
    found = ["unknown key %r: %s" % (key, _name_nearest(key, TOP_KEYS)) for key in strange]
    for key in _TEXTS:
        if not isinstance(data.get(key), str) or not data[key].strip():
            found.append("%r is missing or empty: give it a text" % key)
    for key in _LISTS:
        value = data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            found.append("%r must be a list of texts" % key)
    wrong = [key for key in _OBJECTS if not isinstance(data.get(key, {}), dict)]
    found += ["%r must be an object" % key for key in wrong]
    if "expect" in data and "expect" not in wrong:
        found += _check_expect(data["expect"])
    if "listen_after_s" not in wrong:
        found += _check_listen(data.get("listen_after_s", {}))
    found += _check_needs(data.get("needs", []))
    if "certificate_options" in data:
        found += find_option_problems(data["certificate_options"])
    found += find_assign_problems(data)
    found += find_limit_problems(data.get("rate_limit", {}), list(SERVERS))
    document = merge(
        read_data("instance.json"), data.get("instance", {}) if "instance" not in wrong else {}
    )
    for endpoint in ENDPOINTS:
        found += _check_sequence(data.get(endpoint, []), endpoint, document)
    return found


def make_scenario(data: Any, where: str) -> Scenario:
    """Make a scenario from its data.

    Args:
        data: the parsed JSON.
        where: the file's path or a name, for the error.

    Raises:
        ScenarioError: the data are not valid; the error lists every mistake.
    """
    problems = find_problems(data)
    if problems:
        raise ScenarioError(where, problems)
    return Scenario(
        data["name"],
        data["description"],
        data.get("expect", {}),
        {endpoint: data.get(endpoint, []) for endpoint in ENDPOINTS},
        data.get("api_versions"),
        data.get("wireserver_versions"),
        data.get("instance", {}),
        data.get("listen_after_s", {}),
        data.get("needs", []),
        data.get("certificate_options"),
        data.get("preprovisioned"),
        data.get("assign"),
        float(data.get("assign_after_s", 0)),
        data.get("rate_limit", {}),
    )


def _refuse_duplicates(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    seen: Dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError("the key %r is twice in one object: remove one" % key)
        seen[key] = value
    return seen


def read_json(path: str) -> Any:
    """Read a JSON file of at most 1 MiB.

    Raises:
        ScenarioError: the file cannot be read or is not JSON; the error names line and column.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_BYTES + 1)
        if len(data) > FILE_BYTES:
            raise ScenarioError(path, ["is longer than %d bytes" % FILE_BYTES])
        return json.loads(data.decode("utf-8"), object_pairs_hook=_refuse_duplicates)
    except OSError as error:
        raise ScenarioError(path, ["cannot be read: %s" % error.strerror]) from error
    except json.JSONDecodeError as error:
        raise ScenarioError(
            path, ["is not JSON: line %d, column %d: %s" % (error.lineno, error.colno, error.msg)]
        ) from error
    except (ValueError, RecursionError) as error:
        raise ScenarioError(path, ["is not usable JSON: %s" % error]) from error


def list_names() -> List[str]:
    """Return the names of the shipped scenarios, sorted."""
    return sorted(name[:-5] for name in os.listdir(FOLDER) if name.endswith(".json"))


def load_scenario(which: str | Mapping[str, Any]) -> Scenario:
    """Load a scenario.

    Args:
        which: a shipped scenario's name, a file's path (it contains a slash or ends in .json), or
            the data.

    Raises:
        ScenarioError: there is no such scenario, or it is not valid.
    """
    if not isinstance(which, str):
        return make_scenario(dict(which), str(which.get("name", "scenario")))
    if os.sep in which or which.endswith(".json"):
        return make_scenario(read_json(which), which)
    names = list_names()
    if which not in names:
        raise ScenarioError(
            which,
            [
                "there is no such scenario: %s" % _name_nearest(which, names),
                "run 'lightinit-emulator scenarios' for a list; for a file, give its path",
            ],
        )
    return make_scenario(read_json(os.path.join(FOLDER, which + ".json")), which)
