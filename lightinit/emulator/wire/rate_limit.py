"""A server that takes only so many requests a second. Knows no protocol and plays nothing.

Refused requests do not count, so it recovers while its clients go on asking.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, List

KEYS = ("per_s", "burst", "retry_after_s")


class RateLimit:
    """The requests that one server takes. Safe to use from several threads.

    Args:
        limit: a valid limit: ``per_s``, how many requests a second; ``burst``, how many at once
            after a quiet time (as many as in a second); ``retry_after_s``, what a refusal asks for.
        clock: returns monotonic seconds.
    """

    def __init__(self, limit: Dict[str, Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = float(limit["per_s"])
        self._burst = float(limit.get("burst", max(1.0, self._per_s)))
        self._retry_after_s = limit.get("retry_after_s")
        self._clock = clock
        self._lock = threading.Lock()
        self._left = self._burst
        self._seen_s = clock()

    def refuse(self) -> Dict[str, Any]:
        """Count a request. Return the fault step that refuses it, an empty one if it is taken."""
        with self._lock:
            now_s = self._clock()
            self._left = min(self._burst, self._left + (now_s - self._seen_s) * self._per_s)
            self._seen_s = now_s
            if self._left >= 1.0:
                self._left -= 1.0
                return {}
        if self._retry_after_s is None:
            return {"status": 429}
        return {"status": 429, "retry_after_s": self._retry_after_s}


def find_limit_problems(limits: Any, servers: List[str]) -> List[str]:
    """Return one sentence for each mistake in a scenario's ``rate_limit``.

    Args:
        limits: its value.
        servers: the servers' names.
    """
    if not isinstance(limits, dict):
        return ["'rate_limit' must be an object: a server's name to its limit"]
    found = []
    for server, limit in limits.items():
        where = "rate_limit.%s" % server
        if server not in servers:
            found.append("%s: there is no such server; known are: %s" % (where, ", ".join(servers)))
        elif not isinstance(limit, dict) or "per_s" not in limit:
            found.append("%s must be an object with 'per_s'" % where)
        else:
            found += ["%s.%s must be %s" % (where, *each) for each in _complaints(limit)]
    return found


def _complaints(limit: Dict[str, Any]) -> List[Any]:
    found: List[Any] = []
    for key, value in limit.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if key not in KEYS:
            found.append((key, "left out: known are %s" % ", ".join(KEYS)))
        elif key == "per_s" and not (is_number and 0 < value <= 1000000):
            found.append((key, "a number of requests, more than 0, at most 1000000"))
        elif key == "burst" and not (is_number and 1 <= value <= 1000000):
            found.append((key, "a number of requests from 1 to 1000000"))
        elif key == "retry_after_s" and not (is_number and 0 <= value <= 86400):
            found.append((key, "a number of seconds from 0 to 86400"))
    return found
