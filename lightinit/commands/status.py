"""``lightinit status``: shows the status of provisioning as a word and an exit code."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

from lightinit.commands import terminal
from lightinit.errors import (
    EXIT_FAILED,
    EXIT_NOT_RUN,
    EXIT_OK,
    EXIT_WARNINGS,
    LightinitError,
)
from lightinit.formats.instance_id import normalise_uuid, same_instance
from lightinit.host.files.lock import is_held
from lightinit.host.identity import read_boot_id, read_dmi
from lightinit.host.log import printable
from lightinit.host.system import System
from lightinit.state import (
    ANCHORS,
    CURRENT,
    DISABLED,
    INSTANCE_LIMIT_BYTES,
    LOCK,
    STATUS,
    current_instance,
    read_json,
)

EXIT_CODES = {
    "done": EXIT_OK,
    "error": EXIT_FAILED,
    "degraded done": EXIT_WARNINGS,
    "running": EXIT_NOT_RUN,
    "not run": EXIT_NOT_RUN,
    "disabled": EXIT_NOT_RUN,
}
POLL_S = 0.1


def run(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit status``."""

    def progress(found: Dict[str, Any]) -> None:
        if not sys.stderr.isatty():
            return
        line = "status: %s" % found["status"]
        if found["stage"]:
            line += ", stage " + found["stage"]
        if found["doing"]:
            line += ", " + found["doing"]
        sys.stderr.write(line + "\n")

    if arguments.wait:
        found = wait_for_status(system, arguments.timeout, arguments.start_timeout, progress)
    else:
        found = current_status(system)
    if arguments.long:
        found["user_data"] = _look_at_parts(system)
    if arguments.format == "json":
        terminal.show(as_json(found))
    else:
        terminal.show(as_text(found, arguments.long))
    return int(found["exit_code"])


def _look_at_parts(system: System) -> Optional[List[Dict[str, Any]]]:
    """The user data and their parts; None if only root can tell."""
    if system.live and os.geteuid() != 0:
        return None
    from lightinit.commands import parts

    try:
        system.read(CURRENT + "/instance.json", INSTANCE_LIMIT_BYTES)
        return parts.look(system)
    except (LightinitError, OSError):
        return None


def current_status(system: System) -> Dict[str, Any]:
    """Return the status of provisioning.

    Returns:
        A dict with ``status`` (done, error, running, not run, disabled), ``extended_status`` (also:
        degraded done), ``exit_code``, ``detail``, ``stage``, ``doing``, ``instance``,
        ``reported``, ``errors``, ``warnings``, ``finished``.
    """
    live = _live(system)
    if _was_interrupted(system, live):
        live = _live(system)  # it may have ended between reading the file and checking the lock
    word, detail, data = str(live.get("status", "not run")), "", live
    if _was_interrupted(system, live):
        word, detail, data = _interrupted(system, live)
    elif word == "running" and live.get("waiting_for"):
        detail = "waiting for the VM's %s, without a time limit" % live["waiting_for"]
    elif word == "disabled":
        detail = str(live.get("reason", ""))
    elif word == "not run":
        word, detail, data = _not_run(system, live)
    if word not in EXIT_CODES:
        word, detail = "error", "the recorded status is damaged"
    return {
        "status": word.replace("degraded done", "done"),
        "extended_status": word,
        "exit_code": EXIT_CODES[word],
        "detail": detail,
        "stage": str(data.get("stage", "")),
        "doing": str(data.get("doing", "")),
        "instance": str(data.get("instance", "")),
        "reported": str(data.get("reported", "")),
        "errors": _texts(data.get("errors")),
        "warnings": _texts(data.get("warnings")),
        "finished": str(data.get("finished", "")),
    }


def _was_interrupted(system: System, live: Dict[str, Any]) -> bool:
    """Return whether status.json says "running", but that process no longer holds the lock."""
    pid = live.get("pid")
    if not isinstance(pid, int):
        pid = 0
    return live.get("status") == "running" and not is_held(system, LOCK, pid)


