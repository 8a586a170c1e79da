"""Reads a health report and checks it as the WireServer would.

Knows no HTTP headers and no scenario. The platform's answers to bad reports are not documented, so
they are decided here:

* 410 Gone for an incarnation that is not the current one. Source: agents' logs of the real
  WireServer show "Http resource gone: Incarnation is out of date".
* 500 for a description whose escaped form is longer than 4096 bytes, each time, as on the platform.
* 400 Bad Request for every other mistake, because the same report would be wrong again.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple
from xml.etree import ElementTree

DESCRIPTION_BYTES = 4096
STATES = ("Ready", "NotReady")
SUBSTATUSES = ("Provisioning", "ProvisioningFailed")
_DECLARED = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)[\"']")
_DESCRIPTION = re.compile(rb"<Description>(.*?)</Description>", re.DOTALL)
_ROLE = "Container/RoleInstanceList/Role"
FIELDS = {
    "incarnation": "GoalStateIncarnation",
    "container_id": "Container/ContainerId",
    "role_instance_id": _ROLE + "/InstanceId",
    "state": _ROLE + "/Health/State",
    "substatus": _ROLE + "/Health/Details/SubStatus",
    "description": _ROLE + "/Health/Details/Description",
}


class ReportRuling(NamedTuple):
    """The WireServer's answer to a report; ``reason`` is "" if it accepts the report."""

    status: int
    reason: str


def parse_report(body: bytes) -> Tuple[Dict[str, Optional[str]], List[str]]:
    """Read a report's fields.

    Args:
        body: the request's body.

    Returns:
        the keys of ``FIELDS``, each with its text, or None if the element is missing; and one
        sentence for each mistake in the document's form.
    """
    fields: Dict[str, Optional[str]] = dict.fromkeys(FIELDS)
    declared = _DECLARED.match(body.lstrip(b"\xef\xbb\xbf"))
    if declared and declared.group(1).lower() not in (b"utf-8", b"utf8"):
        return fields, ["the XML declaration names another encoding than utf-8"]
    if b"<!" in body.replace(b"<![CDATA[", b"").replace(b"<!--", b""):
        return fields, ["the report has a DTD"]
    try:
        root = ElementTree.fromstring(body.decode("utf-8"))  # noqa: S314 - it has no DTD, see above
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError) as error:
        return fields, ["the report is not well-formed XML in UTF-8: %s" % error]
    if root.tag != "Health":
        return fields, ["the root element is <%s>, not <Health>" % root.tag]
    problems = []
    for name, path in FIELDS.items():
        found = root.findall(path)
        if len(found) > 1:
            problems.append("%s occurs %d times" % (path, len(found)))
        if found:
            fields[name] = found[0].text or ""
    return fields, problems


def is_progress(fields: Mapping[str, Any]) -> bool:
    """Return whether a report only reports progress: NotReady with SubStatus Provisioning."""
    return fields["state"] == "NotReady" and fields["substatus"] == "Provisioning"


def _complain(fields: Dict[str, Optional[str]], container_id: str, role_id: str) -> str:
    """Return a mistake in a report other than its incarnation and length, "" if there is none."""
    for name in ("incarnation", "container_id", "role_instance_id", "state"):
        if not fields[name]:
            return "%s is missing or empty" % FIELDS[name]
    if fields["container_id"] != container_id:
        return "ContainerId is %r; this VM's is %r" % (
            fields["container_id"],
            container_id,
        )
    if fields["role_instance_id"] != role_id:
        return "InstanceId is %r; this VM's is %r" % (fields["role_instance_id"], role_id)
    if fields["state"] not in STATES:
        return "State %r is neither Ready nor NotReady" % fields["state"]
    if fields["state"] == "NotReady":
        if fields["substatus"] not in SUBSTATUSES:
            return "NotReady needs Details/SubStatus, one of %s; it is %r" % (
                ", ".join(SUBSTATUSES),
                fields["substatus"],
            )
        if fields["description"] is None:
            return "NotReady needs Details/Description"
    return ""


def judge_report(
    body: bytes, incarnation: str, container_id: str, role_id: str
) -> Tuple[Dict[str, Optional[str]], ReportRuling]:
    """Read a report and decide what the WireServer answers.

    Args:
        body: the request's body.
        incarnation: the current incarnation.
        container_id: the VM's container id.
        role_id: the id of its role instance.

    Returns:
        the fields (see :func:`parse_report`), and the verdict: 200, 400, 410 or 500.
    """
    fields, problems = parse_report(body)
    if problems:
        return fields, ReportRuling(400, problems[0])
    longest = max([len(text) for text in _DESCRIPTION.findall(body)] or [0])
    if longest > DESCRIPTION_BYTES:
        return fields, ReportRuling(
            500,
            "the escaped description has %d bytes; at most %d are allowed"
            % (longest, DESCRIPTION_BYTES),
        )
    complaint = _complain(fields, container_id, role_id)
    if complaint:
        return fields, ReportRuling(400, complaint)
    if fields["incarnation"] != incarnation:
        return fields, ReportRuling(
            410,
            "incarnation %s is out of date; the current one is %s"
            % (fields["incarnation"], incarnation),
        )
    return fields, ReportRuling(200, "")
