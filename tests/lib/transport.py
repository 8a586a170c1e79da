"""What tests of the clients pass in for the network: a transport that answers from a list."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Union

from lightinit.host.network.http import Response

GOAL_STATE = (
    b'\xef\xbb\xbf<?xml version="1.0"'
    b' encoding="utf-8"?>\r\n<GoalState>\r\n<Version>2012-11-30</Version>\r\n'
    b"<Incarnation>%d</Incarnation><Machine><ExpectedState>Started</ExpectedState></Machine>"
    b"<Container>"
    b"<ContainerId>container-1</ContainerId><RoleInstanceList><RoleInstance>"
    b"<InstanceId>role-1</InstanceId>"
    b"</RoleInstance></RoleInstanceList></Container></GoalState>"
)


class Sent(NamedTuple):
    """A request as the transport was asked to send it."""

    method: str
    url: str
    headers: Dict[str, str]
    body: Optional[bytes]
    timeout_s: float
    want_body: bool


Step = Union[Response, BaseException, Callable[[Sent], Response]]


class FakeTransport:
    """Answers with the steps in order; the last one for ever."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.sent: List[Sent] = []

    def request(
        self,
        method: str,
        url: str,
        headers: Optional[Mapping[str, str]] = None,
        body: Optional[bytes] = None,
        timeout_s: float = 60.0,
        want_body: bool = True,
        **_: Any,
    ) -> Response:
        sent = Sent(method, url, dict(headers or {}), body, timeout_s, want_body)
        self.sent.append(sent)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, BaseException):
            raise step
        return step if isinstance(step, Response) else step(sent)


def ok(body: bytes = b"") -> Response:
    """A 200 answer."""
    return Response(200, {}, body)


def status(code: int, retry_after_s: Optional[float] = None, body: bytes = b"") -> Response:
    """An answer with another status."""
    return Response(code, {}, body, retry_after_s)


def middle() -> float:
    """Dice that always fall on the middle: no jitter."""
    return 0.5
