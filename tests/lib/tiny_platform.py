"""A tiny platform on the loopback interface, for tests of the Azure datasource as a whole."""

from __future__ import annotations

import http.server
import json
import threading
from typing import Any, Callable, Dict, List, Tuple
from xml.etree import ElementTree

from tests.lib.transport import GOAL_STATE

DOCUMENT = {
    "compute": {
        "name": "vm",
        "vmId": "13F56399",
        "publicKeys": [{"keyData": "ssh-rsa A", "path": ""}],
        "osProfile": {"adminUsername": "me", "disablePasswordAuthentication": "true"},
    }
}
# Quick, so that failures need no patience: a tenth of a second where a VM would take a minute.
QUICK = {
    "retry_first_s": 0.01,
    "fetch_timeout_s": 0.4,
    "goal_state_timeout_s": 0.2,
    "report_timeout_s": 0.4,
    "complete_timeout_s": 0.05,
    "request_timeout_s": 2.0,
}
Reply = Tuple[int, bytes]


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
