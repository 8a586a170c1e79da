"""The HostGAPlugin, which the host offers to the guest agent at the WireServer's address, port
32526.

Requests in, answers out, strictly. Knows no socket. Source: which requests the Azure Linux Agent
sends to it, and what it takes an answer for. It is that of a host without Fast Track, which answers
404 to ``/vmSettings``, and without
extensions: it takes the agent's status and has nothing to download.
"""

from __future__ import annotations

import json
from typing import Optional

from lightinit.emulator.documents.goal_state import name_config
from lightinit.emulator.services.machine import Machine
from lightinit.emulator.wire.faults import FaultStep
from lightinit.emulator.wire.messages import Reply, Request, json_answer, make_answer, refuse

VERSIONS = ("2015-09-01",)
_METHODS = {"/versions": "GET", "/health": "GET", "/vmSettings": "GET", "/status": "PUT"}


class HostPlugin:
    """Answers for one machine.

    Args:
        machine: the VM that it serves.
    """

    name = "hostplugin"
    well_known = "168.63.129.16"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.authority = ""  # "host:port", known once the socket is bound

    def endpoint_of(self, request: Request) -> str:
        """Return "": no sequence of faults is played here."""
        return ""

    def answer(self, request: Request, step: FaultStep) -> Reply:
        """Reply a request.

        Args:
            request: what was asked.
            step: none is ever played here.
        """
        method = _METHODS.get(request.path)
        if method is None:
            return refuse(404, "the HostGAPlugin has nothing at %s" % request.target)
        if request.method != method:
            return refuse(405, "%s takes %s only" % (request.path, method), Allow=method)
        if request.path == "/versions":
            return json_answer(200, list(VERSIONS))
        if request.path == "/health":
            return make_answer(200, b"", "")
        refusal = self._refuse_stranger(request)
        if refusal is not None:
            return refusal
        if request.path == "/vmSettings":
            # Not a refusal: an agent has to ask to learn that there is no Fast Track here.
            return make_answer(404, b"vmSettings is not supported\n", "text/plain; charset=utf-8")
        return self._take_status(request)

    def _refuse_stranger(self, request: Request) -> Optional[Reply]:
        """Refuse what another VM, or this VM in an earlier deployment, asks; None for this VM's
        own.
        """
        version = request.headers.get("x-ms-version")
        if version not in VERSIONS:
            return refuse(400, "x-ms-version must be %s, not %s" % (" or ".join(VERSIONS), version))
        with self._machine.lock:
            wanted = {
                "x-ms-containerid": self._machine.container_id,
                "x-ms-host-config-name": name_config(self._machine.role_id),
            }
        for name, value in wanted.items():
            given = request.headers.get(name)
            if given is None:
                return refuse(400, "the header %s is missing" % name)
            if given != value:
                return refuse(410, "%s %r is not this VM's, which is %r" % (name, given, value))
        return None

    @staticmethod
    def _take_status(request: Request) -> Reply:
        try:
            said = json.loads(request.body.decode("utf-8"))
        except ValueError as error:
            return refuse(400, "the status is not JSON: %s" % error)
        if (
            not isinstance(said, dict)
            or "requestUri" not in said
            or not isinstance(said.get("headers"), list)
        ):
            return refuse(400, "a status needs requestUri and headers")
        return make_answer(200, b"", "")
