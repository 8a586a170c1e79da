"""Run by test_custom_data_real.py in a mount namespace of its own: the module and the pool at their
real places.

Prints one JSON document: what it saw. It refuses to start where /var/lib, /run or /tmp are the
machine's own.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
from typing import Any, Dict, List

from lightinit.cloud_config.choice import BOTH
from lightinit.datasources.azure.reports import report_provisioning
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.modules import custom_data, scripts

# The module imports them late. By then a code tree below /tmp is hidden.
from lightinit.user_data import parts  # noqa: F401
from lightinit.user_data.scripts import runs  # noqa: F401

PRIVATE = ("/var/lib", "/run", "/tmp")
SCRIPT = """#!/bin/sh -e
echo in $(dirname "$0")
echo options $-
echo mode $(stat -c %a "$0")
(sleep 0.2; echo later) &
wait
"""


class Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def enter(options: str) -> None:
    outer = {place: os.stat(place).st_dev for place in PRIVATE}
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for place in PRIVATE:
        subprocess.run(
            [
                "mount",
                "-t",
                "tmpfs",
                "-o",
                "mode=0755" + (options if place == "/var/lib" else ""),
                "none",
                place,
            ],
            check=True,
        )
    if any(os.stat(place).st_dev == device for place, device in outer.items()):
        sys.exit("this is the machine itself: nothing is done")


def main(options: str) -> Dict[str, Any]:
    enter(options)
    os.makedirs("/var/lib/lightinit/instances/real")
    os.symlink("instances/real", "/var/lib/lightinit/instance")
    listener = Listener()
    logging.getLogger("lightinit.scripts").addHandler(listener)
    logging.getLogger("lightinit.scripts").setLevel(logging.INFO)
    instance = Instance("real", custom_data=base64.b64encode(SCRIPT.encode()).decode())
    settings = {"documents": BOTH, "timeout_s": 60.0}
    custom_data.apply(instance, System("/"), settings)
    outcome = scripts.apply(instance, System("/"), settings)
    report_provisioning(System("/"), "result=success")
    report_provisioning(System("/"), "result=success|again")
    pool = os.stat("/var/lib/hyperv/.kvp_pool_1")
    return {
        "message": outcome.message,
        "warnings": outcome.warnings,
        "lines": listener.lines,
        "pool": [pool.st_size, "%o" % pool.st_mode, pool.st_uid],
        "kept": sorted(os.listdir("/var/lib/lightinit/instance/")),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
