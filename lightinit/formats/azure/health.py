"""What lightinit tells the platform about itself: health reports, and the one-line records inside
them.

It knows the form only: not when a report is sent, nor where to. See docs/protocol.md.
"""

from __future__ import annotations

from typing import List, Mapping

from lightinit.formats.xml import escape
from lightinit.model import GoalState

MAX_DESCRIPTION = 512  # characters, before escaping: what cloud-init keeps to
# After escaping. With one byte more the WireServer answers 500, each time.
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
    """The body that says Ready for the container and instance of ``goal_state``."""
    return _health(goal_state, "<State>Ready</State>")


def not_ready(goal_state: GoalState, substatus: str, description: str) -> bytes:
    """The body that says NotReady.

    Args:
        goal_state: whose container and instance to report for.
        substatus: ``ProvisioningFailed`` or ``Provisioning``.
        description: text for the operator; cut if it is longer than the WireServer takes.
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
    """Why provisioning failed, as one record: at most 512 characters, and 4096 bytes once escaped
    for XML.

    Reason, agent, VM id, time and documentation are whole. Where room is short the longest details
    are shortened first and end in ``...``; if even that is not enough the last of them are left out
    and counted in ``left_out``.

    Args:
        reason: the fixed phrase of the error.
        details: its facts.
        agent: name and version, with a slash between.
        vm_id: the platform's id of this VM, or "".
        timestamp: ISO 8601, UTC.
        documentation_url: where an operator reads on.
    """
    head = ["result=error", _short("reason=" + reason, 128), _short("agent=" + agent, 64)]
    tail = [
        _short("vm_id=" + vm_id, 64),
        _short("timestamp=" + timestamp, 48),
        _short("documentation_url=" + documentation_url, 120),
    ]
    head, tail = [_quote(field) for field in head], [_quote(field) for field in tail]
    middle = [
        "%s%s=%s" % ("error_" if key in _OWN_KEYS else "", key, value)
        for key, value in details.items()
    ]
    room = MAX_DESCRIPTION - sum(len(field) + 1 for field in head + tail) + 1
    return "|".join(head + _fit(middle, room) + tail)


def success_description(agent: str, vm_id: str, timestamp: str, pool_type: str = "None") -> str:
    """That provisioning succeeded, as one record; for telemetry: Ready has no place for it.

    Args:
        agent: name and version, with a slash between.
        vm_id: the platform's id of this VM, or "".
        timestamp: ISO 8601, UTC.
        pool_type: the kind of pool that the VM waits in, ``None`` for none.
    """
    fields = [
        "result=success",
        _short("agent=" + agent, 64),
        _short("pps_type=" + pool_type, 64),
        _short("vm_id=" + vm_id, 64),
        _short("timestamp=" + timestamp, 48),
    ]
    return "|".join(_quote(field) for field in fields)


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
    # 512 characters can't pass 4096 bytes (the longest, "&amp;", takes five), but whoever raises
    # the one limit should not have to remember the other.
    text = description[:MAX_DESCRIPTION]
    while len(escape(text).encode("utf-8")) > MAX_DESCRIPTION_BYTES:
        text = text[:-1]
    return escape(text)


def _short(field: str, limit: int) -> str:
    """``field`` on one line, and so short that even quoted it has at most ``limit`` characters."""
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
        # Each character less shortens it by one, or by two if it was a quote.
        keep -= max(1, excess // 2)


def _quote(field: str) -> str:
    """A field of the record: quoted with ``'`` only where it must be, a quote inside doubled."""
    if "|" in field or "'" in field:
        return "'" + field.replace("'", "''") + "'"
    return field


def _fit(fields: List[str], room: int) -> List[str]:
    """The quoted ``fields``, shortened until they take at most ``room`` characters, delimiters
    included.
    """
    left_out = max(0, len(fields) - MAX_DETAILS)
    kept = [_short(field, MAX_DESCRIPTION) for field in fields[:MAX_DETAILS]]
    while True:
        quoted = [_quote(field) for field in kept]
        if left_out:
            quoted.append("left_out=%d" % left_out)
        excess = sum(len(field) + 1 for field in quoted) - room
        if excess <= 0 or not kept:
            return quoted if excess <= 0 else []
        by_length = sorted(range(len(kept)), key=lambda place: len(quoted[place]))
        longest, length = by_length[-1], len(quoted[by_length[-1]])
        second = len(quoted[by_length[-2]]) if len(kept) > 1 else 0
        if length > MIN_DETAIL:
            # Level with the second longest, or, where they are level, in steps of a fair share
            # each.
            share = max(8, excess // len(kept))
            limit = max(MIN_DETAIL, length - excess, min(second, length - share))
            kept[longest] = _short(kept[longest], limit)
        else:
            kept.pop()
            left_out += 1
