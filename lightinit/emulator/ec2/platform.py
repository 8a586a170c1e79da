"""EC2's metadata service on one address, for one VM. Tests and the command line use this."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.emulator.ec2.service import TOKENS, MetadataService
from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.wire.faults import FaultStep
from lightinit.emulator.wire.messages import Reply, Request
from lightinit.emulator.wire.replacement import replace_answer
from lightinit.emulator.wire.request_log import RequestLog
from lightinit.emulator.wire.sequence import Sequence as Steps
from lightinit.emulator.wire.server import Server

ENDPOINTS = ("token", "meta-data", "user-data")
Address = Tuple[str, int]


class Ec2:
    """The metadata service; use it in a ``with`` statement.

    Args:
        instance: parts of the VM: ``meta-data``, an object that is merged into the shipped one
            (null removes), and ``user-data``, a text or bytes.
        faults: for one of ``ENDPOINTS``, the steps that its requests get, one after the other; the
            keys are those of docs/emulator.md. After the last step, the answers are good.
        address: host and port; port 0 means any free port.
        tokens: ``required``, ``optional``, ``none`` (a service that knows only the older protocol)
            or ``off``.
        expire_after: a token is good for this many requests; None for its whole lifetime.
        log: a file; each request is appended as a JSON line. None for no file.
        latency_s: seconds to wait once per connection and once per request.

    Raises:
        EmulatorError: there is no such endpoint, or no such kind of tokens.
    """

    def __init__(
        self,
        instance: Optional[Mapping[str, Any]] = None,
        faults: Optional[Mapping[str, Sequence[FaultStep]]] = None,
        address: Address = ("127.0.0.1", 0),
        tokens: str = "required",
        expire_after: Optional[int] = None,
        log: Optional[str] = None,
        latency_s: float = 0.0,
    ) -> None:
        self._steps = {name: Steps(list(steps)) for name, steps in (faults or {}).items()}
        for name, known, what in [(tokens, TOKENS, "kind of tokens")] + [
            (each, ENDPOINTS, "endpoint") for each in self._steps
        ]:
            if name not in known:
                raise EmulatorError("ec2 has no %s %r; it has: %s" % (what, name, ", ".join(known)))
        self._service = MetadataService({}, tokens, expire_after)
        self._address = address
        self._log_path = log
        self._latency_s = latency_s
        self._log = RequestLog()
        self._server: Optional[Server] = None
        self.endpoint = ""  # "host:port" while it listens
        self.become(instance or {})

    def become(self, instance: Mapping[str, Any]) -> None:
        """Play another VM from now on.

        Raises:
            EmulatorError: it has an unknown part, or one of the wrong type.
        """
        for key, value in instance.items():
            kinds: Any = {"meta-data": (dict,), "user-data": (str, bytes)}.get(key)
            if kinds is None or not isinstance(value, kinds):
                raise EmulatorError(
                    "an instance of ec2 has meta-data, an object, and user-data, a text;"
                    " %r is something else" % key
                )
        self._service.instance = dict(instance)

    def __enter__(self) -> "Ec2":
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def start(self) -> None:
        """Take the address and listen.

        Raises:
            EmulatorError: the address cannot be used, or the log cannot be written.
        """
        try:
            self._log = RequestLog(self._log_path)
        except OSError as error:
            raise EmulatorError(
                "cannot write the log %s: %s" % (self._log_path, error.strerror)
            ) from error
        self._server = Server("ec2", self._play, self._log, self._latency_s)
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
        self, predicate: Callable[["Ec2"], Any], timeout_s: Optional[float] = 60.0
    ) -> bool:
        """Wait until a condition holds; it is checked when a request comes or is answered."""
        with self._log.changed:
            return bool(self._log.changed.wait_for(lambda: predicate(self), timeout_s))

    def _play(self, request: Request) -> Tuple[Reply, Optional[FaultStep]]:
        name = self._service.endpoint_of(request)
        step = self._steps[name].take() if name in self._steps else None
        if step is not None:
            replacement = replace_answer(step, lambda text: text.replace("{ec2}", self.endpoint))
            if replacement is not None:
                return replacement, step
        return self._service.answer(request), step
