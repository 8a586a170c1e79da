"""Run by test_kvp.py as another process: it holds a lock on the pool, or appends to it.

python3 kvp_process.py hold flock|lockf PATH          until its standard input ends; says "held"
python3 kvp_process.py append ROOT FIRST COUNT        as lightinit does
python3 kvp_process.py append-limited ROOT BYTES      with a limit on the size of files; says what
python3 kvp_process.py put-limited ROOT BYTES         went wrong
"""

from __future__ import annotations

import fcntl
import resource
import sys

from lightinit.datasources.azure.reports import report_provisioning
from lightinit.errors import LightinitError
from lightinit.formats.azure.kvp import RECORD_BYTES, encode_record
from lightinit.host.azure.kvp_pool import append
from lightinit.host.clock import Clock
from lightinit.host.system import System


class Patient(Clock):
    """Real pauses that use up no time limit: others may be slow."""

    def monotonic(self) -> float:
        return 0.0


def hold(kind: str, path: str) -> None:
    with open(path, "r+b") as handle:
        {"flock": fcntl.flock, "lockf": fcntl.lockf}[kind](handle, fcntl.LOCK_EX)
        print("held", flush=True)
        sys.stdin.read()


def main(what: str, *arguments: str) -> None:
    if what == "hold":
        hold(*arguments)
        return
    system = System(arguments[0], Patient())
    if what == "append":
        first, count = int(arguments[1]), int(arguments[2])
        for number in range(first, first + count):
            append(system, encode_record("key-%d" % number, "value-%d" % number), RECORD_BYTES)
        return
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(arguments[1]), int(arguments[1])))
    try:
        if what == "put-limited":
            report_provisioning(system, "x" * 1000)
        else:
            append(system, encode_record("a", "b") + encode_record("c", "d"), RECORD_BYTES)
    except LightinitError as error:
        print(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
