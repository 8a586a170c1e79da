"""Loads requests, and makes its adapter, with connections that record their sockets and what they
have sent.

requests and urllib3 are imported late, since these imports take the longest, and without what plain
HTTP needs not: TLS, OpenSSL's hash functions and the guessing of encodings. These are a quarter
of the memory and a sixth of the instructions. requests works without them, since a Python may be
built without ssl, and lightinit never asks for an answer as text. If it cannot be loaded so, or if
code that is not lightinit's runs in the same process and may want https, it is loaded whole.
"""

from __future__ import annotations

import errno
import importlib
import os
import socket
import sys
import threading
from types import ModuleType
from typing import Any, Dict, List, Optional, Tuple

from lightinit.errors import LibraryError
from lightinit.host.network.socket_mark import SO_MARK
from lightinit.libraries import load, use

# Without ssl, requests would look for OpenSSL. It takes chardet before charset_normalizer.
_NEEDLESS = ("ssl", "OpenSSL", "charset_normalizer")
_HASHES = ("_md5", "_sha1", "_sha3", "_blake2")
_SHA2 = ("_sha2",) if sys.version_info >= (3, 12) else ("_sha256", "_sha512")
# What has fewer functions if it was imported without OpenSSL's: the next one who imports it gets
# them all. requests keeps its own.
_POORER = ("hashlib", "hmac")
_REPEATED = ("requests", "urllib3", "idna", "certifi", "chardet", "http", "urllib") + _POORER
_others: List[str] = []


def share_with(name: str) -> None:
    """Load requests whole from now on: the code ``name``, which is not lightinit's, may use it."""
    _others.append(name)


def load_requests() -> Any:
    """Import requests and its adapters, and return it.

    Only one thread may import, and no other one may need ssl meanwhile.

    Raises:
        LibraryError: it cannot be loaded.
    """
    if not _others and "requests" not in sys.modules:
        _load_light()
    requests = load("requests")
    load("requests.adapters")
    return requests


def _load_light() -> None:
    """Try to import requests without the needless."""
    hidden = _hidden()
    before = frozenset(sys.modules)
    sys.modules.update(hidden)  # type: ignore[arg-type] # None: as if it were not installed
    dropped: Tuple[str, ...] = _REPEATED
    try:
        requests = load("requests")
        load("requests.adapters")
        # The first request makes newer Pythons import inspect, and threads must not import.
        use("requests", lambda: requests.Request("GET", "http://localhost/").prepare())
        dropped = _POORER
    except LibraryError:
        pass  # it is loaded whole next, and that tells what is wrong
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
        for name in list(sys.modules):
            if name not in before and name.partition(".")[0] in dropped:
                sys.modules.pop(name, None)


def _hidden() -> Dict[str, Optional[ModuleType]]:
    """What stands in ``sys.modules`` in the place of the needless."""
    hidden: Dict[str, Optional[ModuleType]] = dict.fromkeys(_NEEDLESS)
    if _has_own_hashes():
        hidden["_hashlib"] = None
    # Each release of requests takes this version, and the older ones do not start without one.
    answer = {"encoding": None, "confidence": 0.0, "language": ""}
    hidden["chardet"] = _stand_in("chardet", __version__="3.0.4", detect=lambda _: answer)
    # The place of the authorities' certificates, and HTTP/2 of urllib3, which nobody asks for.
    hidden["certifi"] = _stand_in("certifi", where=lambda: "")
    hidden["importlib.metadata"] = _stand_in("importlib.metadata", version=_refuse)
    return {name: module for name, module in hidden.items() if name not in sys.modules}


def _stand_in(name: str, **values: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(values)
    return module


def _refuse(name: str) -> str:
    raise ImportError("not looked up: the version of " + name)


def _has_own_hashes() -> bool:
    """Whether this Python has hash functions besides OpenSSL's. Fedora's has few. There hashlib
    would log an error for each that is missing.
    """
    try:
        for name in _HASHES + _SHA2:
            importlib.import_module(name)
    except ImportError:
        return False
    return True


class Wire:
    """The records of one adapter's connections.

    Attributes:
        sockets: the sockets of the open connections. A server can keep a thread busy for ever, for
            example with interim answers; only shutting down the socket ends that thread.
        is_begun: set once a connection for the latest request is being opened, or is there.
        is_sent: whether the latest request was completely given to the kernel. From then on it may
            reach the server.
        is_given_up: whether nothing may be sent any more.
        mark: the mark of new connections' sockets; None: no mark.
        pool: urllib3's pool of connections to the server of the last request; None before it.
    """

    def __init__(self) -> None:
        self.sockets: List[Any] = []
        self.is_begun = threading.Event()
        self.is_sent = False
        self.is_given_up = False
        self.mark: Optional[int] = None
        self.pool: Any = None

    def has_opened(self, connected: Any) -> None:
        """Note a socket that was connected.

        Raises:
            OSError: the request was given up meanwhile.
        """
        self.sockets[:] = [known for known in self.sockets if known.fileno() >= 0] + [connected]
        self.check()

    def check(self) -> None:
        """Called before anything is opened or sent. On a busy machine the thread of a request may
        begin only when its time is over: it must not send then what was sent again meanwhile, or
        is no longer true.

        Raises:
            OSError: the request was given up.
        """
        if self.is_given_up:
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))

    def shut_down(self) -> None:
        """Shut down all open connections, and let nothing more be sent."""
        self.is_given_up = True  # first: what is opened now is in the list, or not used
        for connected in list(self.sockets):
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
            wire.check()
            super().connect()
            wire.has_opened(self.sock)

        def send(self, data: Any) -> None:
            wire.is_begun.set()
            wire.check()
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
