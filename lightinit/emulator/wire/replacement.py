"""The answer that a fault step puts in place of the good one. Knows no endpoint."""

from __future__ import annotations

import base64
import time
from typing import Callable, Optional

from lightinit.emulator.wire.faults import FaultStep, delivery_of
from lightinit.emulator.wire.messages import Body, Reply, make_answer


def replace_answer(step: FaultStep, fill: Callable[[str], str]) -> Optional[Reply]:
    """Return the answer that a step sends instead of the good one; None if it sends the good one.

    Args:
        step: a valid step.
        fill: puts the servers' addresses into its texts.
    """
    if delivery_of(step) in ("hang_s", "reset", "close", "endless_mb"):
        return make_answer(200, b"", "")
    headers = {}
    if "retry_after_s" in step:
        headers["Retry-After"] = "%d" % step["retry_after_s"]
    if "retry_after_date_s" in step:
        headers["Retry-After"] = _format_http_date(time.time() + step["retry_after_date_s"])
    if "redirect" in step:
        return Reply(302, {"Location": fill(step["redirect"])}, Body(((b"", 1),)))
    if not {"status", "body", "body_base64"} & set(step):
        return None
    text = fill(step.get("body", ""))
    body = text.encode("utf-8") or base64.b64decode(step.get("body_base64", ""))
    own = step.get("headers", {})
    if body and "content-type" not in {name.lower() for name in own}:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    return Reply(step.get("status", 200), dict(headers, **own), Body(((body, 1),)))


def _format_http_date(time_s: float) -> str:
    now = time.gmtime(time_s)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[now.tm_wday]
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[now.tm_mon * 3 - 3 : now.tm_mon * 3]
    return "%s, %02d %s %d %s GMT" % (
        day,
        now.tm_mday,
        month,
        now.tm_year,
        time.strftime("%H:%M:%S", now),
    )
