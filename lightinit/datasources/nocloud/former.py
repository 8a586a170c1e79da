"""Compares a seed with what this machine was provisioned from before: a seed that was changed, and
an instance id that is another one at each boot, surprise people; and one that was detached leaves
the machine as it is.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from lightinit.datasources import kept
from lightinit.errors import LightinitError
from lightinit.host.system import System

INSTANCES = "/var/lib/lightinit/instances"
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
        seed = kept.seed_of(document)
        if seed.get("machine") == machine and document.get("user_data") == user_data:
            return (
                "the instance-id was %s before, with the same user data, and everything runs again;"
                " if the seed has a new id at each boot, give it a fixed one" % name
            )
    return ""


def find_kept_id(system: System, machine: str, remainder: Tuple[str, str] = ("", "")) -> str:
    """The id of this machine's instance, if its seed has gone and what is left says nothing new;
    else "".

    Args:
        system: the machine.
        machine: DMI's product_uuid, "" if unknown: a copy of this disk is another machine.
        remainder: a seed folder that is left in the image, and a checksum of its meta-data. It
            says something new, unless it was the same before and did not count. "" for none.
    """
    name, seed = kept.find_kept(system, "nocloud", machine)
    folder, mark = remainder
    if not folder:
        return name
    passed = seed.get("passed")
    return name if isinstance(passed, dict) and passed.get(folder) == mark else ""


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


def _read(system: System, instance_id: str) -> Optional[Dict[str, Any]]:
    return kept.read_instance(system, "%s/%s" % (INSTANCES, instance_id))
