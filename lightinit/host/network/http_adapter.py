"""The adapter of requests, with connections that record their sockets and what they have sent.

requests and urllib3 are imported late, since these imports take the longest.
"""

from __future__ import annotations

import socket
import threading
from typing import Any, List, Optional

from lightinit.host.network.socket_mark import SO_MARK


class Wire:
    """The records of one adapter's connections.

    Attributes:
        sockets: the sockets of the open connections. A server can keep a thread busy for ever, for
            example with interim answers; only shutting down the socket ends that thread.
        is_begun: set once a connection for the latest request is being opened, or is there.
        is_sent: whether the latest request was completely given to the kernel. From then on it may
            reach the server.
        mark: the mark of new connections' sockets; None: no mark.
        pool: urllib3's pool of connections to the server of the last request; None before it.
    """

    def __init__(self) -> None:
        self.sockets: List[Any] = []
        self.is_begun = threading.Event()
        self.is_sent = False
        self.mark: Optional[int] = None
        self.pool: Any = None

    def shut_down(self) -> None:
        """Shut down all open connections."""
        for connected in self.sockets:
            try:
                connected.shutdown(socket.SHUT_RDWR)
            except OSError:  # either side has closed it already
                pass


def new_adapter(requests: Any, wire: Wire) -> Any:
    """An HTTP adapter of the package ``requests`` whose connections record in ``wire``."""
    from urllib3.connection import HTTPConnection
    from urllib3.connectionpool import HTTPConnectionPool

    class Connection(HTTPConnection):
        """Records its socket, and whether the request was sent."""

        def connect(self) -> None:
            if wire.mark is not None:
                option = (socket.SOL_SOCKET, SO_MARK, wire.mark)
                self.socket_options = list(self.socket_options or ()) + [option]
            wire.is_begun.set()
            super().connect()
            wire.sockets[:] = [known for known in wire.sockets if known.fileno() >= 0] + [self.sock]

        def send(self, data: Any) -> None:
            wire.is_begun.set()
            wire.is_sent = False  # head and body are sent one by one; the last one counts
            super().send(data)
            wire.is_sent = True

    class Pool(HTTPConnectionPool):
        """Opens such connections."""

        ConnectionCls = Connection

        def urlopen(self, *args: Any, **kwargs: Any) -> Any:
            wire.pool = self
            return super().urlopen(*args, **kwargs)

    adapter = requests.adapters.HTTPAdapter(pool_connections=2, pool_maxsize=2, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {"http": Pool}
    return adapter


def connect_again(wire: Wire, timeout_s: float) -> None:
    """Open a connection to the server of the last request, unless its connection is open still.

    Args:
        wire: of an adapter with no request under way.
        timeout_s: seconds for connecting.

    Raises:
        Exception: what urllib3 raises.
    """
    if wire.pool is None:
        return
    connection = wire.pool._get_conn()  # it closes what the server has closed
    try:
        if connection.sock is None:
            connection.timeout = timeout_s
            connection.connect()
    finally:
        wire.pool._put_conn(connection)
