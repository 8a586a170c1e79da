"""EC2's metadata service on one address, for one VM. Tests and the command line use this."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from lightinit.emulator.ec2.service import TOKENS, MetadataService
from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.wire.faults import FaultStep
from lightinit.emulator.wire.messages import Reply, Request
from lightinit.emulator.wire.metadata_service import Address, MetadataPlatform


class Ec2(MetadataPlatform):
    """The metadata service.

    Args:
        instance: parts of the VM: ``meta-data``, an object that is merged into the shipped one
            (null removes), and ``user-data``, a text or bytes.
        faults, address, log, latency_s: as for :class:`MetadataPlatform`.
        tokens: ``required``, ``optional``, ``none`` (a service that knows only the older protocol)
            or ``off``.
        expire_after: a token is good for this many requests; None for its whole lifetime.

    Raises:
        EmulatorError: there is no such endpoint, or no such kind of tokens.
    """

    NAME = "ec2"
    ENDPOINTS = ("token", "meta-data", "user-data")

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
        super().__init__(faults, address, log, latency_s)
        self.check("kind of tokens", tokens, TOKENS)
        self._service = MetadataService({}, tokens, expire_after)
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

    def find_endpoint(self, request: Request) -> str:
        """One of ``ENDPOINTS``, "" for another path."""
        return self._service.endpoint_of(request)

    def answer(self, request: Request) -> Reply:
        """The answer as AWS documents it."""
        return self._service.answer(request)
