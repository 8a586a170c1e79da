"""Records every request, in memory and as JSON lines in a file. Knows no protocol."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence

from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.wire.faults import FaultStep
from lightinit.emulator.wire.messages import Request

BODY_CHARACTERS = 8192
RECORDS = 10000


def _format_time(time_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_s)) + ".%03dZ" % (time_s % 1 * 1000)


class RequestLog:
    """Records requests and connections, and notifies ``changed`` after each change.

    It counts what happens, over all servers: a connection opens, a request has come, its answer is
    sent. So ``opened``, ``came`` and ``answered`` of the records say what was before what, without
    any clock.

    Args:
        path: a file; a line is appended for each request. None for no file.

    Raises:
        EmulatorError: the file cannot be written.
    """

    def __init__(self, path: Optional[str] = None) -> None:
        self.changed = threading.Condition()
        self._records: List[Dict[str, Any]] = []
        self._connections: List[Dict[str, Any]] = []
        self._open_requests = self._happened = 0
        # Open until close().
        try:
            self._file = open(path, "a", encoding="utf-8") if path else None  # noqa: SIM115
        except OSError as error:
            raise EmulatorError("cannot write the log %s: %s" % (path, error.strerror)) from error

    def open(self, server: str, client: str, number: int) -> int:
        """Record a connection. The first 10000 are kept.

        Args:
            server: as for :meth:`begin`.
            client: "host:port".
            number: of this server's connections, from 1.

        Returns:
            its place in the order of all that happened.
        """
        with self.changed:
            self._happened += 1
            if len(self._connections) < RECORDS:
                self._connections.append(
                    {
                        "server": server,
                        "client": client,
                        "connection": number,
                        "opened": self._happened,
                    }
                )
            self.changed.notify_all()
            return self._happened

    def begin(
        self, server: str, request: Request, step: Optional[FaultStep], refusal: str, came: int
    ) -> Dict[str, Any]:
        """Record a request whose answer is decided but not sent yet. The first 10000 are kept.

        Args:
            server: ``wireserver`` or ``imds``.
            request: the request.
            step: its fault step; None for no fault.
            refusal: why it was refused, "" if it was not.
            came: what :meth:`arrive` returned.

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
            "opened": request.opened,
            "came": came,
            "answered": None,
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

    def arrive(self) -> int:
        """Count a request that was read and has no answer yet. Returns its place in the order of
        all that happened.
        """
        with self.changed:
            self._open_requests += 1
            self._happened += 1
            self.changed.notify_all()
            return self._happened

    def answer(self, record: Dict[str, Any]) -> None:
        """Note that the answer to a request is about to be sent: from now on, the client may do
        what it has waited for.
        """
        with self.changed:
            self._happened += 1
            record["answered"] = self._happened

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

    def snapshot_connections(self) -> List[Dict[str, Any]]:
        """Return copies of the connections' records, in order."""
        with self.changed:
            return [dict(record) for record in self._connections]

    def close(self) -> None:
        """Close the file; records in memory stay."""
        with self.changed:
            if self._file is not None:
                self._file.close()


def count_round_trips(records: Sequence[Mapping[str, Any]]) -> List[int]:
    """Return, for each request, how many round trips its answer has cost at most, one after the
    other.

    To open a connection and to get an answer is one round trip each. What came after an answer
    counts as having waited for it, so a client that did not wait may be counted too high, never too
    low.

    Args:
        records: of requests, from one client.
    """
    trips: Dict[int, int] = {}

    def before(event: int) -> int:
        known = [
            trips[number]
            for number, record in enumerate(records)
            if number in trips and record["answered"] is not None and record["answered"] < event
        ]
        return max(known, default=0)

    for number in sorted(range(len(records)), key=lambda each: records[each]["came"]):
        record = records[number]
        trips[number] = 1 + max(1 + before(record["opened"]), before(record["came"]))
    return [trips[number] for number in range(len(records))]


def _verdict(refusal: str, step: Any) -> str:
    if refusal:
        return "refused"
    if step:
        return "faulted"
    return "answered"
