"""The metadata service of EC2: requests in, answers out, strictly. Knows no socket.

Source: AWS's documentation, "Use the Instance Metadata Service to access instance metadata" (token,
its header and lifetime, X-Forwarded-For, the codes 400, 401, 403, 404) and "Configure the Instance
Metadata Service options" (tokens optional or required, endpoint off, tags off by default). Not
documented, so decided here:

* 405 for a method that a path does not know, and for a PUT without tokens (``tokens="none"``).
* 404 for a version that is not in the list.
* A folder without its slash is answered like one with it.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any, Callable, Dict, Mapping, Optional

from lightinit.emulator.ec2.tree import find, list_folder, make_tree
from lightinit.emulator.wire.messages import Reply, Request, make_answer

TEXT = "text/plain"
SESSION_PATH = "/latest/api/token"
TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
SESSION_HEADER = "x-aws-ec2-metadata-token"
MAX_TTL_S = 21600
VERSIONS = ("1.0", "2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "latest")
# required: each GET needs a token; optional: it may come without; none: an old service without any;
# off: the service is switched off for this VM.
TOKENS = ("required", "optional", "none", "off")
_TITLES = {
    400: "400 - Bad Request",
    401: "401 - Unauthorized",
    403: "403 - Forbidden",
    404: "404 - Not Found",
    405: "405 - Method Not Allowed",
}


class MetadataService:
    """Answers for one VM.

    Args:
        instance: see :func:`lightinit.emulator.ec2.tree.make_tree`.
        tokens: one of :data:`TOKENS`.
        expire_after: a token is good for this many requests; None for its whole lifetime.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        instance: Mapping[str, Any],
        tokens: str = "required",
        expire_after: Optional[int] = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.instance = dict(instance)
        self.tokens = tokens
        self._expire_after = expire_after
        self._clock = clock
        self._lock = threading.Lock()
        self._ends_s: Dict[str, float] = {}
        self._uses: Dict[str, int] = {}

    def endpoint_of(self, request: Request) -> str:
        """Return the endpoint whose faults apply to the request, "" for none."""
        if request.path == SESSION_PATH:
            return "token"
        words = [word for word in request.path.split("/") if word]
        return words[1] if len(words) > 1 and words[1] in ("meta-data", "user-data") else ""

    def answer(self, request: Request) -> Reply:
        """Answer a request."""
        if self.tokens == "off":
            return _refuse(403, "the metadata service is switched off for this VM")
        if request.path == SESSION_PATH and self.tokens != "none":
            return self._answer_token(request)
        if request.method not in ("GET", "HEAD"):
            return _refuse(405, "%s is not allowed here" % request.method, Allow="GET, HEAD")
        complaint = self._check_token(request)
        if complaint:
            return _refuse(401, complaint)
        return self._answer_value(request.path)

    def _answer_token(self, request: Request) -> Reply:
        if request.method != "PUT":
            return _refuse(405, "a token is asked for with PUT", Allow="OPTIONS, PUT")
        if "x-forwarded-for" in request.headers:
            return _refuse(403, "a request with X-Forwarded-For gets no token")
        text = request.headers.get(TTL_HEADER, "")
        if not text.isdecimal() or len(text) > 5 or not 1 <= int(text) <= MAX_TTL_S:
            return _refuse(400, "%s must be from 1 to %d" % (TTL_HEADER, MAX_TTL_S))
        token = secrets.token_urlsafe(40) + "=="
        with self._lock:
            self._ends_s[token] = self._clock() + int(text)
            self._uses[token] = 0
        headers = {"Content-Type": TEXT, "X-Aws-Ec2-Metadata-Token-Ttl-Seconds": text}
        return make_answer(200, token.encode("ascii"), TEXT)._replace(headers=headers)

    def _check_token(self, request: Request) -> str:
        """Return why a request's token is not good, "" if it is."""
        token = request.headers.get(SESSION_HEADER)
        if self.tokens == "none" or (token is None and self.tokens == "optional"):
            return ""
        with self._lock:
            if token not in self._ends_s:
                return "the token is missing" if token is None else "the token is not known"
            self._uses[token] += 1
            if self._clock() >= self._ends_s[token]:
                return "the token has expired"
            if self._expire_after is not None and self._uses[token] > self._expire_after:
                return "the token has expired after %d requests" % self._expire_after
        return ""

    def _answer_value(self, path: str) -> Reply:
        words = path.lstrip("/").split("/", 1)
        if not words[0]:
            return _send("\n".join(VERSIONS))
        if words[0] not in VERSIONS:
            return _refuse(404, "there is no version %s" % words[0])
        tree = make_tree(self.instance, words[0])
        below = words[1] if len(words) > 1 else ""
        node = find(tree, below)
        if node is None or (below.endswith("/") and not isinstance(node, dict)):
            return _refuse(404, "there is nothing at this path")
        if isinstance(node, dict):
            return _send(list_folder(node, below.rstrip("/") == "meta-data/public-keys"))
        return _send(node)


def _send(value: Any) -> Reply:
    data = value if isinstance(value, bytes) else str(value).encode("utf-8")
    return make_answer(200, data, TEXT)


def _refuse(status: int, reason: str, **headers: str) -> Reply:
    """Refuse as the real service does: with a page for people."""
    title = _TITLES[status]
    page = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n'
        "<html>\n <head>\n  <title>%s</title>\n </head>\n"
        " <body>\n  <h1>%s</h1>\n </body>\n</html>\n"
    ) % (title, title)
    return make_answer(status, page.encode("ascii"), "text/html", reason, **headers)
