"""``make bench-peers``: lightinit beside other agents, in one run (as root).

Each agent provisions machines of its own from the same Debian, with a real lease and real tools,
against the emulator. The runs are interleaved, and what counts are ratios of medians. docs/bench.md
describes the method.

Usage: python3 -m bench.peers [--against COMMIT] [--only AGENT] ...
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from bench import agents
from bench.agents import Agent
from bench.one_run import Condition, NotReadyError, Run, commit_tree, measure, prepare
from tests.lib.netns import find_tool
from tests.lib.scratch import HERE
from tests.peers.peer import TOOLS

REPEATS = int(os.environ.get("BENCH_REPEATS", "5"))
FOLDER = Path(HERE) / "build" / "bench-peers"
NEAR, FAR = Condition("0 ms"), Condition("20 ms", latency_ms=20)
COUNTED = Condition("counted", counted=True)
SLOW_DISK = Condition("5 ms an fsync", counted=True, barrier_ms=5)
CONDITIONS = (NEAR, FAR, COUNTED, SLOW_DISK)
# Of these, only what CPU it takes is wanted.
ONLY_NEAR = (agents.OURS_KEPT,)

Results = Dict[Tuple[str, str], List[Run]]


class Target(NamedTuple):
    """A ratio or a value that must not be larger than ``most``: a field of the runs of one agent in
    one condition, divided by that of another; or not divided, if there is no other.
    """

    text: str
    field: str
    one: Tuple[str, str]
    other: Optional[Tuple[str, str]]
    most: float


def _targets() -> Iterator[Target]:
    for condition, peer, before in ((FAR, 1.2, 0.4), (NEAR, 2.0, 0.25)):
        ours = agents.OURS, condition.name
        yield Target(
            "lease→Ready / azure-init's start→Ready, " + condition.name,
            "ready_s",
            ours,
            (agents.AZURE_INIT, condition.name),
            peer,
        )
        yield Target(
            "lease→Ready / before, " + condition.name,
            "ready_s",
            ours,
            (agents.BEFORE, condition.name),
            before,
        )
        yield Target(
            "start→Ready, lease there / ssh-keygen -A; azure-init, " + condition.name,
            "ready_s",
            (agents.OURS_LATE, condition.name),
            (agents.WITH_KEYS, condition.name),
            1.0,
        )
    yield Target(
        "lease→Ready with 5 ms an fsync / without",
        "ready_s",
        (agents.OURS, SLOW_DISK.name),
        (agents.OURS, COUNTED.name),
        1.4,
    )
    yield Target(
        "CPU of a first boot / cloud-init's",
        "cpu_s",
        (agents.OURS_LATE, NEAR.name),
        (agents.CLOUD_INIT_NAME, NEAR.name),
        0.3,
    )
    yield Target(
        "CPU of a first boot, host keys apart, in s",
        "cpu_s",
        (agents.OURS_KEPT, NEAR.name),
        None,
        0.15,
    )


def main() -> int:
    """Measure and print the tables. The exit code is 0 also if a target is missed."""
    parser = argparse.ArgumentParser(prog="bench.peers", description=__doc__.partition("\n")[0])
    parser.add_argument("--against", metavar="COMMIT", help="measure lightinit of COMMIT, too")
    parser.add_argument("--only", metavar="AGENT", action="append", help="measure only this one")
    options = parser.parse_args()
    missing = [name for name in TOOLS + ("ip", "unshare", "strace") if find_tool(name) is None]
    if os.geteuid() or missing:
        print("bench-peers: wants root, and: %s" % (", ".join(missing) or "nothing else"))
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = agents.lightinits(Path(HERE), [agents.OURS, agents.OURS_LATE, agents.OURS_KEPT])
    if options.against:
        tree = commit_tree(options.against, FOLDER)
        found += agents.lightinits(tree, [agents.BEFORE, agents.BEFORE_LATE])
    found += agents.others(with_rust=shutil.which("cargo") is not None)
    if options.only:
        found = [agent for agent in found if agent.name in options.only]
    results = _measure_all(found)
    print_tables(found, results)
    return 0


def _measure_all(found: List[Agent]) -> Results:
    images = {}
    for agent in found:
        _say("the image of %s" % agent.name)
        with tempfile.TemporaryDirectory(prefix="bench-peers-") as scratch:
            images[agent.name] = prepare(agent, FOLDER, Path(scratch))
    results: Results = {}
    for number in range(REPEATS):
        for condition in CONDITIONS:
            for agent in found:
                if agent.name in ONLY_NEAR and condition is not NEAR:
                    continue
                with tempfile.TemporaryDirectory(prefix="bench-peers-") as scratch:
                    try:
                        run = measure(agent, condition, images[agent.name], Path(scratch))
                    except NotReadyError as error:
                        _say("%s: %s was not Ready:\n%s" % (condition.name, agent.name, error))
                        continue
                results.setdefault((agent.name, condition.name), []).append(run)
                _say(
                    "round %d, %s, %s: Ready after %.3f s"
                    % (number + 1, condition.name, agent.name, run.ready_s)
                )
    return results


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def middle(results: Results, key: Tuple[str, str], field: str) -> Optional[float]:
    """The median of a field of the runs; None if there are none."""
    values = [getattr(run, field) for run in results.get(key, [])]
    if not values or None in values:
        return None
    return float(statistics.median(values))


COLUMNS = (
    ("Ready 0 ms", NEAR, "ready_s", "%.3f"),
    ("20 ms", FAR, "ready_s", "%.3f"),
    ("counted", COUNTED, "ready_s", "%.3f"),
    ("5 ms fsync", SLOW_DISK, "ready_s", "%.3f"),
    ("key", NEAR, "key_s", "%.3f"),
    ("CPU", NEAR, "cpu_s", "%.2f"),
    ("MiB", NEAR, "memory_mib", "%.0f"),
    ("programs", COUNTED, "programs", "%.0f"),
    ("fsyncs", COUNTED, "barriers", "%.0f"),
    ("requests", NEAR, "requests", "%.0f"),
)


def print_tables(found: List[Agent], results: Results) -> None:
    """Print what was measured, each agent's Ready by that of lightinit, and the targets."""
    print(
        "\n%d rounds, medians; seconds from the lease (lightinit, before) or the start\n" % REPEATS
    )
    print("| agent | %s | without |" % " | ".join(column[0] for column in COLUMNS))
    print("|---" * (len(COLUMNS) + 2) + "|")
    for agent in found:
        cells = []
        for _title, condition, field, form in COLUMNS:
            value = middle(results, (agent.name, condition.name), field)
            cells.append("" if value is None else form % value)
        print("| %s | %s | %s |" % (agent.name, " | ".join(cells), agent.lacks))
    print("\nReady of the line / Ready of the column:\n")
    for condition in (NEAR, FAR):
        names = [agent.name for agent in found if agent.name not in ONLY_NEAR]
        print("| %s | %s |" % (condition.name, " | ".join(names)))
        print("|---" * (len(names) + 1) + "|")
        for name in names:
            print("| %s | %s |" % (name, " | ".join(_ratios(results, condition, name, names))))
        print()
    print("| target | measured | at most | |\n|---|---|---|---|")
    for target in _targets():
        value = _value_of(target, results)
        if value is not None:
            verdict = "met" if value <= target.most else "MISSED"
            print("| %s | %.2f | %.2f | %s |" % (target.text, value, target.most, verdict))


def _ratios(results: Results, condition: Condition, name: str, names: List[str]) -> Iterator[str]:
    one = middle(results, (name, condition.name), "ready_s")
    for each in names:
        other = middle(results, (each, condition.name), "ready_s")
        yield "" if one is None or not other else "%.2f" % (one / other)


def _value_of(target: Target, results: Results) -> Optional[float]:
    one = middle(results, target.one, target.field)
    if target.other is None or one is None:
        return one
    other = middle(results, target.other, target.field)
    return one / other if other else None


if __name__ == "__main__":
    sys.exit(main())
