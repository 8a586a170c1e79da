"""Records every request, in memory and as JSON lines in a file. Knows no protocol."""

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
    """Records requests, and notifies ``changed`` after each change.

    Args:
        path: a file; a line is appended for each request. None for no file.
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
        """Record a request whose answer is decided but not sent yet. The first 10000 are kept.

        Args:
            server: ``wireserver`` or ``imds``.
            request: the request.
            step: its fault step; None for no fault.
            refusal: why it was refused, "" if it was not.

        Returns:
            the record, for :meth:`finish`.
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
            status: the status that was sent; None if none was.
            duration_s: seconds from the end of the request until the answer was decided, or until
                the end of a slow delivery.
        """
        with self.changed:
            record["status"] = status
            record["duration_s"] = round(duration_s, 6)
            if self._file is not None and not self._file.closed:
                self._file.write(json.dumps(record) + "\n")
                self._file.flush()
            self.changed.notify_all()

    def arrive(self) -> None:
        """Count a request that was read and has no answer yet."""
        with self.changed:
            self._open_requests += 1

    def settle(self) -> None:
        """Count a request as over: its answer was sent or failed."""
        with self.changed:
            self._open_requests -= 1
            self.changed.notify_all()

    @property
    def in_flight(self) -> int:
        """How many requests are being answered."""
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
