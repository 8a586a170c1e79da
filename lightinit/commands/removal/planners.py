"""The planners of the rows whose `how` is `code`, by the name of the row."""

from __future__ import annotations

from typing import Callable, Dict, List

from lightinit.commands import clean
from lightinit.commands.removal import (
    copies,
    host_keys,
    identity,
    image,
    leftovers,
    network,
    users,
)
from lightinit.commands.removal.changes import Change, RemovalContext
from lightinit.commands.removal.table import Planner, Row


def _of_context(plan: Callable[[RemovalContext], List[Change]]) -> Planner:
    return lambda context, _row: plan(context)


def _plan_users(context: RemovalContext, _row: Row) -> List[Change]:
    if context.removes_users:
        return users.plan_users(context)
    stay = users.provisioned_users(context.system)
    if stay:
        context.note(
            "accounts that lightinit provisioned stay (--user removes them): " + ", ".join(stay)
        )
    return []


PLANNERS: Dict[str, Planner] = {
    "history": _of_context(image.plan_history),
    "root's keys": leftovers.plan_root_keys,
    "root's password": identity.plan_root_password,
    "accounts": leftovers.plan_accounts,
    "network cards": network.plan_cards,
    "MAC addresses": network.plan_addresses,
    "network files": network.plan_files,
    "DHCP host name": network.plan_dhcp_names,
    "login policy": _of_context(image.plan_login_policy),
    "iSCSI": identity.plan_initiator,
    "host id": identity.plan_host_id,
    "swap": identity.plan_swap,
    "host name": _of_context(image.plan_hostname),
    "name elsewhere": network.plan_other_names,
    "DNS": network.plan_dns,
    "resource disk": _of_context(image.plan_fstab),
    "marker": _of_context(image.plan_marker),
    "waagent": identity.plan_waagent,
    "tmp files": leftovers.plan_temporary,
    "other logs": leftovers.plan_other_logs,
    "crontabs": leftovers.plan_spools,
    "mail": leftovers.plan_spools,
    "log": _of_context(clean.plan_logs),
    "machine id": _of_context(clean.plan_machine_id),
    "journal": _of_context(image.plan_journal),
    "SSH host keys": _of_context(host_keys.plan_image_keys),
    "users": _plan_users,
    "account copies": copies.plan_copies,
    "instances": _of_context(clean.plan_instances),
}
