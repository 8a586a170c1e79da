"""Nova's metadata service for one VM. Tests and the command line use this.

Source: Nova's user guide, "Metadata". As in Nova's code, not in its documentation: an unknown path
or version gets 404 with a page in HTML, and a slash at the end does not matter.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

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
from lightinit.emulator.wire.metadata_service import Address, MetadataPlatform

TEXT = "text/plain; charset=UTF-8"
JSON = "application/json"
NOT_FOUND = (
    b"<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n"
    b"  <h1>404 Not Found</h1>\n  The resource could not be found.<br /><br />\n </body>\n</html>"
)


class OpenStack(MetadataPlatform):
    """The metadata service.

    Args:
        instance: parts of the VM's description; see
            :func:`lightinit.emulator.openstack.tree.fill_in`.
        faults, address, log, latency_s: as for :class:`MetadataPlatform`.
        versions: the versions that it lists; older clouds have fewer.

    Raises:
        EmulatorError: there is no such VM, or no such endpoint.
    """

    NAME = "openstack"
    # The last word of a path, and the list of versions.
    ENDPOINTS = (
        "versions",
        "meta_data.json",
        "user_data",
        "vendor_data.json",
        "vendor_data2.json",
        "network_data.json",
    )

    def __init__(
        self,
        instance: Optional[Mapping[str, Any]] = None,
        faults: Optional[Mapping[str, Sequence[FaultStep]]] = None,
        address: Address = ("127.0.0.1", 0),
        versions: Sequence[str] = (*VERSIONS, LATEST),
        log: Optional[str] = None,
        latency_s: float = 0.0,
    ) -> None:
        super().__init__(faults, address, log, latency_s)
        self._versions = tuple(versions)
        self.instance: Dict[str, Any] = {}
        self._tree: Dict[str, bytes] = {}
        self.become(instance or {})

    def become(self, instance: Mapping[str, Any]) -> None:
        """Play another VM from now on."""
        self.instance = fill_in(instance)
        self._tree = make_tree(self.instance)

    def find_endpoint(self, request: Request) -> str:
        """One of ``ENDPOINTS``, or another word."""
        words = _split(request)
        return "versions" if words == ["openstack"] else (words or [""])[-1]

    def answer(self, request: Request) -> Reply:
        """The answer as Nova gives it."""
        words = _split(request)
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


def _split(request: Request) -> List[str]:
    return [word for word in request.path.split("/") if word]


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
