"""Health reports, and the descriptions of success and failure in them.

It knows the format of a report, not when and where to send it. See docs/protocol.md.
"""

from __future__ import annotations

from typing import List, Mapping

from lightinit.formats.xml import escape
from lightinit.model import GoalState

MAX_DESCRIPTION = 512  # characters, before escaping; cloud-init has the same limit
# After escaping. If it is longer, the WireServer always answers 500.
MAX_DESCRIPTION_BYTES = 4096
DOCUMENTATION_URL = "https://aka.ms/linuxprovisioningerror"
MARK = "..."
MIN_DETAIL = 32
MAX_DETAILS = 24
_OWN_KEYS = (
    "result",
    "reason",
    "agent",
    "pps_type",
    "vm_id",
    "timestamp",
    "documentation_url",
    "left_out",
)


def ready(goal_state: GoalState) -> bytes:
    """Make the body that reports Ready for the container and the instance of ``goal_state``."""
    return _health(goal_state, "<State>Ready</State>")


def not_ready(goal_state: GoalState, substatus: str, description: str) -> bytes:
    """Make the body that reports NotReady.

    Args:
        goal_state: it names the container and the instance.
        substatus: ``ProvisioningFailed`` or ``Provisioning``.
        description: a text for the operator. It is cut at the WireServer's limit.
    """
    return _health(
        goal_state,
        "<State>NotReady</State><Details><SubStatus>%s</SubStatus>"
        "<Description>%s</Description></Details>"
        % (escape(substatus), _escape_within(description)),
    )


def failure_description(
    reason: str,
    details: Mapping[str, str],
    agent: str,
    vm_id: str,
    timestamp: str,
    documentation_url: str = DOCUMENTATION_URL,
) -> str:
    """Describe why provisioning failed, in at most 512 characters (4096 bytes after escaping).

    The reason, the agent, the VM id, the time and the URL stay whole. If the details do not fit,
    the longest ones are cut first and end in ``...``. If that is not enough, the last ones are left
    out, and ``left_out`` gives their number.

    Args:
        reason: the fixed phrase of the error.
        details: the details of the error.
        agent: name and version, with a slash between them.
        vm_id: the platform's id of this VM, or "".
        timestamp: ISO 8601, UTC.
        documentation_url: the page that helps the operator.

    Returns:
        ``key=value`` fields with ``|`` between them.
    """
    head = ["result=error", _short("reason=" + reason, 128), _short("agent=" + agent, 64)]
    tail = [
        _short("vm_id=" + vm_id, 64),
        _short("timestamp=" + timestamp, 48),
        _short("documentation_url=" + documentation_url, 120),
    ]
    head, tail = [_quote(field) for field in head], [_quote(field) for field in tail]
    middle = ["%s=%s" % (_detail_key(key), value) for key, value in details.items()]
    room = MAX_DESCRIPTION - sum(len(field) + 1 for field in head + tail) + 1
    return "|".join(head + _fit(middle, room) + tail)


def success_description(agent: str, vm_id: str, timestamp: str, pool_type: str = "None") -> str:
    """Describe that provisioning succeeded. This is for telemetry: a report of Ready has no
    description.

    Args:
        agent: name and version, with a slash between them.
        vm_id: the platform's id of this VM, or "".
        timestamp: ISO 8601, UTC.
        pool_type: the kind of pool in which the VM waited; the text ``None`` for no pool.

    Returns:
        ``key=value`` fields with ``|`` between them.
    """
    fields = [
        "result=success",
        _short("agent=" + agent, 64),
        _short("pps_type=" + pool_type, 64),
        _short("vm_id=" + vm_id, 64),
        _short("timestamp=" + timestamp, 48),
    ]
    return "|".join(_quote(field) for field in fields)


def _detail_key(key: str) -> str:
    if key in _OWN_KEYS:
        return "error_" + key
    return key


def _health(goal_state: GoalState, state: str) -> bytes:
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        "<Health>"
        "<GoalStateIncarnation>%s</GoalStateIncarnation>"
        "<Container><ContainerId>%s</ContainerId>"
        "<RoleInstanceList><Role><InstanceId>%s</InstanceId>"
        "<Health>%s</Health></Role></RoleInstanceList>"
        "</Container></Health>"
    )
    return (
        text
        % (
            escape(goal_state.incarnation),
            escape(goal_state.container_id),
            escape(goal_state.role_instance_id),
            state,
        )
    ).encode("utf-8")


def _escape_within(description: str) -> str:
    # 512 characters never exceed 4096 bytes (the longest, "&amp;", takes five). So this loop has
    # an effect only if somebody raises MAX_DESCRIPTION.
    text = description[:MAX_DESCRIPTION]
    while len(escape(text).encode("utf-8")) > MAX_DESCRIPTION_BYTES:
        text = text[:-1]
    return escape(text)


def _short(field: str, limit: int) -> str:
    """Put ``field`` on one line and cut it, so that it has at most ``limit`` characters with its
    quotes.
    """
    line = "".join(
        character if character.isprintable() else " " for character in field[: MAX_DESCRIPTION * 2]
    )
    if len(_quote(line)) <= limit and len(field) <= MAX_DESCRIPTION * 2:
        return line
    keep = min(len(line), limit - len(MARK))
    while True:
        excess = len(_quote(line[:keep] + MARK)) - limit
        if excess <= 0:
            return line[:keep] + MARK
        # Each removed character makes it shorter by one, or by two if it was a quote.
        keep -= max(1, excess // 2)


def _quote(field: str) -> str:
    """Quote a field with ``'`` if it needs quotes. A quote inside is doubled."""
    if "|" in field or "'" in field:
        return "'" + field.replace("'", "''") + "'"
    return field


def _fit(fields: List[str], room: int) -> List[str]:
    """Quote ``fields``, and cut them until they take at most ``room`` characters, with
    delimiters.
    """
    left_out = max(0, len(fields) - MAX_DETAILS)
    kept = [_short(field, MAX_DESCRIPTION) for field in fields[:MAX_DETAILS]]
    while True:
        quoted = [_quote(field) for field in kept]
        if left_out:
            quoted.append("left_out=%d" % left_out)
        excess = sum(len(field) + 1 for field in quoted) - room
        if excess <= 0:
            return quoted
        if not kept:
            return []
        by_length = sorted(range(len(kept)), key=lambda place: len(quoted[place]))
        longest, length = by_length[-1], len(quoted[by_length[-1]])
        second = 0
        if len(kept) > 1:
            second = len(quoted[by_length[-2]])
        if length > MIN_DETAIL:
            # Cut the longest one to the length of the second longest. If they are equally long, cut
            # its share of the excess.
            share = max(8, excess // len(kept))
            limit = max(MIN_DETAIL, length - excess, min(second, length - share))
            kept[longest] = _short(kept[longest], limit)
        else:
            kept.pop()
            left_out += 1
