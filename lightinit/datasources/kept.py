"""What an earlier boot has kept of this machine's instance. A seed or drive that was detached since
leaves the machine as it is.

A datasource whose instance id is not DMI's notes in ``raw["seed"]`` where it is from: ``kind``,
``where`` and ``machine``.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Optional, Tuple

from lightinit.datasources.signs import CURRENT
from lightinit.errors import LightinitError
from lightinit.formats.instance_id import is_usable_id, normalise_uuid
from lightinit.host.identity import read_dmi
from lightinit.host.system import System

LIMIT_BYTES = 8 * 1024 * 1024


def find_kept(system: System, platform: str, machine: str) -> Tuple[str, Dict[str, Any]]:
    """The id of this machine's instance, "" for none; and what is noted of its seed.

    Args:
        system: the machine.
        platform: the datasource's name. An instance of another one does not count.
        machine: as :func:`machine_of` gives it. A copy of this disk is another machine.
    """
    document = read_instance(system, CURRENT)
    if document is None or document.get("platform") != platform:
        return "", {}
    seed, name = seed_of(document), document.get("id")
    if seed.get("machine") != machine or not isinstance(name, str) or not is_usable_id(name):
        return "", {}
    return name, seed


def machine_of(system: System) -> str:
    """DMI's product_uuid, "" if there is none."""
    return normalise_uuid(read_dmi(system).product_uuid) or ""


def read_instance(system: System, folder: str) -> Optional[Dict[str, Any]]:
    """The instance that is kept in a folder, None if there is none that can be read."""
    try:
        data = system.read(folder + "/instance.json", LIMIT_BYTES)
        document = json.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError, LightinitError):
        return None
    return document if isinstance(document, dict) else None


def seed_of(document: Dict[str, Any]) -> Dict[str, Any]:
    """What a kept instance says of its seed."""
    raw = document.get("raw")
    seed = raw.get("seed") if isinstance(raw, dict) else None
    return seed if isinstance(seed, dict) else {}
