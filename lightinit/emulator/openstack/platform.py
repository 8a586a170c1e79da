"""Nova's metadata service for one VM. Tests and the command line use this.

Source: Nova's user guide, "Metadata". As in Nova's code, not in its documentation: an unknown path
or version gets 404 with a page in HTML, and a slash at the end does not matter.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.openstack.tree import (
    EC2_VERSIONS,
    LATEST,
    VERSIONS,
    fill_in,
    make_ec2,
    make_tree,
)
from lightinit.emulator.wire.faults import FaultStep
from lightinit.emulator.wire.messages import Reply, Request, make_answer, refuse
from lightinit.emulator.wire.replacement import replace_answer
from lightinit.emulator.wire.request_log import RequestLog
from lightinit.emulator.wire.sequence import Sequence as Steps
from lightinit.emulator.wire.server import Server

TEXT = "text/plain; charset=UTF-8"
JSON = "application/json"
# What faults can be set for: the last word of a path, and the list of versions.
ENDPOINTS = (
    "versions",
    "meta_data.json",
    "user_data",
    "vendor_data.json",
    "vendor_data2.json",
    "network_data.json",
)
NOT_FOUND = (
    b"<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n"
    b"  <h1>404 Not Found</h1>\n  The resource could not be found.<br /><br />\n </body>\n</html>"
)
Address = Tuple[str, int]


class OpenStack:
    """The metadata service on one address; use it in a ``with`` statement.

    Args:
        instance: parts of the VM's description; see
            :func:`lightinit.emulator.openstack.tree.fill_in`.
        faults: for one of ``ENDPOINTS``, the steps that its requests get, one after the other; the
            keys are those of docs/emulator.md. After the last step, the answers are good.
        address: host and port; port 0 means any free port.
        versions: the versions that it lists; older clouds have fewer.
        log: a file; each request is appended as a JSON line. None for no file.
        latency_s: seconds to wait once per connection and once per request.

    Raises:
        EmulatorError: there is no such VM, or no such endpoint.
    """

    def __init__(
        self,
        instance: Optional[Mapping[str, Any]] = None,
        faults: Optional[Mapping[str, Sequence[FaultStep]]] = None,
        address: Address = ("127.0.0.1", 0),
        versions: Sequence[str] = (*VERSIONS, LATEST),
        log: Optional[str] = None,
        latency_s: float = 0.0,
    ) -> None:
        self._steps = {name: Steps(list(steps)) for name, steps in (faults or {}).items()}
        for name in self._steps:
            if name not in ENDPOINTS:
                raise EmulatorError(
                    "openstack has no endpoint %r; it has: %s" % (name, ", ".join(ENDPOINTS))
                )
        self._versions = tuple(versions)
        self._address = address
        self._log_path = log
        self._latency_s = latency_s
        self._log = RequestLog()
        self._server: Optional[Server] = None
        self.instance: Dict[str, Any] = {}
        self._tree: Dict[str, bytes] = {}
        self.become(instance or {})
        self.endpoint = ""  # "host:port" while it listens

    def become(self, instance: Mapping[str, Any]) -> None:
        """Play another VM from now on."""
        self.instance = fill_in(instance)
        self._tree = make_tree(self.instance)

    def __enter__(self) -> "OpenStack":
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def start(self) -> None:
        """Take the address and listen.

        Raises:
            EmulatorError: the address cannot be used, or the log cannot be written.
        """
        try:
            self._log = RequestLog(self._log_path)
        except OSError as error:
            raise EmulatorError(
                "cannot write the log %s: %s" % (self._log_path, error.strerror)
            ) from error
        self._server = Server("openstack", self._play, self._log, self._latency_s)
        try:
            self.endpoint = self._server.bind(self._address)
        except EmulatorError:
            self.close()
            raise
        self._server.start()

    def close(self) -> None:
        """End all connections and free the address. The records stay readable."""
        if self._server is not None:
            self._server.close()
        self._server = None
        self._log.close()

    @property
    def requests(self) -> List[Dict[str, Any]]:
        """Copies of the records of all requests, in order of arrival."""
        return self._log.snapshot()

    @property
    def in_flight(self) -> int:
        """How many requests are being answered."""
        return self._log.in_flight

    def wait_for(
        self, predicate: Callable[["OpenStack"], Any], timeout_s: Optional[float] = 60.0
    ) -> bool:
        """Wait until a condition holds; it is checked when a request comes or is answered."""
        with self._log.changed:
            return bool(self._log.changed.wait_for(lambda: predicate(self), timeout_s))

    def _play(self, request: Request) -> Tuple[Reply, Optional[FaultStep]]:
        words = [word for word in request.path.split("/") if word]
        name = "versions" if words == ["openstack"] else (words or [""])[-1]
        step = self._steps[name].take() if name in self._steps else None
        if step is not None:
            replacement = replace_answer(step, lambda text: text)
            if replacement is not None:
                return replacement, step
        return self._answer(request, words), step

    def _answer(self, request: Request, words: List[str]) -> Reply:
        if request.method not in ("GET", "HEAD"):
            return refuse(405, "The metadata service is read with GET", Allow="GET, HEAD")
        if words[:1] != ["openstack"]:
            return self._answer_ec2(words)
        if len(words) == 1:
            return _lines(self._versions)
        if words[1] not in (*self._versions, "content"):
            return _not_found()
        path = "/".join(words)
        if path in self._tree:
            kind = JSON if path.endswith(".json") else TEXT
            return make_answer(200, self._tree[path], kind)
        below = [name for name in self._tree if name.startswith(path + "/")]
        if len(words) > 2 or words[1] == "content" or not below:
            return _not_found()
        return _lines(sorted(name[len(path) + 1 :] for name in below))

    def _answer_ec2(self, words: List[str]) -> Reply:
        if not words:
            return _lines(EC2_VERSIONS)
        if words[0] not in EC2_VERSIONS:
            return _not_found()
        node: Any = {"meta-data": make_ec2(self.instance)}
        if self.instance["user_data"]:
            node["user-data"] = self._tree["openstack/latest/user_data"]
        for word in words[1:]:
            if not isinstance(node, dict) or word not in node or word == "_name":
                return _not_found()
            node = node[word]
        if isinstance(node, bytes):
            return make_answer(200, node, TEXT)
        if isinstance(node, dict):
            return _lines(_list_ec2(node))
        return make_answer(200, str(node).encode("utf-8"), TEXT)


def _list_ec2(node: Mapping[str, Any]) -> List[str]:
    found = []
    for name, value in sorted(node.items()):
        if isinstance(value, dict):
            found.append(str(value.get("_name", name + "/")))
        elif name != "_name":
            found.append(name)
    return found


def _lines(names: Sequence[str]) -> Reply:
    return make_answer(200, "\n".join(names).encode("utf-8"), TEXT)


def _not_found() -> Reply:
    return make_answer(404, NOT_FOUND, "text/html; charset=UTF-8", "there is nothing at this path")
