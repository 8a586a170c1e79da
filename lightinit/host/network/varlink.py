"""Calls a method over varlink: one question and one answer as JSON, over a Unix socket.

It starts no process and needs no D-Bus, so it also works early in a boot. varlink.org has the
protocol: a message is a JSON object with a zero byte after it.
"""

from __future__ import annotations

import json
import socket
from typing import Any, Dict, Optional

from lightinit.host.system import System

LIMIT_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 64 * 1024


def call(system: System, path: str, method: str, timeout_s: float) -> Optional[Dict[str, Any]]:
    """The answer of a service to ``method``, which has no parameters.

    Args:
        system: the machine. Only its clock and its root count.
        path: the service's socket.
        method: the method's whole name, with its interface.
        timeout_s: seconds for everything.

    Returns:
        The parameters of the answer; empty if it does not know the method, or refuses. None if
        there is no such service, or if it does not answer in time or not in this form.
    """
    ends_s = system.clock.monotonic() + timeout_s
    question = json.dumps({"method": method, "parameters": {}}).encode("ascii") + b"\0"
    data = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as service:
            service.settimeout(timeout_s)
            service.connect(system.path(path))
            service.sendall(question)
            while b"\0" not in data[-CHUNK_BYTES:]:
                left_s = ends_s - system.clock.monotonic()
                if left_s <= 0 or len(data) > LIMIT_BYTES:
                    return None
                service.settimeout(left_s)
                part = service.recv(CHUNK_BYTES)
                if not part:
                    return None
                data += part
    except (OSError, ValueError):
        return None
    return _parameters(data.partition(b"\0")[0])


def _parameters(message: bytes) -> Optional[Dict[str, Any]]:
    try:
        answer = json.loads(message.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    if answer.get("error"):
        return {}
    parameters = answer.get("parameters")
    if not isinstance(parameters, dict):
        return None
    return parameters
