"""The web server that documents name: http://127.0.0.1:8099."""

from __future__ import annotations

import http.server
import sys
import urllib.parse

PAGES = {
    "/config.yaml": b"#cloud-config\nruncmd: [echo included >>/srv/log]\nhostname: included\n",
    "/script.sh": b"#!/bin/sh\necho included script >>/srv/log\n",
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = PAGES.get(self.path)
        if self.path.startswith("/posted/"):
            page = PAGES.pop(self.path, b"nothing")
        self.send_response(404 if page is None else 200)
        self.send_header("Content-Length", str(len(page or b"")))
        self.end_headers()
        self.wfile.write(page or b"")

    def do_POST(self) -> None:
        """Keep what is sent: /posted/cloud_init and /posted/lightinit have it, once."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fields = sorted(urllib.parse.parse_qsl(body.decode("utf-8"), keep_blank_values=True))
        agent = "lightinit"
        if "cloud-init" in self.headers.get("User-Agent", "").lower():
            agent = "cloud_init"
        PAGES["/posted/" + agent] = ("%s %s\n" % (self.path, fields)).encode("utf-8")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    with http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Handler) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        server.serve_forever()
