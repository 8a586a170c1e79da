"""A datasource for tests: one JSON file has all. It names no admin, needs no network, and takes no
report. The settings name it: ``datasource = tests.lib.seeded:Seeded``.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Dict, Tuple

from lightinit.datasources.base import Datasource
from lightinit.host.identity import Dmi
from lightinit.model import Instance, SshKey, User
from tests.lib.scratch import HERE, Machine

SEED = "/etc/seed.json"
SETTINGS = "[lightinit]\ndatasource = tests.lib.seeded:Seeded\n"
ENVIRONMENT = {"PYTHONPATH": HERE}


class Seeded(Datasource):
    """Its file has the fields of an Instance; the documents of users as plain text."""

    NEEDS_NETWORK = False

    def instance_id(self, dmi: Dmi) -> str:
        return str(self._read().get("id", "seeded"))

    def fetch(self, instance_id: str, announce: bool = False) -> Tuple[Instance, Tuple[str, ...]]:
        seed = self._read()
        admin = seed.get("admin")
        found = Instance(
            instance_id,
            platform="seeded",
            hostnames=("desk",),
            admin=User(admin, tuple(map(SshKey, seed.get("keys", ())))) if admin else None,
            public_keys=tuple(map(SshKey, seed.get("keys", ()))),
            user_data=_encode(seed.get("user_data", "")),
            vendor_data=_encode(seed.get("vendor_data", "")),
            raw={"meta_data": seed.get("meta_data", {})},
            location=seed.get("location", ""),
            zone=seed.get("zone", ""),
            subplatform=seed.get("subplatform", ""),
        )
        return found, ()

    def _read(self) -> Dict[str, Any]:
        found: Dict[str, Any] = json.loads(self.system.read(SEED, 1 << 20).decode("utf-8"))
        return found


def _encode(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def seeded_machine(root: Any, settings: str = "", **seed: Any) -> Machine:
    """A scratch root with such a seed.

    Args:
        root: an empty directory.
        settings: more lines of [lightinit].
        seed: the content of the file.
    """
    machine = Machine(root, without=["/var/lib/dhcp/dhclient.eth0.leases"])
    machine.put("/etc/lightinit/conf.d/10-seeded.conf", SETTINGS + settings)
    machine.put(SEED, json.dumps(seed))
    return machine
