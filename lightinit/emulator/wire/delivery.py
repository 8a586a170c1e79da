"""Sends an answer on a socket, whole or with a fault. Knows no protocol above HTTP framing."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import Iterator, Optional

from lightinit.emulator.wire.faults import FaultStep, delivery_of
from lightinit.emulator.wire.messages import BODILESS, Body, Reply, format_head, make_answer

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s
_BLOCK = b"<x>" + b"lightinit " * 1638 + b"</x>\n"
_SEND_TIMEOUT_S = 30.0


def status_sent(answer: Reply, step: Optional[FaultStep]) -> Optional[int]:
    """Return the status that the client receives, None if it receives none."""
    delivery = delivery_of(step or {})
    if delivery == "endless_mb":
        return 200
    if delivery in ("hang_s", "reset", "close"):
        return None
    return answer.status


def _cut(body: Body, length: int) -> Iterator[bytes]:
    """Yield the first ``length`` bytes of the body in blocks."""
    for block, times in body.blocks:
        for _ in range(times):
            if length <= 0:
                return
            yield block[:length]
            length -= len(block)


def _send_whole(sock: socket.socket, answer: Reply, method: str, keep_alive: bool) -> None:
    """Send an answer, in one write if it has at most 1 MiB."""
    head = format_head(answer, keep_alive)
    if method == "HEAD" or answer.status in BODILESS:
        sock.sendall(head)
    elif answer.body.length <= 1 << 20:
        sock.sendall(head + answer.body.joined())
    else:
        sock.sendall(head)
        for block in _cut(answer.body, answer.body.length):
            sock.sendall(block)


def _wait_for_leave(sock: socket.socket, seconds: float) -> None:
    """Send nothing until the client leaves, this side shuts the socket down, or time is up."""
    deadline_s = time.monotonic() + seconds
    left_s = seconds
    while left_s > 0:
        sock.settimeout(left_s)
        if not sock.recv(4096):
            return
        left_s = deadline_s - time.monotonic()


def _send_endless(sock: socket.socket, cap_bytes: float) -> None:
    head = make_answer(200, b"", "text/xml; charset=utf-8")
    sock.sendall(format_head(head, keep_alive=False, with_length=False))
    sent = 0
    while sent < cap_bytes:
        sock.sendall(_BLOCK)
        sent += len(_BLOCK)


def _send_dripping(
    sock: socket.socket, data: bytes, interval_s: float, closing: threading.Event
) -> None:
    for index in range(len(data)):
        if closing.wait(interval_s):
            return
        sock.sendall(data[index : index + 1])


def deliver(
    sock: socket.socket,
    answer: Reply,
    step: FaultStep,
    method: str,
    keep_alive: bool,
    closing: threading.Event,
) -> bool:
    """Send an answer as its step requires.

    Args:
        sock: the connection.
        answer: the answer; ignored by deliveries that send none.
        step: the fault step; empty for a normal delivery.
        method: the request's method.
        keep_alive: whether the connection may stay open.
        closing: set when the server closes.

    Returns:
        whether the connection can be used for another request.

    Raises:
        OSError: the client has left, or reads nothing for 30 s.
    """
    sock.settimeout(_SEND_TIMEOUT_S)
    delivery = delivery_of(step)
    if delivery == "hang_s":
        _wait_for_leave(sock, step["hang_s"])
    elif delivery == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    elif delivery == "endless_mb":
        _send_endless(sock, step["endless_mb"] * 1048576)
    elif delivery == "truncate":
        sock.sendall(
            format_head(answer, keep_alive=False) + b"".join(_cut(answer.body, step["truncate"]))
        )
    elif delivery == "drip_s":
        data = format_head(answer, keep_alive=False) + answer.body.joined()
        _send_dripping(sock, data, step["drip_s"], closing)
    elif delivery == "":
        _send_whole(sock, answer, method, keep_alive)
        return keep_alive
    return False
