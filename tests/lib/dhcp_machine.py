"""A machine with DHCP clients that do not really run: their processes are files in its /proc."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional, Sequence, Tuple

from lightinit.host.command import Completed
from lightinit.host.dhcp.renew import Renewal, renew_leases
from lightinit.host.system import System
from tests.lib.scratch import ScriptedClock

TOOLS = ("nmcli", "dhclient", "dhcpcd", "udhcpc", "systemctl", "systemd-run")
LEASES = "/var/lib/dhcp/dhclient.eth0.leases"
SENDS = "send host-name = gethostname();\n"


class Machine(System):
    """A scratch root on which commands seem to run: they are noted, and answered from a list.

    Args:
        root: an empty directory.
        answers: what commands print, by a word in their command line; an error is raised.
        tools: the commands that there are.
    """

    def __init__(
        self, root: Any, answers: Optional[Dict[str, Any]] = None, tools: Sequence[str] = TOOLS
    ) -> None:
        super().__init__(root, ScriptedClock())
        self.answers = answers or {}
        self.tools = tools
        self.ran: List[List[str]] = []
        self.limits_s: List[float] = []
        self.killed: List[Tuple[int, int]] = []
        self.seen: Dict[str, bytes] = {}

    def tool(self, name: str) -> Optional[str]:
        return "/usr/bin/" + name if name in self.tools else None

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        self.ran.append(list(argv))
        self.limits_s.append(timeout_s)
        for before, path in zip(argv, argv[1:]):
            if before == "-lf":
                self.seen[path] = self.read(path)
        for word, answer in self.answers.items():
            if word in argv:
                if isinstance(answer, Exception):
                    self.clock.sleep(timeout_s)
                    raise answer
                return Completed(0, answer, "")
        return Completed(0, "", "")

    def put(self, path: str, text: str = "") -> None:
        full = self.root + path
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as handle:
            handle.write(text)

    def process(self, pid: int, comm: str, command: str, namespace: str = "") -> None:
        """A process; with a ``namespace`` in that one."""
        self.put("/proc/%d/comm" % pid, comm + "\n")
        self.put("/proc/%d/cmdline" % pid, command.replace(" ", "\0") + "\0")
        if namespace:
            self.enter(str(pid), namespace)

    def enter(self, entry: str, namespace: str) -> None:
        os.makedirs("%s/proc/%s/ns" % (self.root, entry), exist_ok=True)
        os.symlink("net:[%s]" % namespace, "%s/proc/%s/ns/net" % (self.root, entry))

    def renew(self, name: str = "web-1") -> Renewal:
        return renew_leases(self, name, kill=lambda pid, number: self.killed.append((pid, number)))


def dhclient(
    root: Any,
    command: str = "dhclient -4 -v -pf /run/dhclient.eth0.pid -lf %s eth0" % LEASES,
    configuration: str = SENDS,
    **named: Any,
) -> Machine:
    machine = Machine(root, **named)
    machine.process(700, "dhclient", command)
    machine.put("/etc/dhcp/dhclient.conf", configuration)
    machine.put(LEASES, "lease {}\n")
    return machine
