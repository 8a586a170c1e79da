"""Decides which answer and which fault a request gets.

The services know what a request means, and the sequences which step is next.
"""

from __future__ import annotations

import base64
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from lightinit.emulator.services.host_plugin import HostPlugin
from lightinit.emulator.services.imds import Imds, asks_for_extended
from lightinit.emulator.services.wireserver import WireServer
from lightinit.emulator.wire.faults import ENDPOINTS, FaultStep, delivery_of, edits_document
from lightinit.emulator.wire.messages import Body, Reply, Request, json_answer, make_answer
from lightinit.emulator.wire.rate_limit import RateLimit
from lightinit.emulator.wire.sequence import Sequence
from lightinit.emulator.wire.validation import find_detour

HOLD_S = 45.0
Role = Union[WireServer, Imds, HostPlugin]


def _format_http_date(time_s: float) -> str:
    now = time.gmtime(time_s)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[now.tm_wday]
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[now.tm_mon * 3 - 3 : now.tm_mon * 3]
    return "%s, %02d %s %d %s GMT" % (
        day,
        now.tm_mday,
        month,
        now.tm_year,
        time.strftime("%H:%M:%S", now),
    )


class Player:
    """Plays a scenario's steps.

    Args:
        steps: endpoint -> its steps, in order.
        notice: called after each answer that a service has made.
        fill: puts the addresses into a step's text.
        rate_limit: server -> its limit, for those that have one.
    """

    def __init__(
        self,
        steps: Mapping[str, List[FaultStep]],
        notice: Callable[[], None],
        fill: Callable[[str], str],
        rate_limit: Mapping[str, Dict[str, Any]],
    ) -> None:
        self._limits = {server: RateLimit(limit) for server, limit in rate_limit.items()}
        self._sequences = {endpoint: Sequence(steps[endpoint]) for endpoint in ENDPOINTS}
        self._has_extended = bool(steps["extended"])
        self._asked = {endpoint: threading.Event() for endpoint in ENDPOINTS}
        self._notice = notice
        self._fill = fill

    def play(self, role: Role, request: Request) -> Tuple[Reply, Optional[FaultStep]]:
        """Decide a request's answer and its fault step."""
        detour = find_detour(request, role.well_known)
        if detour:
            return json_answer(400, {"error": detour}, detour), None
        refusal = self._limits[role.name].refuse() if role.name in self._limits else {}
        if refusal:
            return self._replace(refusal) or make_answer(429, b"", ""), refusal
        endpoint = role.endpoint_of(request)
        if self._has_extended and endpoint == "imds" and asks_for_extended(request):
            endpoint = "extended"
        step = self._sequences[endpoint].take() if endpoint in self._sequences else None
        if endpoint in self._asked:
            self._asked[endpoint].set()
        other = (step or {}).get("waits_for")
        if other and not self._asked[other].wait(HOLD_S):
            missing = "no request for %s has come" % other
            return json_answer(504, {"error": missing}, missing), step
        if step is None:
            return self._answer(role, request, {}), None
        replacement = self._replace(step)
        if replacement is not None:
            if step.get("processed"):
                self._answer(role, request, step)
            return replacement, step
        answer = self._answer(role, request, step)
        too_early = endpoint == "reprovisiondata" and answer.status == 404
        if (answer.status in (400, 405, 410) or too_early) and edits_document(step):
            # This request gets no document: keep the step for one that does.
            self._sequences[endpoint].give_back()
            return answer, None
        return answer, step

    def _answer(self, role: Role, request: Request, step: FaultStep) -> Reply:
        answer = role.answer(request, step)
        self._notice()
        return answer

    def _replace(self, step: FaultStep) -> Optional[Reply]:
        """Return the answer that a step sends instead of the good one; None if it sends the good
        one.
        """
        if delivery_of(step) in ("hang_s", "reset", "close", "endless_mb"):
            return make_answer(200, b"", "")
        headers = {}
        if "retry_after_s" in step:
            headers["Retry-After"] = "%d" % step["retry_after_s"]
        if "retry_after_date_s" in step:
            headers["Retry-After"] = _format_http_date(time.time() + step["retry_after_date_s"])
        if "redirect" in step:
            return Reply(302, {"Location": self._fill(step["redirect"])}, Body(((b"", 1),)))
        if not {"status", "body", "body_base64"} & set(step):
            return None
        text = self._fill(step.get("body", ""))
        body = text.encode("utf-8") or base64.b64decode(step.get("body_base64", ""))
        own = step.get("headers", {})
        if body and "content-type" not in {name.lower() for name in own}:
            headers["Content-Type"] = "text/plain; charset=utf-8"
        return Reply(step.get("status", 200), dict(headers, **own), Body(((body, 1),)))
