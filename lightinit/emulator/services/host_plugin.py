"""The HostGAPlugin, a service of the host for the guest agent. Its port is 32526 at the WireServer.

Requests in, answers out, strictly. Knows no socket. Source: the requests of the Azure Linux Agent,
and how it reads the answers. This host has no Fast Track, so it answers 404 to ``/vmSettings``. It
has no extensions either: it accepts the agent's status and offers no downloads.
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
        """Return "": this service has no faults."""
        return ""

    def answer(self, request: Request, step: FaultStep) -> Reply:
        """Answer a request.

        Args:
            request: the request.
            step: ignored, since this service has no faults.
        """
        method = _METHODS.get(request.path)
        if method is None:
            return refuse(404, "the HostGAPlugin has nothing at %s" % request.target)
        if request.method != method:
            return refuse(405, "%s allows only %s" % (request.path, method), Allow=method)
        if request.path == "/versions":
            return json_answer(200, list(VERSIONS))
        if request.path == "/health":
            return make_answer(200, b"", "")
        refusal = self._refuse_stranger(request)
        if refusal is not None:
            return refusal
        if request.path == "/vmSettings":
            # Not a refusal: agents must ask to learn that there is no Fast Track.
            return make_answer(404, b"vmSettings is not supported\n", "text/plain; charset=utf-8")
        return self._take_status(request)

    def _refuse_stranger(self, request: Request) -> Optional[Reply]:
        """Refuse the request of another VM, or of this VM in an earlier deployment.

        Returns:
            the refusal; None if the request is from this VM.
        """
        version = request.headers.get("x-ms-version")
        if version not in VERSIONS:
            return refuse(
                400, "x-ms-version must be %s; it is %s" % (" or ".join(VERSIONS), version)
            )
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
                return refuse(410, "%s is %r; this VM's is %r" % (name, given, value))
        return None

    @staticmethod
    def _take_status(request: Request) -> Reply:
        try:
            status = json.loads(request.body.decode("utf-8"))
        except ValueError as error:
            return refuse(400, "the status is not JSON: %s" % error)
        if (
            not isinstance(status, dict)
            or "requestUri" not in status
            or not isinstance(status.get("headers"), list)
        ):
            return refuse(400, "a status needs requestUri and headers")
        return make_answer(200, b"", "")
