"""Keeps a record of every request, in memory and as JSON lines in a file. Knows no protocol."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Dict, List, Optional

from lightinit.emulator.wire.faults import FaultStep
from lightinit.emulator.wire.messages import Request

BODY_CHARACTERS = 8192
RECORDS = 10000


def _format_time(time_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_s)) + ".%03dZ" % (time_s % 1 * 1000)


class RequestLog:
    """Records, and wakes whoever waits for one.

    Args:
        path: a file to which a line per request is appended, or None.
    """

    def __init__(self, path: Optional[str] = None) -> None:
        self.changed = threading.Condition()
        self._records: List[Dict[str, Any]] = []
        self._open_requests = 0
        # Open until close().
        self._file = open(path, "a", encoding="utf-8") if path else None  # noqa: SIM115

    def begin(
        self, server: str, request: Request, step: Optional[FaultStep], refusal: str
    ) -> Dict[str, Any]:
        """Record a request whose answer is decided but not sent; memory keeps the first 10000 of
        them.

        Args:
            server: ``wireserver`` or ``imds``.
            request: what was asked.
            step: the fault that is played on it, if any.
            refusal: why it was refused, "" when it was not.

        Returns:
            the record, to be given to :meth:`finish`.
        """
        record: Dict[str, Any] = {
            "time": _format_time(time.time()),
            "server": server,
            "client": request.client,
            "connection": request.connection,
            "method": request.method,
            "target": request.target,
            "path": request.path,
            "query": dict(request.query),
            "headers": dict(request.headers),
            "body": request.body[:BODY_CHARACTERS].decode("utf-8", "replace"),
            "status": None,
            "fault": dict(step) if step else None,
            "verdict": _verdict(refusal, step),
            "reason": refusal,
            "duration_s": None,
        }
        with self.changed:
            if len(self._records) < RECORDS:
                self._records.append(record)
            self.changed.notify_all()
        return record

    def finish(self, record: Dict[str, Any], status: Optional[int], duration_s: float) -> None:
        """Complete a record and write its line.

        Args:
            record: what :meth:`begin` returned.
            status: the status that was sent, None when nothing was.
            duration_s: seconds from having read the request to having its answer in hand, or to the
                end of a slow delivery.
        """
        with self.changed:
            record["status"] = status
            record["duration_s"] = round(duration_s, 6)
            if self._file is not None and not self._file.closed:
                self._file.write(json.dumps(record) + "\n")
                self._file.flush()
            self.changed.notify_all()

    def arrive(self) -> None:
        """Note that a request was read and will be answered."""
        with self.changed:
            self._open_requests += 1

    def settle(self) -> None:
        """Note that a request's answer has left, or never will."""
        with self.changed:
            self._open_requests -= 1
            self.changed.notify_all()

    @property
    def in_flight(self) -> int:
        """How many requests are still being answered."""
        with self.changed:
            return self._open_requests

    def snapshot(self) -> List[Dict[str, Any]]:
        """Return copies of the records, in order of arrival."""
        with self.changed:
            return [
                dict(record, query=dict(record["query"]), headers=dict(record["headers"]))
                for record in self._records
            ]

    def close(self) -> None:
        """Close the file; records in memory stay."""
        with self.changed:
            if self._file is not None:
                self._file.close()


def _verdict(refusal: str, step: Any) -> str:
    if refusal:
        return "refused"
    if step:
        return "faulted"
    return "answered"
