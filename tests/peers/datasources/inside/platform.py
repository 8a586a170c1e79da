"""The emulator at the address of metadata services. Each line on standard input is a platform to
play, as JSON; the next line ends it, and the answer has what it was asked.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Dict

from lightinit.emulator.ec2.platform import Ec2
from lightinit.emulator.openstack.platform import OpenStack

ADDRESS = ("169.254.169.254", 80)
PLATFORMS: Dict[str, Any] = {"openstack": OpenStack, "ec2": Ec2}


def main() -> None:
    for line in iter(sys.stdin.readline, ""):
        name, instance = json.loads(line)
        with PLATFORMS[name](instance, address=ADDRESS) as platform:
            answer("ready")
            sys.stdin.readline()
            answer(json.dumps(platform.requests))


def answer(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
