"""``lightinit status``: how it stands, in one word, and in an exit code that scripts can go by."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Optional

from lightinit.errors import EXIT_FAILED, EXIT_NOT_RUN, EXIT_OK, EXIT_WARNINGS
from lightinit.formats.instance_id import normalise_uuid, same_instance
from lightinit.host.boot_id import read_boot_id
from lightinit.host.dmi import read_dmi
from lightinit.host.lock import is_held
from lightinit.host.log import printable
from lightinit.host.system import System
from lightinit.state import (
    CURRENT,
    DISABLED,
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


def current_status(system: System) -> Dict[str, Any]:
    """How it stands now.

    Returns:
        A dict with ``status`` (done, error, running, not run, disabled), ``extended_status`` (also:
        degraded done), ``exit_code``, ``detail``, ``stage``, ``instance``, ``reported``,
        ``errors``, ``warnings``, ``finished``.
    """
    live = _live(system)
    if live.get("status") == "running" and not is_held(system, LOCK, _number(live.get("pid"))):
        live = _live(system)  # it may have ended between the two looks
    word, detail, data = str(live.get("status", "not run")), "", live
    if word == "running" and not is_held(system, LOCK, _number(live.get("pid"))):
        result = _recorded_result(system)
        if result is not None and result.get("boot_id") == live.get("boot_id"):
            # It was cut off after all was done.
            word, data = str(result.get("status", "error")), result
        else:
            word, detail = (
                "error",
                "lightinit was cut off in stage %s; it resumes at the next boot, or now with: "
                "lightinit boot" % (live.get("stage") or "unknown"),
            )
    elif word == "running" and live.get("waiting_for"):
        detail = "waiting for the VM's %s, for as long as it takes" % live["waiting_for"]
    elif word == "disabled":
        detail = str(live.get("reason", ""))
    elif word == "not run":
        if system.exists(DISABLED):
            word, detail = "disabled", "disabled by %s" % DISABLED
        else:
            result = _recorded_result(system)
            if result is not None:
                word, data = str(result.get("status", "error")), result
                detail = (
                    "" if result.get("boot_id") == read_boot_id(system) else "by an earlier boot"
                )
    if word not in EXIT_CODES:
        word, detail = "error", "the recorded status is damaged"
    return {
        "status": "done" if word == "degraded done" else word,
        "extended_status": word,
        "exit_code": EXIT_CODES[word],
        "detail": detail,
        "stage": str(data.get("stage", "")),
        "instance": str(data.get("instance", "")),
        "reported": str(data.get("reported", "")),
        "errors": _texts(data.get("errors")),
        "warnings": _texts(data.get("warnings")),
        "finished": str(data.get("finished", "")),
    }


def _live(system: System) -> Dict[str, Any]:
    """status.json, unless an earlier boot left it."""
    live = read_json(system, STATUS) or {}
    return live if live.get("boot_id") == read_boot_id(system) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _texts(value: Any) -> List[str]:
    return [str(text) for text in value] if isinstance(value, list) else []


def wait_for_status(
    system: System,
    timeout_s: float,
    start_timeout_s: float,
    progress: Optional[Callable[[Dict[str, Any]], None]] = None,
) -> Dict[str, Any]:
    """As :func:`current_status`, once provisioning has ended. Always returns.

    Args:
        system: the machine.
        timeout_s: seconds to wait at most, in all.
        start_timeout_s: seconds to wait at most while nothing runs and nothing has run.
        progress: told the status whenever it or its stage has changed.
    """
    clock = system.clock
    began_s = clock.monotonic()
    told = None
    while True:
        found = current_status(system)
        if progress is not None and told != (found["status"], found["stage"]):
            told = (found["status"], found["stage"])
            progress(found)
        waited_s = clock.monotonic() - began_s
        limit_s = {"running": timeout_s, "not run": min(timeout_s, start_timeout_s)}.get(
            found["status"], 0.0
        )
        if waited_s >= limit_s:
            return found
        clock.sleep(min(POLL_S, limit_s - waited_s))


def as_text(found: Dict[str, Any], long: bool) -> str:
    """The status for people: one line, or all that is known."""
    if not long:
        return "status: %s" % found["status"]
    lines = [
        "%s: %s" % (key, found[key])
        for key in (
            "status",
            "extended_status",
            "stage",
            "detail",
            "instance",
            "reported",
            "finished",
        )
        if found[key]
    ]
    for key in ("errors", "warnings"):
        lines += (
            ["%s:" % key] + ["  - %s" % text for text in found[key]]
            if found[key]
            else ["%s: none" % key]
        )
    return "\n".join(printable(line) for line in lines)


def as_json(found: Dict[str, Any]) -> str:
    """The status for scripts."""
    return json.dumps(found, indent=1, sort_keys=True)


def _recorded_result(system: System) -> Optional[Dict[str, Any]]:
    """The result of the current instance; none when DMI says (to those who may read it) that this
    is another one.
    """
    recorded = current_instance(system)
    uuid = normalise_uuid(read_dmi(system).product_uuid or "")
    if recorded is None or (
        uuid and normalise_uuid(recorded) and not same_instance(recorded, uuid)
    ):
        return None
    return read_json(system, CURRENT + "/result.json")
