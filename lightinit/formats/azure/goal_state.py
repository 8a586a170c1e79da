"""The WireServer's goal state and list of versions: bytes in, model out. It knows no HTTP."""

from __future__ import annotations

from typing import Tuple

from lightinit.errors import TransientError
from lightinit.formats import xml
from lightinit.model import GoalState

MAX_ID = 256
MAX_URL = 2048


def parse_goal_state(data: bytes) -> GoalState:
    """Read ``GET /machine?comp=goalstate``.

    Ids are opaque: nothing is asked of them but that they are there, short, and without control
    characters. When there are several role instances the first is taken for this VM.

    Args:
        data: the answer's body, UTF-8, with or without a byte-order mark.

    Returns:
        The goal state; ``certificates_url`` as given, escapes and all, None when absent.

    Raises:
        TransientError: there is no RoleInstance, as happens for a moment at boot: it comes by
            waiting, so it may be waited for as long as for any answer that isn't ready.
        MalformedError: anything else that is wrong, with the field's name.
    """
    root = xml.parse(data, "GoalState")
    incarnation = root.required("Incarnation", limit=MAX_ID)
    container = root.required("Container", "ContainerId", limit=MAX_ID)
    role = ("Container", "RoleInstanceList", "RoleInstance")
    if root.find(*role) is None:
        raise TransientError("goal state has no role instance yet", incarnation=incarnation)
    return GoalState(
        incarnation=incarnation,
        container_id=container,
        role_instance_id=root.required(*role, "InstanceId", limit=MAX_ID),
        version=root.value("Version", limit=MAX_ID),
        expected_state=root.value("Machine", "ExpectedState", limit=MAX_ID),
        certificates_url=root.value(*role, "Configuration", "Certificates", limit=MAX_URL) or None,
    )


def parse_versions(data: bytes) -> Tuple[str, ...]:
    """Read ``GET /?comp=versions``: the preferred version, then the supported ones, each once.

    Raises:
        MalformedError: the document is broken, of another kind, or names no version at all.
    """
    root = xml.parse(data, "Versions")
    found = [root.value("Preferred", "Version", limit=MAX_ID)]
    supported = root.find("Supported")
    for version in supported.find_all("Version") if supported is not None else []:
        found.append(version.value(limit=MAX_ID))
    versions = tuple(dict.fromkeys(version for version in found if version))
    if not versions:
        root.required("Preferred", "Version")
    return versions
