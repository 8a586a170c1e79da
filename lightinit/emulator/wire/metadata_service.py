"""A platform that is one metadata service on one address: what EC2 and OpenStack have in common."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, TypeVar

from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.wire.faults import FaultStep
from lightinit.emulator.wire.messages import Reply, Request
from lightinit.emulator.wire.replacement import replace_answer
from lightinit.emulator.wire.request_log import RequestLog
from lightinit.emulator.wire.sequence import Sequence as Steps
from lightinit.emulator.wire.server import Server

Address = Tuple[str, int]
Service = TypeVar("Service", bound="MetadataPlatform")


class MetadataPlatform:
    """Listens, plays faults and keeps records; use it in a ``with`` statement.

    Args:
        faults: for one of ``ENDPOINTS``, the steps that its requests get, one after the other; the
            keys are those of docs/emulator.md. After the last step, the answers are good.
        address: host and port; port 0 means any free port.
        log: a file; each request is appended as a JSON line. None for no file.
        latency_s: seconds to wait once per connection and once per request.

    Attributes:
        NAME: of the platform.
        ENDPOINTS: what faults can be set for.
        endpoint: "host:port" while it listens.

    Raises:
        EmulatorError: there is no such endpoint.
    """

    NAME = ""
    ENDPOINTS: Tuple[str, ...] = ()

    def __init__(
        self,
        faults: Optional[Mapping[str, Sequence[FaultStep]]],
        address: Address,
        log: Optional[str],
        latency_s: float,
    ) -> None:
        self._steps = {name: Steps(list(steps)) for name, steps in (faults or {}).items()}
        for name in self._steps:
            self.check("endpoint", name, self.ENDPOINTS)
        self._address = address
        self._log_path = log
        self._latency_s = latency_s
        self._log = RequestLog()
        self._server: Optional[Server] = None
        self.endpoint = ""

    def check(self, what: str, name: str, known: Sequence[str]) -> None:
        """Check that a name is among the known ones.

        Raises:
            EmulatorError: it is not.
        """
        if name not in known:
            raise EmulatorError(
                "%s has no %s %r; it has: %s" % (self.NAME, what, name, ", ".join(known))
            )

    def find_endpoint(self, request: Request) -> str:
        """The endpoint that a request goes to, for its faults."""
        raise NotImplementedError

    def answer(self, request: Request) -> Reply:
        """The good answer."""
        raise NotImplementedError

    def __enter__(self: Service) -> Service:
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def start(self) -> None:
        """Take the address and listen.

        Raises:
            EmulatorError: the address cannot be used, or the log cannot be written.
        """
        self._log = RequestLog(self._log_path)
        self._server = Server(self.NAME, self._play, self._log, self._latency_s)
        try:
            self.endpoint = self._server.bind(self._address)
        except EmulatorError:
            self.close()
            raise
        self._server.start()

    def close(self) -> None:
        """End all connections and free the address. The records stay readable."""
        if self._server is not None:
            self._server.close()
        self._server = None
        self._log.close()

    @property
    def requests(self) -> List[Dict[str, Any]]:
        """Copies of the records of all requests, in order of arrival."""
        return self._log.snapshot()

    @property
    def in_flight(self) -> int:
        """How many requests are being answered."""
        return self._log.in_flight

    def wait_for(
        self: Service, predicate: Callable[[Service], Any], timeout_s: Optional[float] = 60.0
    ) -> bool:
        """Wait until a condition holds; it is checked when a request comes or is answered."""
        with self._log.changed:
            return bool(self._log.changed.wait_for(lambda: predicate(self), timeout_s))

    def _play(self, request: Request) -> Tuple[Reply, Optional[FaultStep]]:
        name = self.find_endpoint(request)
        step = self._steps[name].take() if name in self._steps else None
        if step is not None:
            here = "{%s}" % self.NAME
            replacement = replace_answer(step, lambda text: text.replace(here, self.endpoint))
            if replacement is not None:
                return replacement, step
        return self.answer(request), step
