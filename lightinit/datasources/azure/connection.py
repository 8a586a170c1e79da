"""How Azure's services are reached: which WireServer, and the clients of both services.

The clients are made when the first request is due, since their imports take time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, Tuple, Type

from lightinit.datasources.azure.identity import IMDS, WIRESERVER
from lightinit.datasources.azure.settings import AUTO, read_endpoint
from lightinit.host.system import System

if TYPE_CHECKING:
    from lightinit.datasources.azure.clients import Clients
    from lightinit.datasources.azure.imds_client import ImdsClient
    from lightinit.datasources.azure.wireserver.client import WireServerClient
    from lightinit.host.network.http import HttpTransport, OnRequest

LAST_REPORT_TIMEOUT_S = 120.0


class AzureConnection:
    """The way to IMDS and the WireServer. At first it is the WireServer's well-known address.

    Args:
        system: the machine.
        options: a value for each key of the section [azure].
        on_request: called after each request, perhaps from two threads at once.
        while_waiting: called while each request to IMDS is under way.
        transport: what sends the requests; None for the usual one.

    Raises:
        ProvisioningError: an endpoint is not ``host`` or ``host:port``.
    """

    def __init__(
        self,
        system: System,
        options: Mapping[str, Any],
        on_request: Optional[OnRequest],
        while_waiting: Callable[[], None],
        transport: Optional[Type[HttpTransport]] = None,
    ) -> None:
        self.system = system
        self.options = options
        self._on_request = on_request
        self._while_waiting = while_waiting
        self._transport = transport
        self._server = WIRESERVER
        self._client_options = options
        self._made: Optional[Clients] = None
        self._noted = ""
        self._check_endpoints()

    @property
    def imds(self) -> ImdsClient:
        """The client of IMDS."""
        return self._clients.imds

    @property
    def wireserver(self) -> WireServerClient:
        """The client of the WireServer."""
        return self._clients.wireserver

    @property
    def _clients(self) -> Clients:
        if self._made is None:
            self._made = self.make_clients()
        return self._made

    def use(self, server: str) -> None:
        """Use another WireServer, unless the settings name one.

        Args:
            server: its address.

        Raises:
            ProvisioningError: an endpoint is not ``host`` or ``host:port``.
        """
        self._server = server
        self._client_options = self.options
        self._made = None
        self._check_endpoints()

    def use_blindly(self) -> None:
        """Use the WireServer's well-known address, with a short time limit for the report."""
        self._server = WIRESERVER
        timeout_s = min(float(self.options["report_timeout_s"]), LAST_REPORT_TIMEOUT_S)
        self._client_options = dict(self.options, report_timeout_s=timeout_s)
        self._made = None

    def leave(self) -> None:
        """Use another connection to the same WireServer: a thread still waits on this one."""
        busy = self.wireserver
        self._made = None
        self.wireserver.heed(busy)

    def describe(self) -> str:
        """Which WireServer is used."""
        chosen = str(self.options["wireserver"])
        if chosen == AUTO:
            return "WireServer " + self._server
        return "WireServer %s by the settings" % chosen

    def note_server(self) -> Tuple[str, ...]:
        """A warning, once, if another WireServer answers than the one that the lease names."""
        replaced = self.wireserver.replaced
        if not replaced or replaced == self._noted:
            return ()
        self._noted = replaced
        return (
            "option 245 of the lease names %s, which is no WireServer or does not answer;"
            " %s does and is used" % (replaced, self.wireserver.endpoint),
        )

    def make_plain_wireserver(self) -> WireServerClient:
        """A client of the WireServer that needs the standard library alone."""
        from lightinit.host.network.plain_http import PlainTransport  # few boots need it

        return self.make_clients(PlainTransport).wireserver

    def make_clients(
        self,
        transport: Optional[Type[HttpTransport]] = None,
        options: Optional[Mapping[str, Any]] = None,
    ) -> Clients:
        """New clients.

        Args:
            transport: what sends the requests; None for the connection's own.
            options: replace those of the connection, if given.
        """
        from lightinit.datasources.azure.clients import make_clients
        from lightinit.host.network.http import HttpTransport

        return make_clients(
            options or self._client_options,
            self._server,
            self.system,
            self._on_request,
            transport or self._transport or HttpTransport,
            self._while_waiting,
        )

    def _check_endpoints(self) -> None:
        read_endpoint(self.options, "imds", IMDS)
        read_endpoint(self.options, "wireserver", self._server)
