"""lightinit's datasource on these machines: it needs no network, and takes no report."""

from __future__ import annotations

import base64
from typing import Tuple

from lightinit.datasources.base import Datasource
from lightinit.host.identity import Dmi
from lightinit.model import Instance, SshKey, User
from tests.peers.user_data.inside.agent_lightinit import USER_DATA
from tests.peers.user_data.inside.seed import ADMIN, HOSTNAME, INSTANCE_ID, KEY


class Seeded(Datasource):
    NEEDS_NETWORK = False

    def instance_id(self, dmi: Dmi) -> str:
        return INSTANCE_ID

    def fetch(self, instance_id: str, announce: bool = False) -> Tuple[Instance, Tuple[str, ...]]:
        with open(USER_DATA, "rb") as stream:
            custom_data = base64.b64encode(stream.read()).decode("ascii")
        admin = User(ADMIN, (SshKey(KEY),))
        found = Instance(
            instance_id,
            platform="peers",
            hostnames=(HOSTNAME,),
            admin=admin,
            custom_data=custom_data,
        )
        return found, ()
