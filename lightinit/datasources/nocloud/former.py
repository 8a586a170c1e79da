"""Compares a seed with what this machine was provisioned from before: a seed that was changed, and
an instance id that is another one at each boot, surprise people; and one that was detached leaves
the machine as it is.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

from lightinit.errors import LightinitError
from lightinit.formats.instance_id import is_usable_id
from lightinit.host.system import System

INSTANCES = "/var/lib/lightinit/instances"
CURRENT = "/var/lib/lightinit/instance"
# Seeds that come from outside, and are often detached after the first boot.
ATTACHED = ("volume", "credentials")
LIMIT_BYTES = 8 * 1024 * 1024
NEWEST = 3
CHANGED = (
    "the seed's user-data have changed, but not its instance-id: nothing runs again; for a new"
    " instance, change instance-id"
)


def tell_new_id(system: System, instance_id: str, machine: str, user_data: str) -> str:
    """A warning if this machine was provisioned from the same user data under another id, else "".

    Args:
        system: the machine.
        instance_id: the id of now.
        machine: DMI's product_uuid, "" if unknown: a copy of this disk is another machine.
        user_data: in base64.
    """
    for name in _newest(system, instance_id):
        document = _read(system, name)
        if document is None or document.get("platform") != "nocloud":
            continue
        seed = _seed_of(document)
        if seed.get("machine") == machine and document.get("user_data") == user_data:
            return (
                "the instance-id was %s before, with the same user data, and everything runs again;"
                " if the seed has a new id at each boot, give it a fixed one" % name
            )
    return ""


def find_kept_id(system: System, machine: str, is_word: bool, is_remainder: bool) -> str:
    """The id of this machine's instance, if its seed has gone and what is left says nothing new;
    else "".

    Args:
        system: the machine.
        machine: DMI's product_uuid, "" if unknown: a copy of this disk is another machine.
        is_word: whether only a word is left, without an id.
        is_remainder: whether only a folder in the image is left, which did not count before.
    """
    if not (is_word or is_remainder):
        return ""
    document = _read_path(system, CURRENT)
    if document is None or document.get("platform") != "nocloud":
        return ""
    seed, name = _seed_of(document), document.get("id")
    if seed.get("machine") != machine or not isinstance(name, str) or not is_usable_id(name):
        return ""
    return name if is_word or seed.get("kind") in ATTACHED else ""


def has_changed(system: System, instance_id: str, user_data: str) -> bool:
    """Whether the instance was provisioned with other user data (in base64)."""
    document = _read(system, instance_id)
    if document is None or not document.get("user_data"):
        return False  # none were kept, with user_data = none
    return document["user_data"] != user_data


def _newest(system: System, instance_id: str) -> List[str]:
    found = []
    for name in system.list_dir(INSTANCES):
        if name != instance_id:
            try:
                status = system.file_status("%s/%s/instance.json" % (INSTANCES, name))
            except (OSError, LightinitError):
                continue
            found.append((status.st_mtime, name))
    return [name for _, name in sorted(found, reverse=True)[:NEWEST]]


def _seed_of(document: Dict[str, Any]) -> Dict[str, Any]:
    raw = document.get("raw")
    seed = raw.get("seed") if isinstance(raw, dict) else None
    return seed if isinstance(seed, dict) else {}


def _read(system: System, instance_id: str) -> Optional[Dict[str, Any]]:
    return _read_path(system, "%s/%s" % (INSTANCES, instance_id))


def _read_path(system: System, folder: str) -> Optional[Dict[str, Any]]:
    try:
        data = system.read(folder + "/instance.json", LIMIT_BYTES)
        document = json.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError, LightinitError):
        return None
    return document if isinstance(document, dict) else None
