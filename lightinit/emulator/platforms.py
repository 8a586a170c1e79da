"""The platforms that ``lightinit-emulator run`` plays: one function for each, in a table.

Azure has scenarios, which ``scenario.py`` checks. The others have one service, and faults for its
endpoints.
"""

from __future__ import annotations

import argparse
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.emulator.errors import ScenarioError
from lightinit.emulator.scenario import read_json
from lightinit.emulator.wire.faults import KEYS

# Of a step's keys, what means the same with any service.
GROUPS = ("answer", "redirect", "delivery", "modifier")
AZURE_ONLY = ("processed", "advance_incarnation", "waits_for", "retry_after_date_s")
Faults = Dict[str, List[Dict[str, Any]]]


def open_ec2(options: argparse.Namespace, instance: Dict[str, Any]) -> Any:
    """EC2's metadata service, as the command line asks for it."""
    from lightinit.emulator.ec2.platform import Ec2
    from lightinit.emulator.ec2.service import TOKENS

    return Ec2(
        instance,
        read_faults(options.scenario, Ec2.ENDPOINTS),
        options.imds,
        options.tokens or TOKENS[0],
        options.token_requests,
        options.log,
        options.latency_ms / 1000,
    )


def open_openstack(options: argparse.Namespace, instance: Dict[str, Any]) -> Any:
    """Nova's metadata service, as the command line asks for it."""
    from lightinit.emulator.openstack.platform import OpenStack

    return OpenStack(
        instance,
        read_faults(options.scenario, OpenStack.ENDPOINTS),
        options.imds,
        log=options.log,
        latency_s=options.latency_ms / 1000,
    )


# All but Azure. Each object has start, close, wait_for, in_flight and endpoint.
PLATFORMS: Dict[str, Callable[[argparse.Namespace, Dict[str, Any]], Any]] = {
    "ec2": open_ec2,
    "openstack": open_openstack,
}


def read_faults(path: str, endpoints: Sequence[str]) -> Optional[Faults]:
    """Read a file with the faults of a metadata service.

    Args:
        path: a JSON file with an object: endpoint -> list of steps; ``good`` for no faults.
        endpoints: the endpoints that the service has.

    Raises:
        ScenarioError: the file cannot be read, or is not valid; the error lists every mistake.
    """
    if path == "good":
        return None
    data = read_json(path)
    problems = _find_problems(data, endpoints)
    if problems:
        raise ScenarioError(path, problems)
    faults: Faults = data
    return faults


def _find_problems(data: Any, endpoints: Sequence[str]) -> List[str]:
    if not isinstance(data, dict):
        return ["must be an object: endpoint to list of steps; see docs/emulator.md"]
    found = []
    for name, steps in data.items():
        if name not in endpoints:
            found.append("unknown endpoint %r: known are %s" % (name, ", ".join(endpoints)))
        elif not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
            found.append("%r must be a list of objects such as {'status': 500}" % name)
        else:
            for number, step in enumerate(steps):
                found += ["%s[%d]: %s" % (name, number, text) for text in _check_step(step)]
    return found


def _check_step(step: Mapping[str, Any]) -> List[str]:
    found = []
    for key, value in step.items():
        if key not in KEYS or KEYS[key].group not in GROUPS or key in AZURE_ONLY:
            found.append("no key %r for this platform" % key)
        elif KEYS[key].check(value):
            found.append("%r %s" % (key, KEYS[key].check(value)))
    return found


def describe(options: argparse.Namespace, platform: Any) -> Dict[str, Any]:
    """What the first line on standard output says of a platform of the table."""
    return {"platform": options.platform, "imds": platform.endpoint}


def find_misfits(options: argparse.Namespace) -> Tuple[str, ...]:
    """The options that were given and that the platform does not have, as typed."""
    wrong: Tuple[str, ...] = ()
    if options.platform != "azure":
        wrong += ("wireserver", "host_plugin", "once", "certificates", "on_pool_ready")
    if options.platform != "ec2":
        wrong += ("tokens", "token_requests")
    return tuple("--" + name.replace("_", "-") for name in wrong if getattr(options, name))
