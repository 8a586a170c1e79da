"""Reads the WireServer's goal state and its list of versions: bytes in, model out. It knows no
HTTP.
"""

from __future__ import annotations

from typing import Tuple

from lightinit.errors import TransientError
from lightinit.formats import xml
from lightinit.model import GoalState

MAX_ID = 256
MAX_URL = 2048


def parse_goal_state(data: bytes) -> GoalState:
    """Read the answer to ``GET /machine?comp=goalstate``.

    Ids are opaque: they must be present, short, and without control characters. If there are
    several role instances, the first one is this VM.

    Args:
        data: the body of the answer, UTF-8, with or without a byte-order mark.

    Returns:
        The goal state. Its ``certificates_url`` is the URL as it was given, or None.

    Raises:
        TransientError: there is no RoleInstance. This is normal for a moment at boot, so the caller
            may ask again.
        MalformedError: anything else is wrong. The error names the field.
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
    """Read the answer to ``GET /?comp=versions``.

    Returns:
        The preferred version, then the supported ones, each once.

    Raises:
        MalformedError: the document is broken, is another document, or names no version.
    """
    root = xml.parse(data, "Versions")
    found = [root.value("Preferred", "Version", limit=MAX_ID)]
    supported = root.find("Supported")
    if supported is not None:
        found += [version.value(limit=MAX_ID) for version in supported.find_all("Version")]
    versions = tuple(dict.fromkeys(version for version in found if version))
    if not versions:
        root.required("Preferred", "Version")
    return versions