def _interrupted(system: System, live: Dict[str, Any]) -> Tuple[str, str, Dict[str, Any]]:
    """Return word, detail and data after an interrupted run."""
    result = _recorded_result(system)
    if result is not None and result.get("boot_id") == live.get("boot_id"):
        doing = live.get("doing")
        if doing and live.get("stage") == "final":
            detail = (
                "the VM is ready; lightinit was interrupted in %s; the next boot resumes it, or run"
                " now: lightinit boot" % doing
            )
            return "degraded done", detail, result
        # The run was interrupted after its last step.
        return str(result.get("status", "error")), "", result
    detail = (
        "lightinit was interrupted in stage %s; the next boot resumes it, or run now: "
        "lightinit boot" % (live.get("stage") or "unknown")
    )
    return "error", detail, live


def _not_run(system: System, live: Dict[str, Any]) -> Tuple[str, str, Dict[str, Any]]:
    """Return word, detail and data if nothing has run since this boot."""
    if system.exists(DISABLED):
        return "disabled", "disabled by %s" % DISABLED, live
    result = _recorded_result(system)
    if result is None:
        return "not run", "", live
    detail = ""
    if result.get("boot_id") != read_boot_id(system):
        detail = "by an earlier boot"
    return str(result.get("status", "error")), detail, result


def _live(system: System) -> Dict[str, Any]:
    """Return the content of status.json; empty if an earlier boot wrote it."""
    live = read_json(system, STATUS) or {}
    if live.get("boot_id") != read_boot_id(system):
        return {}
    return live


def _texts(value: Any) -> List[str]:
    if not isinstance(value, list):
        return []
    return [str(text) for text in value]


def wait_for_status(
    system: System,
    timeout_s: float,
    start_timeout_s: float,
    progress: Optional[Callable[[Dict[str, Any]], None]] = None,
) -> Dict[str, Any]:
    """Wait until provisioning has ended, or time is up; return what :func:`current_status` does.

    Args:
        system: the machine.
        timeout_s: seconds to wait at most.
        start_timeout_s: seconds to wait at most for the start.
        progress: called with the status after each change of status or stage.
    """
    clock = system.clock
    began_s = clock.monotonic()
    told = None
    while True:
        found = current_status(system)
        if progress is not None and told != (found["status"], found["stage"], found["doing"]):
            told = (found["status"], found["stage"], found["doing"])
            progress(found)
        waited_s = clock.monotonic() - began_s
        limit_s = {"running": timeout_s, "not run": min(timeout_s, start_timeout_s)}.get(
            found["status"], 0.0
        )
        if waited_s >= limit_s:
            return found
        clock.sleep(min(POLL_S, limit_s - waited_s))


def as_text(found: Dict[str, Any], long: bool) -> str:
    """Return the status as text: one line, or all details."""
    if not long:
        return "status: %s" % found["status"]
    lines = [
        "%s: %s" % (key, found[key])
        for key in (
            "status",
            "extended_status",
            "stage",
            "doing",
            "detail",
            "instance",
            "reported",
            "finished",
        )
        if found[key]
    ]
    for key in ("errors", "warnings"):
        if not found[key]:
            lines.append("%s: none" % key)
            continue
        lines.append("%s:" % key)
        lines += ["  - %s" % text for text in found[key]]
    if found.get("user_data"):
        from lightinit.commands import parts

        lines += parts.as_lines(found["user_data"])
    return "\n".join(printable(line) for line in lines)


def as_json(found: Dict[str, Any]) -> str:
    """Return the status as JSON."""
    return json.dumps(found, indent=1, sort_keys=True)


def _recorded_result(system: System) -> Optional[Dict[str, Any]]:
    """Return the result of the current instance.

    None if there is no result, or if DMI names another instance. Only root can read this in DMI.
    """
    recorded = current_instance(system)
    if recorded is None:
        return None
    uuid = normalise_uuid(read_dmi(system).product_uuid or "")
    is_of_another = uuid and normalise_uuid(recorded) and not same_instance(recorded, uuid)
    if is_of_another and not system.exists("%s/%s.json" % (CURRENT, ANCHORS)):
        return None
    return read_json(system, CURRENT + "/result.json")
