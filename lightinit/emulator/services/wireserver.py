"""The WireServer: requests in, answers out, strictly. Knows no socket.

Status codes that the platform does not document are decided here:

* 400 for a wrong or missing header or parameter.
* 404 for an unknown path, 405 for another method.
* 415 for a report that is not ``text/xml;charset=utf-8``. For other mistakes in a report, see
  ``health_report.py``.
* 410 for certificates of another incarnation; agents' logs show this for all URLs of a goal state.
  400 if the transport certificate or the cipher is not usable.
"""

from __future__ import annotations

import time
from typing import Any, Dict, Optional, Sequence

from lightinit.emulator.certificates.bundles import Certificates, read_transport_certificate
from lightinit.emulator.documents.goal_state import (
    VERSION,
    edit_goal_state,
    encode_goal_state,
    format_goal_state,
    format_versions,
)
from lightinit.emulator.documents.health_report import is_progress, judge_report, parse_report
from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.services import json_health
from lightinit.emulator.services.guest_agent import answer_guest_agent
from lightinit.emulator.services.machine import Machine
from lightinit.emulator.wire.faults import FaultStep, variants_of
from lightinit.emulator.wire.messages import Reply, Request, has_xml_type, make_answer
from lightinit.emulator.wire.messages import refuse as _refuse

XML = "text/xml; charset=utf-8"
_MACHINE = ("/machine", "/machine/")


class WireServer:
    """Answers for one machine.

    Args:
        machine: the VM that it serves.
        versions: the protocol versions that it supports, preferred first; None for the real ones.
        certificates: the VM's certificates; None for none.
    """

    name = "wireserver"
    well_known = "168.63.129.16"

    def __init__(
        self,
        machine: Machine,
        versions: Optional[Sequence[str]] = None,
        certificates: Optional[Certificates] = None,
    ) -> None:
        self._machine = machine
        self._certificates = certificates or Certificates()
        self._versions = ["2015-04-05", VERSION, "2012-09-15"]
        if versions is not None:
            self._versions = list(versions)
        self.authority = ""  # "host:port"; set when the socket is bound

    def endpoint_of(self, request: Request) -> str:
        """Return the endpoint whose faults apply to the request, "" for none."""
        comp = request.parameter("comp")
        if request.path in _MACHINE and comp == "health":
            if is_progress(parse_report(request.body)[0]):
                return "progress"
            return comp
        if request.path == json_health.PATH:
            if is_progress(json_health.parse_json_report(request.body)[0]):
                return "progress"
            return "health"
        if request.path in _MACHINE and comp == "goalstate":
            return comp
        if (
            comp == "certificates"
            and request.path.startswith("/machine/")
            and request.path.count("/") == 3
        ):
            return comp
        if request.path == "/" and comp == "versions":
            return comp
        return ""

    def answer(self, request: Request, step: FaultStep) -> Reply:
        """Answer a request.

        Args:
            request: the request.
            step: the fault step; its document edits and incarnation changes take effect here, the
                caller handles its other keys. Empty for the good answer.
        """
        endpoint = self.endpoint_of(request)
        if not endpoint:
            other = answer_guest_agent(request, self._machine, self._versions)
            if other is not None:
                return other
            if request.path in _MACHINE:
                return _refuse(400, "the parameter comp must be goalstate or health")
            return _refuse(404, "the WireServer has nothing at %s" % request.target)
        is_report = endpoint in ("health", "progress")
        method, name = "GET", endpoint
        if is_report:
            method, name = "POST", "health"
        if request.method != method:
            return _refuse(405, "%s allows only %s" % (name, method), Allow=method)
        if request.path == json_health.PATH:
            with self._machine.lock:
                self._machine.advance(step.get("advance_incarnation", 0))
            return json_health.answer_json_report(request, self._machine)
        if endpoint == "versions":
            return make_answer(200, format_versions(self._versions), XML)
        version = request.headers.get("x-ms-version")
        if version is None:
            return _refuse(400, "the header x-ms-version is missing")
        if version != VERSION or version not in self._versions:
            return _refuse(400, "x-ms-version %s is not supported" % version)
        if is_report:
            return self._health(request, step)
        if endpoint == "goalstate":
            return self._goal_state(step)
        return self._certificate_file(request, step)

    def _goal_state(self, step: FaultStep) -> Reply:
        machine = self._machine
        with machine.lock:
            text = format_goal_state(
                str(machine.incarnation), machine.container_id, machine.role_id, self.authority
            )
            machine.advance(step.get("advance_incarnation", 0))
        if "omit" in step or "set" in step:
            text = edit_goal_state(text, step.get("omit", ()), step.get("set", {}))
        return Reply(200, {"Content-Type": XML}, encode_goal_state(text, variants_of(step)))

    def _certificate_file(self, request: Request, step: FaultStep) -> Reply:
        machine = self._machine
        with machine.lock:
            current, path = (
                str(machine.incarnation),
                "/machine/%s/%s" % (machine.container_id, machine.role_id),
            )
        if request.path != path:
            return _refuse(400, "the URL is not the Certificates URL of this VM's goal state")
        if request.parameter("incarnation") != current:
            return _refuse(
                410,
                "incarnation %s is out of date; the current one is %s"
                % (request.parameter("incarnation") or "(none)", current),
            )
        header = "x-ms-guest-agent-public-x509-cert"
        if not request.headers.get(header):
            return _refuse(400, "the header %s is missing or empty" % header)
        try:
            der, facts = read_transport_certificate(request.headers[header])
        except ValueError as error:
            return _refuse(400, "%s is not usable: %s" % (header, error))
        cipher = request.headers.get("x-ms-cipher-name", "")
        if cipher not in self._certificates.ciphers:
            return _refuse(
                400,
                "x-ms-cipher-name %r is not supported; supported: %s"
                % (cipher, ", ".join(self._certificates.ciphers)),
            )
        try:
            body = self._certificates.format_document(
                current, cipher, der, facts, variants_of(step)
            )
        except EmulatorError as error:
            return _refuse(400, "cannot encrypt to the transport certificate: %s" % error)
        return Reply(200, {"Content-Type": XML}, body)

    def _health(self, request: Request, step: FaultStep) -> Reply:
        agent = request.headers.get("x-ms-agent-name", "")
        if not agent:
            return _refuse(400, "the header x-ms-agent-name is missing")
        if not has_xml_type(request):
            return _refuse(415, "Content-Type must be text/xml;charset=utf-8")
        machine = self._machine
        with machine.lock:
            machine.advance(step.get("advance_incarnation", 0))
            fields, verdict = judge_report(
                request.body, str(machine.incarnation), machine.container_id, machine.role_id
            )
            report: Dict[str, Any] = dict(
                fields,
                accepted=not verdict.reason,
                status=verdict.status,
                reason=verdict.reason,
                agent=agent,
                vm_id=machine.vm_id,
                in_pool=machine.in_pool,
                time_s=time.time(),
            )
            machine.keep_report(report)
        if verdict.reason:
            return _refuse(verdict.status, verdict.reason)
        return make_answer(200, b"", "")
