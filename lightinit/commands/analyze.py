"""``lightinit analyze``: shows how long each part of the last provisioning took."""

from __future__ import annotations

import argparse
import json
from typing import Any, Callable, Dict, List

from lightinit.commands import terminal
from lightinit.errors import EXIT_NOT_RUN, EXIT_OK, RefusedError
from lightinit.host.system import System
from lightinit.state import CURRENT, INSTANCE_LIMIT_BYTES, read_json


def run(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit analyze``."""
    entries = load(system)
    views: Dict[str, Callable[[Any], str]] = {"blame": blame, "show": show}
    if arguments.format == "json":
        terminal.show(as_json(entries))
    else:
        terminal.show(views[arguments.view](entries))
    return EXIT_OK


def load(system: System) -> List[Dict[str, Any]]:
    """Return the entries of the time line; times are in seconds.

    Raises:
        RefusedError: no time line was recorded.
    """
    data = read_json(system, CURRENT + "/timeline.json", INSTANCE_LIMIT_BYTES)
    entries = (data or {}).get("entries")
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise RefusedError(
            "no time line",
            EXIT_NOT_RUN,
            path=CURRENT + "/timeline.json",
            hint="`lightinit boot` writes it at its end; see: lightinit status --long",
        )
    return entries


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), str) for key in ("kind", "name"))
        and all(isinstance(entry.get(key), (int, float)) for key in ("start_s", "duration_s"))
    )


def blame(entries: List[Dict[str, Any]]) -> str:
    """Return the entries as text, slowest first, without stages, which are sums of the others."""
    parts = [entry for entry in entries if entry["kind"] != "stage"]
    parts.sort(key=lambda entry: entry["duration_s"], reverse=True)
    return "\n".join(
        "%9.3fs  %-8s %s%s" % (entry["duration_s"], entry["kind"], entry["name"], _ending(entry))
        for entry in parts
    )


def show(entries: List[Dict[str, Any]]) -> str:
    """Return the entries as text, in order of their start, below their stages."""
    lines = ["%9s  %9s  what" % ("@start", "+took")]
    order = sorted(entries, key=lambda entry: (entry["start_s"], entry["kind"] != "stage"))
    for entry in order:
        indent = "  "
        if entry["kind"] == "stage":
            indent = ""
        lines.append(
            "%8.3fs  %8.3fs  %s%s %s%s"
            % (
                entry["start_s"],
                entry["duration_s"],
                indent,
                entry["kind"],
                entry["name"],
                _ending(entry),
            )
        )
    stages = [entry for entry in entries if entry["kind"] == "stage"]
    lines.append("%9s  %8.3fs  in all stages" % ("", sum(entry["duration_s"] for entry in stages)))
    return "\n".join(lines)


def as_json(entries: List[Dict[str, Any]]) -> str:
    """Return the time line as JSON."""
    return json.dumps({"entries": entries}, indent=1, sort_keys=True)


def _ending(entry: Dict[str, Any]) -> str:
    if entry.get("result") in ("", "ok", "0", None):
        return ""
    return "  (%s)" % entry["result"]
