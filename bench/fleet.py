"""``make bench-fleet``: boots hundreds of VMs at once against the emulator, and prints a table.

Each VM is lightinit's own fetch and report with its own connections, pauses and random numbers, in
threads of two processes; the emulator is a third one. No privilege is needed. docs/bench.md tells
what the numbers mean. The exit code is 0 even if a target is missed.

Usage: fleet.py [VMS ...]
"""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, List, NamedTuple, Optional

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HERE)

from tests.lib.fleet import boot_fleet  # noqa: E402
from tests.lib.netns import wait_until  # noqa: E402

PROCESSES = 2
MODULES_S = 0.3  # useradd, sshd and the like
LEAST = 3  # requests of a VM: metadata, goal state, report
MOST = 1.2
BEGIN_S = 3.0  # for the processes to start


class Run(NamedTuple):
    """One row of the table.

    Attributes:
        vms: how many.
        within_s: they get their leases at random within so many seconds.
        per_s: how many requests a second the WireServer takes, and at once after a quiet time; 0
            for no limit.
        retry_after_s: what its 429 asks for; None for nothing.
    """

    vms: int
    within_s: float
    per_s: int = 0
    retry_after_s: Optional[float] = None

    def describe(self) -> str:
        """The row's name."""
        told = "%d VMs within %g s" % (self.vms, self.within_s)
        if not self.within_s:
            told = "%d VMs at once" % self.vms
        if not self.per_s:
            return told + ", no limit"
        told += ", %d/s" % self.per_s
        if self.retry_after_s is not None:
            told += ", Retry-After %g" % self.retry_after_s
        return told


def runs_of(vms: int) -> List[Run]:
    """The rows for so many VMs. The limit is half of what they ask for within 10 s."""
    per_s = vms // 10
    return [
        Run(vms, 0.0),
        Run(vms, 10.0, per_s, 10.0),
        Run(vms, 10.0, per_s),
        Run(vms, 0.0, per_s, 10.0),
    ]


def boot_part(folder: str, ready: Dict[str, Any], run: Run, part: int) -> "subprocess.Popen[str]":
    """Start a process with its part of the VMs."""
    count = len(range(part, run.vms, PROCESSES))
    job = {
        "root": folder,
        "count": count,
        # This machine, which is all of them, takes longer than a second: no reports of progress.
        "options": {
            "wireserver": ready["wireserver"],
            "imds": ready["imds"],
            "report_progress": False,
        },
        "within_s": run.within_s,
        "modules_s": MODULES_S,
        "seed": part,
        "begins_s": time.monotonic() + BEGIN_S,
    }
    return subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), "--part", json.dumps(job)],
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )


def measure(run: Run, folder: str) -> Dict[str, Any]:
    """Boot one fleet.

    Returns:
        ``ready`` and ``last_s`` (from the first lease), ``statuses`` (how often the platform gave
        each) and ``errors``.
    """
    scenario: Dict[str, Any] = {"name": "fleet", "description": "Many VMs."}
    if run.per_s:
        limit: Dict[str, Any] = {"per_s": run.per_s, "burst": run.per_s}
        if run.retry_after_s is not None:
            limit["retry_after_s"] = run.retry_after_s
        scenario["rate_limit"] = {"wireserver": limit}
    names = {name: os.path.join(folder, name) for name in ("scenario.json", "log", "ready", "root")}
    os.mkdir(names["root"])
    with open(names["scenario.json"], "w", encoding="utf-8") as handle:
        json.dump(scenario, handle)
    argv = [sys.executable, "-m", "lightinit.emulator", "run", "--scenario", names["scenario.json"]]
    argv += ["--log", names["log"], "--ready-file", names["ready"]]
    emulator = subprocess.Popen(argv, cwd=HERE, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.exists(names["ready"]), 60, "the emulator does not start")
        with open(names["ready"], encoding="utf-8") as handle:
            ready = json.load(handle)
        parts = [boot_part(names["root"], ready, run, part) for part in range(PROCESSES)]
        told = [json.loads(part.communicate()[0]) for part in parts]
    finally:
        emulator.terminate()
        emulator.wait()
    statuses: Dict[str, int] = collections.Counter()
    with open(names["log"], encoding="utf-8") as handle:
        for line in handle:
            statuses[str(json.loads(line)["status"])] += 1
    return {
        "ready": sum(one["ready"] for one in told),
        "last_s": max(one["last_s"] for one in told),
        "statuses": statuses,
        "errors": [error for one in told for error in one["errors"]],
    }


def part_of_fleet(job: Dict[str, Any]) -> None:
    """Boot one process's part, and print what has come of it."""
    vms = boot_fleet(**job)
    print(
        json.dumps(
            {
                "ready": sum(vm.ready_s is not None for vm in vms),
                "last_s": max((vm.ready_s or 0.0) - job["begins_s"] for vm in vms),
                "errors": [str(vm.error) for vm in vms if vm.error is not None][:3],
            }
        )
    )


def main(counts: List[int]) -> int:
    """Measure, print the table, and return the exit code."""
    form = "%-44s %6s %9s %6s %7s %8s"
    print(form % ("", "Ready", "requests", "429", "ratio", "last s"))
    for run in [run for vms in counts for run in runs_of(vms)]:
        with tempfile.TemporaryDirectory(prefix="lightinit-fleet-") as folder:
            found = measure(run, folder)
        requests = sum(found["statuses"].values())
        numbers = (found["ready"], requests, found["statuses"]["429"])
        ratio = "%.2f" % (requests / float(LEAST * run.vms))
        print(form % ((run.describe(),) + numbers + (ratio, "%.1f" % found["last_s"])), flush=True)
        odd = {key: n for key, n in found["statuses"].items() if key not in ("200", "429")}
        for told in found["errors"] + ["status %s: %d" % each for each in odd.items()]:
            print("    " + told)
    print("\nratio: requests / %d a VM, the least; at most %.1f is wanted" % (LEAST, MOST))
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part"]:
        part_of_fleet(json.loads(sys.argv[2]))
        sys.exit(0)
    sys.exit(main([int(word) for word in sys.argv[1:]] or [200, 1000]))
