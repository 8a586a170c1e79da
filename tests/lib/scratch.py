"""What several tests share: a scripted clock, a scratch machine, the real command. No test patches
anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict, List, Optional

from lightinit.host.clock import Clock
from lightinit.settings import CORE

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AZURE_TAG = "7783-7084-3265-9085-8269-3286-77"
UUID = "5c9fd3a1-6f0a-4c0f-9d6e-2f1c3b7a9e10"
OTHER_UUID = "d1e0a7b4-93c2-4b55-8a11-77f0c2a4e6d8"
LEASE = """lease {
  interface "eth0";
  fixed-address 10.0.0.4;
  option routers 10.0.0.1;
  option unknown-245 7f:0:0:1;
  expire never;
}
"""
FILES: Dict[str, str] = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "/etc/group": "root:x:0:\nadm:x:4:\nsudo:x:27:\n",
    "/etc/shadow": "root:*:19000:0:99999:7:::\n",
    "/etc/hostname": "image\n",
    "/etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\timage\n",
    "/etc/skel/.profile": "# ~/.profile\n",
    "/etc/sudoers": "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
    "/usr/bin/sudo": "",
    "/proc/sys/kernel/random/boot_id": "11111111-1111-4111-8111-111111111111\n",
    "/sys/class/dmi/id/chassis_asset_tag": AZURE_TAG + "\n",
    "/sys/class/dmi/id/product_uuid": UUID + "\n",
    "/var/lib/dhcp/dhclient.eth0.leases": LEASE,
}


# Run in a mount namespace: gives its machine the DMI of a VM on Azure.
DMI = """set -e
mount --bind /sys/class /mnt
mount -t tmpfs none /sys/class
mkdir -p /sys/class/net /sys/class/dmi/id
mount --bind /mnt/net /sys/class/net
echo %s >/sys/class/dmi/id/chassis_asset_tag
echo %s >/sys/class/dmi/id/product_uuid
""" % (AZURE_TAG, UUID)


(MODULES,) = (list(setting.default) for setting in CORE["lightinit"] if setting.key == "modules")
# Settings for a live boot in namespaces, where the root file system is still this machine's own: it
# is not to be grown.
SPARE_THE_DISK = "[lightinit]\nmodules = %s\n" % " ".join(
    name for name in MODULES if name != "root_disk"
)


# Seconds for a platform that answers well: no machine is so busy that these are reached.
PATIENT = {
    "fetch_timeout_s": 120.0,
    "complete_timeout_s": 60.0,
    "goal_state_timeout_s": 120.0,
    "report_timeout_s": 120.0,
    "request_timeout_s": 60.0,
}
# What fails for ever, by the scenario's key, and the deadlines that a boot then reaches. Only these
# are short, and only then. 1.5 s is enough for a few attempts. A fifth of ``fetch_timeout_s`` is
# for the plain document, which comes.
IMPATIENT = {
    "imds": {"fetch_timeout_s": 1.5, "complete_timeout_s": 1.0},
    "extended": {"fetch_timeout_s": 10.0},
    "goalstate": {"goal_state_timeout_s": 1.5, "report_timeout_s": 1.5},
    "wireserver": {"goal_state_timeout_s": 1.5, "report_timeout_s": 1.5},
    "health": {"report_timeout_s": 1.5},
    "certificates": {"goal_state_timeout_s": 1.5},
}
# One that only pauses for some seconds is not to be taken for one that hangs: a report would come
# twice.
HANGING = {"request_timeout_s": 8.0}


def deadlines(platform: Any) -> Dict[str, float]:
    """The time limits for a boot against an emulator: patient, unless its scenario shows that the
    boot will wait until one of them.
    """
    scenario = platform.scenario
    found, outcome = dict(PATIENT), scenario.expect.get("outcome")
    if outcome == "degraded" and not scenario.steps.get("extended"):
        found["complete_timeout_s"] = 1.0  # IMDS answers well, and says too little
    elif outcome != "done":
        for key, short in IMPATIENT.items():
            last = (scenario.steps.get(key) or [{}])[-1]
            if "forever" in (last.get("repeat"), scenario.listen_after_s.get(key)):
                found.update(short)
    steps = [step for steps in scenario.steps.values() for step in steps]
    if any({"hang_s", "drip_s"} & set(step) for step in steps):
        found.update(HANGING)
    return found


class ScriptedClock(Clock):
    """A clock that moves only when somebody sleeps, and remembers the sleeps."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s
        self.sleeps: List[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return 1700000000.0 + self.now_s

    def sleep(self, duration_s: float) -> None:
        self.sleeps.append(duration_s)
        self.now_s += duration_s


class Machine:
    """A scratch root that looks like a VM on Azure, and the real command run on it.

    Args:
        root: an empty directory.
        without: files to leave out.
    """

    def __init__(self, root: Any, without: Optional[List[str]] = None) -> None:
        self.root = str(root)
        for name, text in FILES.items():
            if name not in (without or []):
                self.put(name, text)

    def put(self, name: str, text: str) -> None:
        """Write a file below the root, whole."""
        path = self.root + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as handle:
            handle.write(text)
        os.replace(path + ".new", path)

    def read(self, name: str) -> str:
        """The text of a file below the root."""
        with open(self.root + name, encoding="utf-8") as handle:
            return handle.read()

    def json(self, name: str) -> Any:
        """The content of a JSON file below the root."""
        return json.loads(self.read(name))

    def exists(self, name: str) -> bool:
        """Whether a file is there."""
        return os.path.lexists(self.root + name)

    def lead_to(self, platform: Any, more: str = "") -> None:
        """Let the settings lead to ``platform``, with the time limits of :func:`deadlines`;
        ``more``: further settings. It is not told that the VM is at work, which depends on how long
        a boot takes.
        """
        # In a file of their own: a key twice in one file is a warning.
        limits = dict(deadlines(platform), retry_first_s=0.1, progress_after_s=3600.0)
        self.put(
            "/etc/lightinit/conf.d/05-limits.conf",
            "[azure]\n%s\n[network]\nlease_timeout_s = 120\ngrace_s = 0.2\n"
            % "\n".join("%s = %s" % item for item in limits.items()),
        )
        self.put(
            "/etc/lightinit/conf.d/10-test.conf",
            "[azure]\nwireserver = %s\nimds = %s\n[network]\n%s"
            % (platform.wireserver, platform.imds, more),
        )

    def run(
        self, *arguments: str, timeout_s: float = 300.0, env: Optional[Dict[str, str]] = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run the real command on this root, to its end."""
        return subprocess.run(
            self.argv(*arguments),
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=timeout_s,
            check=False,
            env=dict(os.environ, **(env or {})),
        )

    def start(
        self, *arguments: str, env: Optional[Dict[str, str]] = None
    ) -> "subprocess.Popen[str]":
        """Start the real command on this root."""
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            env=dict(os.environ, **(env or {})),
        )

    def argv(self, *arguments: str) -> List[str]:
        """The command line of the real command."""
        return [sys.executable, "-m", "lightinit", "--root", self.root, *arguments]

    def tree(self) -> Dict[str, str]:
        """Every file and link below the root, with its content: to see whether anything changed."""
        found = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.islink(path):
                    found[path[len(self.root) :]] = "-> " + os.readlink(path)
                elif os.path.isfile(path):
                    with open(path, "rb") as handle:
                        found[path[len(self.root) :]] = handle.read().decode("latin-1")
        return found
