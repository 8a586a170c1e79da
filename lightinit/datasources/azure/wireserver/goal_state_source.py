"""Where the goal state comes from: one WireServer, or the first of two that gives one.

It makes one attempt; it knows no pauses.
"""

from __future__ import annotations

import logging
from typing import Dict

from lightinit.datasources.azure import answers
from lightinit.datasources.azure.wireserver.channel import Channel
from lightinit.datasources.azure.wireserver.goal_states import GoalStateAtHand
from lightinit.errors import LightinitError, MalformedError, TransientError
from lightinit.formats.azure import goal_state as goalstate
from lightinit.host.clock import Clock
from lightinit.host.network.http import Response
from lightinit.model import GoalState

LOG = logging.getLogger("lightinit.clients")
# The server answers 403 and 409 while the fabric moves the container, and 410 just after the
# incarnation has changed.
PASSING = frozenset((403, 404, 408, 409, 410, 429))
FIRST_TRIAL_S = 5.0


class GoalStateSource:
    """Fetches the goal state over a channel, and finds out which endpoint is the WireServer.

    Args:
        channel: sends the requests. It is turned to the endpoint that gives a goal state.
        clock: for time limits.
        other_endpoint: where to ask if the channel's endpoint gives none; "" for nowhere else.

    Attributes:
        at_hand: has each goal state that was fetched.
    """

    def __init__(self, channel: Channel, clock: Clock, other_endpoint: str) -> None:
        self._channel = channel
        self._clock = clock
        self._named = channel.endpoint
        self._untried = [self._named, other_endpoint] if other_endpoint else []
        self._trial_s = FIRST_TRIAL_S
        self.at_hand = GoalStateAtHand(clock)

    @property
    def replaced(self) -> str:
        """The endpoint that was named and gave no goal state while the other one did, else ""."""
        if self._untried or self._channel.endpoint == self._named:
            return ""
        return self._named

    def fetch(self, remaining_s: float, patient: bool = False) -> GoalState:
        """A new goal state.

        Args:
            remaining_s: seconds for all requests.
            patient: whether no refusal is final.

        Raises:
            TransientError, MalformedError: there was none.
            ProvisioningError: the server refuses permanently.
        """
        if self._untried:
            return self._fetch_of_any(remaining_s)
        return self._fetch(remaining_s, patient)

    def _fetch_of_any(self, remaining_s: float) -> GoalState:
        """The goal state of the first endpoint that gives one. Ask both in each attempt, at first
        with short time limits: where nobody answers, a request takes all of its time.
        """
        ends_s = self._clock.monotonic() + remaining_s
        errors: Dict[str, LightinitError] = {}
        for endpoint in self._untried:
            self._channel.turn_to(endpoint)
            left_s = min(self._trial_s, ends_s - self._clock.monotonic())
            try:
                found = self._fetch(left_s, patient=True)
            except (TransientError, MalformedError) as error:
                errors[endpoint] = error
                continue
            if errors:
                LOG.warning("%s gives no goal state: %s", self._named, errors[self._named])
            self._untried = []
            return found
        self._trial_s *= 2
        # An answer says more than none.
        telling = max(errors.values(), key=lambda one: "status" in one.details)
        telling.details["also_tried"] = ", ".join(
            "%s: %s" % (name, one.reason) for name, one in errors.items() if one is not telling
        )
        raise telling

    def _fetch(self, remaining_s: float, patient: bool) -> GoalState:
        self.at_hand.drop()
        asked_s = self._clock.monotonic()
        answer = self._channel.ask_machine("GET", "goalstate", remaining_s)
        check(answer, self._channel.machine_url("goalstate"), patient)
        found = goalstate.parse_goal_state(answer.body)
        self.at_hand.put(found, asked_s)
        return found


def check(answer: Response, url: str, patient: bool = False) -> None:
    """Nothing if the status is 200, and else the error of that.

    Args:
        answer: the answer.
        url: the URL of the request.
        patient: whether no refusal is final.

    Raises:
        TransientError, ProvisioningError: as from :func:`answers.refuse`.
    """
    if answer.status != 200:
        answers.refuse(
            answer,
            "wireserver",
            url,
            PASSING,
            "the server refuses this request; check that this is really Azure's WireServer",
            patient,
        )
