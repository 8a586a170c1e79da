"""The Instance Metadata Service: requests in, answers out, strictly. Knows no socket.

Source: Azure IMDS docs (headers, query parameters, formats, versions, route parameters, status
codes). Not documented, so decided here:

* 400 for a leaf requested as JSON.
* 500 for ``extended=true`` if the scenario omits part of the document: IMDS would fail rather than
  return partial data.
* 404 for reprovision data if the VM is not preprovisioned or has no owner yet. The data are XML
  (see ``reprovision.py``).
"""

from __future__ import annotations

import json
from typing import Any, Iterable, List, Optional, Sequence, Tuple

from lightinit.emulator.documents.store import HUGE_BYTES, dress
from lightinit.emulator.services.machine import Machine, read_data
from lightinit.emulator.services.paths import remove_path, set_path
from lightinit.emulator.wire.faults import FaultStep, variants_of
from lightinit.emulator.wire.messages import Body, Reply, Request, json_answer, make_answer

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
XML = "text/xml; charset=utf-8"
_DEPTH = 100000
_REPROVISION = "/metadata/reprovisiondata"
_BAD_VERSION = (
    "Bad request. api-version is invalid or was not specified in the request. "
    "For more information refer to aka.ms/azureimds"
)


def _refuse(status: int, reason: str, **headers: str) -> Reply:
    return json_answer(status, {"error": reason}, reason, **headers)


def _format_leaf(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _list_keys(node: Any) -> str:
    """List a container as format=text does: one key on each line, a slash after containers."""
    pairs: Iterable[Tuple[Any, Any]] = enumerate(node)
    if isinstance(node, dict):
        pairs = node.items()
    slash = {True: "/", False: ""}
    return "\n".join("%s%s" % (key, slash[isinstance(it, (dict, list))]) for key, it in pairs)


def _encode(document: Any, variants: Sequence[str]) -> Body:
    """Return a JSON document as a body, in faulty forms from ``faults.VARIANTS["imds"]``."""
    data = json.dumps(document, ensure_ascii=False).encode("utf-8")
    if "deep" in variants:
        data = b'{"compute": ' + b"[" * _DEPTH + b"]" * _DEPTH + b"}"
    blocks = [(data, 1)]
    if "huge" in variants:
        blocks = [(data[:1], 1), (b" " * 65536, HUGE_BYTES // 65536), (data[1:], 1)]
    if "bom" in variants:
        blocks.insert(0, (b"\xef\xbb\xbf", 1))
    return Body(tuple(blocks))


def asks_for_extended(request: Request) -> bool:
    """Return whether the request asks for the document with its extended part."""
    return request.parameter("extended").lower() == "true"


class Imds:
    """Answers for one machine.

    Args:
        machine: the VM that it describes.
        api_versions: the api-versions that it supports; None for all that the docs list.
    """

    name = "imds"
    well_known = "169.254.169.254"

    def __init__(self, machine: Machine, api_versions: Optional[Sequence[str]] = None) -> None:
        self._machine = machine
        data = read_data("versions.json")
        if api_versions is None:
            api_versions = data["api_versions"]
        self._versions: List[str] = sorted(api_versions, reverse=True)
        self._introduced = data["introduced"]
        self.authority = ""  # "host:port"; set when the socket is bound

    def endpoint_of(self, request: Request) -> str:
        """Return the endpoint whose faults apply to the request, "" for none."""
        if request.path.rstrip("/") == _REPROVISION:
            return "reprovisiondata"
        if (request.path + "/").startswith("/metadata/"):
            return "imds"
        return ""

    def answer(self, request: Request, step: FaultStep) -> Reply:
        """Answer a request.

        Args:
            request: the request.
            step: the fault step; only its document edits take effect here. Empty for the good
                answer.
        """
        if request.headers.get("metadata", "").lower() != "true":
            return _refuse(400, "Bad request. Required metadata header not specified")
        if request.method != "GET":
            return _refuse(405, "Method not allowed. IMDS allows only GET", Allow="GET")
        words = [word for word in request.path.split("/") if word]
        if words == ["metadata", "versions"]:
            return json_answer(200, {"apiVersions": self._versions[::-1]})
        reprovisions = words == ["metadata", "reprovisiondata"]
        if words[:2] != ["metadata", "instance"] and not reprovisions:
            return _refuse(404, "Not found. IMDS has nothing at %s" % request.path)
        names = [name for name, _ in request.query]
        if len(names) != len(set(names)):
            return _refuse(400, "Bad request. A query parameter occurs more than once")
        version = request.parameter("api-version")
        if version not in self._versions:
            shown = {"error": _BAD_VERSION, "newest-versions": self._versions[:3]}
            return json_answer(400, shown, "api-version %r is missing or unknown" % version)
        if reprovisions:
            data = self._machine.reprovision_data
            if data is None:
                return _refuse(404, "Not found. This VM has no reprovision data")
            return Reply(200, {"Content-Type": XML}, dress(data, variants_of(step)))
        extended = asks_for_extended(request)
        if extended and "omit" in step:
            return _refuse(500, "Service error. The extended document is not complete yet")
        return self._instance(
            words[2:], request.parameter("format") or "json", version, extended, step
        )

    def build_document(self, version: str, extended: bool, step: FaultStep) -> Any:
        """Return the document of an api-version.

        Args:
            version: the api-version; fields introduced later are left out.
            extended: whether to include the extended part.
            step: its ``omit`` and ``set`` are applied.
        """
        document = self._machine.document
        for path, since in self._introduced.items():
            if version < since or (path == "extended" and not extended):
                remove_path(document, path)
        for path in step.get("omit", ()):
            remove_path(document, path)
        for path, value in step.get("set", {}).items():
            set_path(document, path, value)
        return document

    def _instance(
        self, words: Sequence[str], form: str, version: str, extended: bool, step: FaultStep
    ) -> Reply:
        node = self.build_document(version, extended, step)
        for word in words:
            if isinstance(node, dict) and word in node:
                node = node[word]
            elif isinstance(node, list) and word.isdecimal() and int(word) < len(node):
                node = node[int(word)]
            else:
                return _refuse(
                    404, "Not found. api-version %s has no %s" % (version, "/".join(words))
                )
        is_leaf = not isinstance(node, (dict, list))
        if form == "text":
            format_node = {True: _format_leaf, False: _list_keys}[is_leaf]
            return make_answer(200, format_node(node).encode("utf-8"), TEXT)
        if form != "json":
            return _refuse(400, "Bad request. format must be json or text")
        if is_leaf:
            return _refuse(400, "Bad request. A leaf needs format=text")
        return Reply(200, {"Content-Type": JSON}, _encode(node, variants_of(step)))
