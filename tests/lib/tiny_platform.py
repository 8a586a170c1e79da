"""A tiny platform on the loopback interface, for tests of the Azure datasource as a whole."""

from __future__ import annotations

import http.server
import json
import threading
from typing import Any, Callable, Dict, List, Tuple
from xml.etree import ElementTree

from lightinit.datasources.azure.datasource import AzureDatasource
from lightinit.host.clock import Clock
from tests.lib.transport import GOAL_STATE

DOCUMENT = {
    "compute": {
        "name": "vm",
        "vmId": "13F56399",
        "publicKeys": [{"keyData": "ssh-rsa A", "path": ""}],
        "osProfile": {"adminUsername": "me", "disablePasswordAuthentication": "true"},
    }
}
# A platform that answers well is waited for as long as on a VM: a busy machine, on which it takes
# seconds, turns no test red. One that fails costs no time, since ``OwnClock`` skips the pauses.
PATIENT = {
    "retry_first_s": 1.0,
    "fetch_timeout_s": 60.0,
    "goal_state_timeout_s": 60.0,
    "report_timeout_s": 60.0,
    "complete_timeout_s": 30.0,
    "request_timeout_s": 120.0,
    "media_wait_s": 60.0,
}
Reply = Tuple[int, bytes]


class OwnClock(Clock):
    """A clock for each thread, which moves only when that thread sleeps: pauses are over at once,
    and neither another thread's pauses nor a busy machine take anything of a deadline.
    """

    def __init__(self) -> None:
        self._own = threading.local()

    def monotonic(self) -> float:
        return float(getattr(self._own, "now_s", 1000.0))

    def time(self) -> float:
        return 1700000000.0 + self.monotonic()

    def sleep(self, duration_s: float) -> None:
        self._own.now_s = self.monotonic() + duration_s


class PatientDatasource(AzureDatasource):
    """Waits for each answer as long as it takes, even if nothing needs it."""

    GRACE_S = PATIENCE_S = PROBE_S = 60.0


class Platform:
    """Replies by the beginning of method and target; what was sent is kept.

    Args:
        root: the scratch root of the VM that asks.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.replies: Dict[str, Callable[[], Reply]] = {
            "GET /machine?comp=goalstate": lambda: (200, GOAL_STATE % 1),
            "POST /machine?comp=health": lambda: (200, b""),
            "GET /metadata/instance?": lambda: (200, json.dumps(DOCUMENT).encode()),
            "GET /metadata/instance/compute/vmId?": lambda: (200, b"13F56399"),
        }
        self.sent: List[Tuple[str, Dict[str, str], bytes]] = []
        platform = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                line = "%s %s" % (self.command, self.path)
                platform.sent.append((line, dict(self.headers.items()), body))
                status, data = next(
                    (
                        reply()
                        for start, reply in platform.replies.items()
                        if line.startswith(start)
                    ),
                    (404, b""),
                )
                head = "HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(data))
                self.wfile.write(head.encode() + data)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.endpoint = "127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def reports(self) -> List[ElementTree.Element]:
        """What the platform was told of this VM's health in the end: reports that only tell of
        progress are left out.
        """
        found = [
            ElementTree.fromstring(body) for line, _, body in self.sent if line.startswith("POST")
        ]
        return [report for report in found if report.findtext(".//SubStatus") != "Provisioning"]

    def stop(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.server.server_close()
