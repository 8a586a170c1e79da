"""Gives each reader a fixed number of damaged inputs, always the same ones (tools/mutations.py).

What is found does not depend on the machine, on how busy it is, or on the other readers.
"""

from __future__ import annotations

import hashlib
import os
import signal
import traceback
from types import FrameType
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from tests.lib.readers.reader import Reader
from tools.mutations import Damage

CPU_S = 10.0
SHOWN_BYTES = 300


class Slow(BaseException):
    """A reader took too much processor time. No ``except Exception`` may catch it."""


class Finding(NamedTuple):
    """An input with which a reader did not end as it should.

    Attributes:
        reader: its name.
        data: the input.
        told: what was raised, and where.
    """

    reader: str
    data: bytes
    told: str

    def write(self, folder: str) -> str:
        """Keep the input. Returns its path."""
        digest = hashlib.sha256(self.data).hexdigest()[:12]
        path = os.path.join(folder, "%s-seeded-%s" % (self.reader.replace(" ", "-"), digest))
        os.makedirs(folder, exist_ok=True)
        with open(path, "wb") as handle:
            handle.write(self.data)
        return path


class Searched(NamedTuple):
    """What came out of one reader.

    Attributes:
        inputs: how many it was given.
        digest: of all of them: the same one means the same inputs.
        findings: the first one of each place and kind.
    """

    inputs: int
    digest: str
    findings: List[Finding]


def search(reader: Reader, seed: int, count: int, cpu_s: float = CPU_S) -> Searched:
    """Give a reader its examples and ``count`` damaged inputs.

    Args:
        reader: the reader.
        seed: any number. It and the reader's name and examples decide what the inputs are.
        count: how many.
        cpu_s: the most processor time for one input. Not the clock's: others may be busy.
    """
    digest, number = hashlib.sha256(), 0
    found: Dict[Tuple[str, str], Finding] = {}

    def stop(_number: int, _frame: Optional[FrameType]) -> None:
        raise Slow("more than %g s of processor time" % cpu_s)

    before: Any = signal.signal(signal.SIGPROF, stop)
    try:
        for data in Damage(reader.name, seed, reader.examples()).inputs(count):
            number += 1
            digest.update(b"%d\n" % len(data) + data)
            try:
                signal.setitimer(signal.ITIMER_PROF, cpu_s)
                reader.call(data)
                signal.setitimer(signal.ITIMER_PROF, 0)
            except (Exception, Slow) as error:
                signal.setitimer(signal.ITIMER_PROF, 0)
                found.setdefault(_place(error), Finding(reader.name, data, _tell(error)))
                if isinstance(error, Slow):
                    break
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return Searched(number, digest.hexdigest()[:12], list(found.values()))


def _place(error: BaseException) -> Tuple[str, str]:
    frames = traceback.extract_tb(error.__traceback__)[-1:]
    return type(error).__name__, "".join("%s:%s" % (each[0], each[1]) for each in frames)


def _tell(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()


def search_all(readers: Dict[str, Reader], seed: int, count: int, folder: str) -> bool:
    """Search each reader, and print what came out. Returns whether nothing was found."""
    whole, inputs, failed = hashlib.sha256(), 0, 0
    for name in sorted(readers):
        searched = search(readers[name], seed, count)
        whole.update(searched.digest.encode())
        inputs += searched.inputs
        outcome = "FAILED" if searched.findings else "ok"
        print("%-28s %6d inputs %s %s" % (name, searched.inputs, searched.digest, outcome))
        for finding in searched.findings:
            failed += 1
            for line in finding.told.splitlines():
                print("    | " + line)
            print("    | %r" % finding.data[:SHOWN_BYTES])
            print('    | again: make fuzz ARGS="--again %s"' % finding.write(folder), flush=True)
    print(
        "seed %d: %d readers, %d inputs %s, %d findings"
        % (seed, len(readers), inputs, whole.hexdigest()[:12], failed)
    )
    return not failed
