"""The emulator, or a web server, at the address of metadata services.

Each line on standard input is a platform to play, as JSON; the next line ends it, and the answer
has what it was asked.
"""

from __future__ import annotations

import http.server
import json
import sys
import threading
from typing import Any, Dict, List, Mapping, Tuple

from lightinit.emulator.ec2.platform import Ec2
from lightinit.emulator.openstack.platform import OpenStack

ADDRESS = ("169.254.169.254", 80)


class WebServer:
    """A web server with the files of a seed: name -> text.

    Attributes:
        requests: as those of the emulator's platforms.
    """

    def __init__(self, files: Mapping[str, str], address: Tuple[str, int]) -> None:
        self.requests: List[Dict[str, Any]] = []
        told = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = files.get(self.path.lstrip("/"), "").encode("utf-8")
                status = 200 if self.path.lstrip("/") in files else 404
                told.append({"method": "GET", "target": self.path, "status": status, "reason": ""})
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(address, Handler)

    def __enter__(self) -> "WebServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


PLATFORMS: Dict[str, Any] = {"openstack": OpenStack, "ec2": Ec2, "web": WebServer}


def main() -> None:
    for line in iter(sys.stdin.readline, ""):
        name, instance = json.loads(line)
        with PLATFORMS[name](instance, address=ADDRESS) as platform:
            answer("ready")
            sys.stdin.readline()
            answer(json.dumps(platform.requests))


def answer(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
