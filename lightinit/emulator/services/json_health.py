"""``POST /provisioning/health``: the WireServer's health report in JSON, without a goal state.

Requests in, answers out, strictly. Knows no socket. Source: azure-init (libazureinit's health.rs),
which takes 200 and 201 for success, and tries again after 429, 500 and 503. Not documented, so
decided here: 201 for success; 400 for a mistake in the document or a missing
``x-ms-guest-agent-name``; 415 for another Content-Type; 500 for a description of more than 4096
bytes, as in the XML report. ``x-ms-version`` is not looked at, and no incarnation can be out of
date.
"""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List, Optional, Tuple

from lightinit.emulator.documents.health_report import (
    DESCRIPTION_BYTES,
    FIELDS,
    STATES,
    SUBSTATUSES,
)
from lightinit.emulator.services.machine import Machine
from lightinit.emulator.wire.messages import Reply, Request, make_answer, refuse

PATH = "/provisioning/health"
AGENT = "x-ms-guest-agent-name"


def parse_json_report(body: bytes) -> Tuple[Dict[str, Optional[str]], str]:
    """Read a report's fields.

    Returns:
        the fields, by the names of the XML report; those without a counterpart are None. And a
        mistake in the document, "" if there is none.
    """
    fields: Dict[str, Optional[str]] = dict.fromkeys(FIELDS)
    try:
        report = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        return fields, "the report is not JSON in UTF-8: %s" % error
    if not isinstance(report, dict):
        return fields, "the report is no JSON object"
    details = report.get("details", {})
    if not isinstance(details, dict):
        return fields, "details is no JSON object"
    wrong: List[str] = []
    for name, place, key in (
        ("state", report, "state"),
        ("substatus", details, "subStatus"),
        ("description", details, "description"),
    ):
        value = place.get(key)
        if isinstance(value, str):
            fields[name] = value
        elif value is not None:
            wrong.append("%s is no text" % key)
    return fields, (wrong + [_complain(fields)])[0]


def _complain(fields: Dict[str, Optional[str]]) -> str:
    if fields["state"] not in STATES:
        return "state %r is neither Ready nor NotReady" % fields["state"]
    if fields["state"] == "NotReady" and fields["substatus"] not in SUBSTATUSES:
        return "NotReady needs details.subStatus, one of %s; it is %r" % (
            ", ".join(SUBSTATUSES),
            fields["substatus"],
        )
    if fields["state"] == "NotReady" and fields["description"] is None:
        return "NotReady needs details.description"
    return ""


def answer_json_report(request: Request, machine: Machine) -> Reply:
    """Judge a report, and keep it with the machine.

    Args:
        request: the request, a POST.
        machine: the VM.
    """
    agent = request.headers.get(AGENT, "")
    if not agent:
        return refuse(400, "the header %s is missing" % AGENT)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return refuse(415, "Content-Type must be application/json")
    fields, reason = parse_json_report(request.body)
    status = 400 if reason else 201
    size = len((fields["description"] or "").encode("utf-8", "replace"))
    if not reason and size > DESCRIPTION_BYTES:
        reason = "the description has %d bytes; at most %d are allowed" % (size, DESCRIPTION_BYTES)
        status = 500
    with machine.lock:
        report: Dict[str, Any] = dict(
            fields,
            accepted=not reason,
            status=status,
            reason=reason,
            agent=agent,
            vm_id=machine.vm_id,
            in_pool=machine.in_pool,
            time_s=time.time(),
        )
        machine.keep_report(report)
    if reason:
        return refuse(status, reason)
    return make_answer(status, b"", "")
