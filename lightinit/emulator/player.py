"""Decides which answer and which fault a request gets.

The services know what a request means, and the sequences which step is next.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from lightinit.emulator.services.host_plugin import HostPlugin
from lightinit.emulator.services.imds import Imds, asks_for_extended
from lightinit.emulator.services.wireserver import WireServer
from lightinit.emulator.wire.faults import ENDPOINTS, FaultStep, edits_document
from lightinit.emulator.wire.messages import Reply, Request, json_answer, make_answer
from lightinit.emulator.wire.rate_limit import RateLimit
from lightinit.emulator.wire.replacement import replace_answer
from lightinit.emulator.wire.sequence import Sequence
from lightinit.emulator.wire.validation import find_detour

HOLD_S = 45.0
Role = Union[WireServer, Imds, HostPlugin]


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
            return replace_answer(refusal, self._fill) or make_answer(429, b"", ""), refusal
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
        replacement = replace_answer(step, self._fill)
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
