"""Machines as those of user data, with a network, the emulator at its platform's address, and a
drive.
"""

from __future__ import annotations

import base64
import json
import subprocess
from types import TracebackType
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type

from tests.peers.user_data.machines import Machines, Result

INSIDE = "tests.peers.datasources.inside."
NETWORK = """set -e
# as the emulator says it
ip link add eth0 address fa:16:3e:9c:bf:3d type veth peer name cable
ip address add 10.99.0.50/24 dev eth0
ip link set cable up
ip link set eth0 up
ip route add default via 10.99.0.1
ip address add 169.254.169.254/32 dev lo
"""
# Nobody would answer the real dhclient, which waits long. Its lease is there already.
MORE = {
    "usr/sbin/dhclient": "#!/bin/sh\nexit 1\n",
    "var/lib/dhcp/dhclient.eth0.leases": """lease {
  interface "eth0";
  fixed-address 10.99.0.50;
  option routers 10.99.0.1;
  expire never;
}
""",
}


class SeededMachines(Machines):
    """A root from which machines with a seed or a metadata service are made."""

    PACKAGES = (*Machines.PACKAGES, "tests/peers/datasources/inside")
    AGENTS = {agent: INSIDE + "agent_" + agent for agent in Machines.AGENTS}

    def __enter__(self) -> "SeededMachines":
        super().__enter__()
        return self

    def _start(self) -> None:
        super()._start()
        self.shell(NETWORK)
        for name, text in MORE.items():
            path = self._more / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="ascii")
            path.chmod(0o755)
        self._platform = self.run_python(INSIDE + "platform")

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        platform: Optional["subprocess.Popen[str]"] = getattr(self, "_platform", None)
        if platform is not None:
            platform.communicate(timeout=60)
        super().__exit__(kind, error, trace)

    def provision_from(
        self,
        dmi: Mapping[str, str],
        files: Mapping[str, bytes],
        drive: str = "",
        platform: str = "",
        instance: Optional[Mapping[str, Any]] = None,
    ) -> Tuple[Dict[str, Result], List[Dict[str, Any]]]:
        """Provision two new machines.

        Args:
            dmi: name -> value.
            files: what the image has besides.
            drive: the numbers of the device that is in its drive.
            platform: which metadata service there is.
            instance: what it says, as the emulator reads it.

        Returns:
            for each agent what came of it; and what the metadata service was asked.
        """
        wanted = {
            "dmi": dict(dmi),
            "files": {path: base64.b64encode(text).decode() for path, text in files.items()},
            "drive": drive,
        }
        data = json.dumps(wanted).encode("ascii")
        if not platform:
            return self.provision(data), []
        assert self._ask_platform(json.dumps([platform, instance])) == "ready"
        try:
            found = self.provision(data)
        finally:
            asked = self._ask_platform("")
        return found, json.loads(asked)

    def _ask_platform(self, line: str) -> str:
        assert self._platform.stdin is not None and self._platform.stdout is not None
        self._platform.stdin.write(line + "\n")
        self._platform.stdin.flush()
        return self._platform.stdout.readline().strip()
