"""A server on the loopback interface that misbehaves as scripted, byte by byte."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import Callable, List, TypeVar

from lightinit.errors import TransientError

Conversation = Callable[[socket.socket], None]
Result = TypeVar("Result")
# What answers is waited for; what never answers is given up after LIMIT_S.
LIMIT_S, PATIENT_S = 0.4, 60.0
DRIPS_S = 40.0


class Server:
    """Accepts connections and holds one scripted conversation on each; the last one for ever."""

    def __init__(self, *conversations: Conversation) -> None:
        self.conversations = list(conversations)
        self.requests: List[bytes] = []
        self.connections = 0
        self._closing = False
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.url = "http://127.0.0.1:%d/x" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closing = True
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            talk = (
                self.conversations.pop(0) if len(self.conversations) > 1 else self.conversations[0]
            )
            threading.Thread(target=self._talk, args=(connection, talk), daemon=True).start()

    def _talk(self, connection: socket.socket, talk: Conversation) -> None:
        try:
            while self._read_request(connection):
                talk(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def _read_request(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            part = connection.recv(65536)
            if not part:
                return False
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(body) < length:
            body += connection.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return True


def with_time(ask: Callable[[float], Result]) -> Result:
    """What ``ask`` returns with a time limit in which the server's first words have come: a short
    one, but for a machine that is busy.

    Args:
        ask: makes the request anew, with a limit in seconds; a TransientError means that even
            the beginning has not come.
    """
    for limit_s in (LIMIT_S, 4.0):
        try:
            return ask(limit_s)
        except TransientError:
            continue
    return ask(20.0)


def says(data: bytes, then_close: bool = False) -> Conversation:
    def talk(connection: socket.socket) -> None:
        connection.sendall(data)
        if then_close:
            connection.shutdown(socket.SHUT_RDWR)

    return talk


def drips(start: bytes, drop: bytes, every_s: float = 0.05) -> Conversation:
    def talk(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(int(DRIPS_S / every_s)):
            time.sleep(every_s)
            connection.sendall(drop)

    return talk


def floods(start: bytes, drop: bytes) -> Conversation:
    def talk(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(100000):
            connection.sendall(drop)

    return talk


def hangs(connection: socket.socket) -> None:
    time.sleep(5.0)


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
