"""A small HTTP/1.1 server: listens, reads requests, and sends the answers that its caller decides.

Knows no endpoint and no scenario file. Each connection has a daemon thread. Every size, number and
wait has a limit.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Callable, List, Optional, Set, Tuple

from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.wire.delivery import deliver, status_sent
from lightinit.emulator.wire.faults import FaultStep, delivery_of
from lightinit.emulator.wire.messages import (
    BadMessage,
    Reply,
    Request,
    body_length,
    make_answer,
    parse_head,
    split_target,
)
from lightinit.emulator.wire.request_log import RequestLog

HEAD_BYTES = 16384
BODY_BYTES = 1 << 20
CONNECTIONS = 4096
# Connections beyond those are answered 503; beyond these, they are closed.
TURNED_AWAY = 256
TURNED_AWAY_IDLE_S = 5.0
BACKLOG = 4096
IDLE_S = 60.0
GRACE_S = 0.05
TEXT = "text/plain; charset=utf-8"
NEVER_S = float("inf")

Player = Callable[[Request], Tuple[Reply, Optional[FaultStep]]]


class Server:
    """One listening address.

    Args:
        name: its name in the log.
        play: decides the answer to a request, and its fault step.
        log: records the requests.
        latency_s: seconds to wait once per connection, before its first request is read, and once
            per request, before its answer. So the first request of a connection takes twice this
            time and each later one once, as if the handshake and each exchange took one round
            trip.
        most_connections: how many connections it serves at once. Further ones get 503 with
            Retry-After for their first request.
    """

    def __init__(
        self,
        name: str,
        play: Player,
        log: RequestLog,
        latency_s: float,
        most_connections: int = CONNECTIONS,
    ) -> None:
        self.name = name
        self._most_connections = most_connections
        self._play = play
        self._log = log
        self._latency_s = latency_s
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._open: Set[socket.socket] = set()
        self._threads: List[threading.Thread] = []
        self._prune_at = 64
        self._count = 0

    def bind(self, address: Tuple[str, int]) -> str:
        """Bind the address without listening: connections are refused until :meth:`start`.

        Returns:
            "host:port", with the chosen port.

        Raises:
            EmulatorError: the address cannot be bound.
        """
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(address)
        except (OSError, OverflowError) as error:
            raise EmulatorError(
                "cannot bind %s:%d for the %s: %s. Check that the address is on an interface and"
                " the port is free; ports below 1024 need root"
                % (address[0], address[1], self.name, error)
            ) from error
        return "%s:%d" % self._socket.getsockname()[:2]

    def start(self, listen_after_s: float = 0.0) -> None:
        """Listen after a delay in seconds; ``NEVER_S`` refuses connections for ever.

        Raises:
            EmulatorError: somebody else listens there.
        """
        if listen_after_s == 0:
            try:
                self._socket.listen(BACKLOG)
            except OSError as error:
                raise EmulatorError("the %s cannot listen: %s" % (self.name, error)) from error
        self._run(self._accept, listen_after_s)

    def close(self) -> None:
        """Stop listening and end every connection. A connection that sends has 0.05 s to finish."""
        self._closing.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the server never listened
        self._socket.close()
        with self._lock:
            connections = list(self._open)
        for sock in connections:
            try:
                sock.shutdown(socket.SHUT_RD)
            except OSError:
                pass  # the client closed it first
        deadline_s = time.monotonic() + GRACE_S
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        for sock in connections:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # already closed

    def _run(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(
            target=target, args=args, name="emulator-" + self.name, daemon=True
        )
        if len(self._threads) >= self._prune_at:
            self._threads = [other for other in self._threads if other.is_alive()]
            self._prune_at = 64 + 2 * len(self._threads)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listen_after_s: float) -> None:
        if listen_after_s:
            timeout_s: Optional[float] = listen_after_s
            if timeout_s == NEVER_S:
                timeout_s = None
            if self._closing.wait(timeout_s):
                return
            try:
                self._socket.listen(BACKLOG)
            except OSError:
                return  # the server was closed
        while not self._closing.is_set():
            try:
                sock, client = self._socket.accept()
            except OSError:
                if self._closing.wait(0.01):
                    return
                # The client left before the accept, or there are no free descriptors.
                continue
            with self._lock:
                before = len(self._open)
                self._open.add(sock)
            self._count += 1
            where = "%s:%d" % client[:2]
            opened = self._log.open(self.name, where, self._count)
            serve = self._serve
            if before >= self._most_connections:
                serve = self._turn_away
            if before >= self._most_connections + TURNED_AWAY:
                self._leave(sock)
                continue
            self._run(serve, sock, where, self._count, opened)

    def _serve(self, sock: socket.socket, client: str, number: int, opened: int) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._latency_s:
                self._closing.wait(self._latency_s)
            connection = _Connection(sock, client, number, opened)
            while not self._closing.is_set():
                try:
                    request = connection.read_request()
                except BadMessage as error:
                    self._reject(sock, connection, error)
                    return
                if request is None or not self._respond(sock, request):
                    return
        except OSError:
            pass  # the client left; the log has its requests
        finally:
            self._leave(sock)

    def _turn_away(self, sock: socket.socket, client: str, number: int, opened: int) -> None:
        """Answer one request of a connection that is one too many."""
        connection = _Connection(sock, client, number, opened, TURNED_AWAY_IDLE_S)
        reason = "%d connections are open; that is the limit" % self._most_connections
        try:
            request = connection.read_request()
            if request is None:
                return
            body = (reason + "\n").encode("utf-8")
            self._tell(sock, request, make_answer(503, body, TEXT, reason, Retry_After="1"))
        except BadMessage as error:
            self._reject(sock, connection, error)
        except OSError:
            pass  # the client left
        finally:
            self._leave(sock)

    def _leave(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.discard(sock)
        sock.close()

    def _respond(self, sock: socket.socket, request: Request) -> bool:
        """Answer one request; return whether the connection can be used for another."""
        came = self._log.arrive()
        try:
            return self._exchange(sock, request, came)
        finally:
            self._log.settle()

    def _exchange(self, sock: socket.socket, request: Request, came: int) -> bool:
        started_s = time.monotonic()
        if self._latency_s:
            self._closing.wait(self._latency_s)
        answer, step = self._play(request)
        record = self._log.begin(self.name, request, step, answer.refusal, came)
        played = step or {}
        status = status_sent(answer, step)
        is_quick = delivery_of(played) in ("", "reset", "close")
        try:
            if "delay_s" in played:
                self._closing.wait(played["delay_s"])
            self._log.answer(record)
            if is_quick:
                # Record it before sending: a client that has the answer must find it in the log.
                self._log.finish(record, status, time.monotonic() - started_s)
            return deliver(sock, answer, played, request.method, request.keep_alive, self._closing)
        finally:
            if not is_quick:
                self._log.finish(record, status, time.monotonic() - started_s)

    def _reject(self, sock: socket.socket, connection: "_Connection", error: BadMessage) -> None:
        """Answer bytes that are not an HTTP request, and record what could be read."""
        answer = make_answer(
            error.status,
            (error.reason + "\n").encode("utf-8"),
            TEXT,
            error.reason,
        )
        self._tell(sock, connection.describe(), answer)

    def _tell(self, sock: socket.socket, request: Request, answer: Reply) -> None:
        """Record and send an answer that nobody else has decided; the connection ends."""
        came = self._log.arrive()
        record = self._log.begin(self.name, request, None, answer.refusal, came)
        self._log.answer(record)
        self._log.finish(record, answer.status, 0.0)
        try:
            deliver(sock, answer, {}, request.method, False, self._closing)
        finally:
            self._log.settle()


class _Connection:
    """Reads requests from one connection."""

    def __init__(
        self, sock: socket.socket, client: str, number: int, opened: int, idle_s: float = IDLE_S
    ) -> None:
        self._sock = sock
        self._idle_s = idle_s
        self._opened = opened
        self._client = client
        self._number = number
        self._buffer = b""
        self._local = sock.getsockname()[:2]

    def describe(self) -> Request:
        """Return a placeholder for a request that could not be read; its target is the first
        line.
        """
        line = self._buffer.split(b"\r\n", 1)[0][:200].decode("iso-8859-1")
        return Request(
            "?",
            line,
            "",
            (),
            {},
            b"",
            False,
            self._client,
            self._local[0],
            self._local[1],
            self._number,
            self._opened,
        )

    def read_request(self) -> Optional[Request]:
        """Wait for the next request; None if the client has closed the connection.

        Raises:
            BadMessage: the bytes are not a valid request.
            OSError: the connection broke, or was idle for 60 s.
        """
        self._sock.settimeout(self._idle_s)
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > HEAD_BYTES:
                raise BadMessage(431, "the head is longer than %d bytes" % HEAD_BYTES)
            if not self._read_more():
                return None
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        method, target, keep_alive, headers = parse_head(head)
        length = body_length(method, headers, BODY_BYTES)
        if headers.get("expect", "").lower() == "100-continue" and len(rest) < length:
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        blocks, missing = [rest], length - len(rest)
        while missing > 0:
            block = self._sock.recv(min(65536, missing))
            if not block:
                return None
            blocks.append(block)
            missing -= len(block)
        data = b"".join(blocks)
        self._buffer = data[length:]
        path, query = split_target(target)
        return Request(
            method,
            target,
            path,
            query,
            headers,
            data[:length],
            keep_alive,
            self._client,
            self._local[0],
            self._local[1],
            self._number,
            self._opened,
        )

    def _read_more(self) -> bool:
        block = self._sock.recv(65536)
        self._buffer += block
        return bool(block)
