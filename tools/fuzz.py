"""Fuzzes the readers of ``formats/``. It begins with the inputs that the tests have
(tests/lib/readers).

By hand (``make fuzz``) it searches: atheris makes inputs, guided by the lines that they reach, and
they are others each time. CI (``make fuzz-seeded``) repeats: each reader gets the same inputs each
time (tools/mutations.py), so that what passed once passes again, and a change of one reader cannot
fail at another one. atheris cannot do that, not even with ``-seed`` and ``-runs``: which lines are
new decides what it tries next, and each changed line changes that for all readers.

A finding is any exception but lightinit's own errors, an input that takes longer than 10 s, or
more memory than 1 GiB. It is kept in build/fuzz/found; put it into the tests.

    make fuzz                              all readers together, 45 s
    make fuzz ARGS="--each 60"             each reader by itself, a minute each
    make fuzz ARGS="--each 60 azure.ovf"   only those that are named
    make fuzz ARGS="--again build/fuzz/found/azure.ovf-crash-..."    one input once more
    make fuzz-seeded                       the same inputs each time; no atheris
    make fuzz ARGS="--seed 2"              the same inputs each time, but others than CI's
    make fuzz ARGS="--seed 2 --count 90000 azure.ovf"    many more of them, for one reader
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import subprocess
import sys
import time
from typing import Any, Dict, List, Sequence

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(HERE, "build", "fuzz")
LIBRARIES = os.path.join(BUILD, "lib")
FOUND = os.path.join(BUILD, "found")
ATHERIS = "atheris == 3.0.0"  # for Python 3.11 and newer
ALL, ALL_S = "all", 45
LIMITS = ("-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=512", "-max_len=8192")
TAIL_LINES = 40
# How many inputs a seed has for each reader, beside the examples, and what they may take.
COUNT = 2500
MEMORY_BYTES = 1 << 30


def get_atheris() -> None:
    """Install atheris for this tool alone: nothing else needs it."""
    if not os.path.isdir(os.path.join(LIBRARIES, "atheris")):
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        again = [os.path.join(HERE, "tools", "try-again"), "--without", LIBRARIES]
        subprocess.run(again + pip + ["--target", LIBRARIES, ATHERIS], check=True)


def load(instrument: bool) -> Dict[str, Any]:
    """The readers by name."""
    sys.path[:0] = [HERE, LIBRARIES]
    if instrument:
        atheris: Any = importlib.import_module("atheris")
        with atheris.instrument_imports(include=["lightinit"], enable_loader_override=False):
            from tests.lib.readers.table import READERS
    else:
        from tests.lib.readers.table import READERS
    return dict(READERS)


def folder_of(name: str, kind: str) -> str:
    """The folder of the inputs of a reader: the seeds, or what was found on the way."""
    path = os.path.join(BUILD, kind, name.replace(" ", "-"))
    os.makedirs(path, exist_ok=True)
    return path


def write_seeds(readers: Dict[str, Any], name: str) -> str:
    """Write the inputs to begin with. Returns their folder."""
    folder = folder_of(name, "seeds")
    for number, each in enumerate(sorted(readers)):
        if name in (ALL, each):
            for index, data in enumerate(readers[each].examples()):
                head = bytes((number,)) if name == ALL else b""
                path = os.path.join(folder, "%d-%d" % (number, index))
                with open(path, "wb") as handle:
                    handle.write(head + data)
    return folder


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one reader, or all: then the first byte of the input says which. Does not return."""
    readers = load(instrument=True)
    atheris: Any = importlib.import_module("atheris")
    names = sorted(readers)

    def one(data: bytes) -> None:
        if name != ALL:
            readers[name].call(data)
        elif data:
            readers[names[data[0] % len(names)]].call(data[1:])

    os.makedirs(FOUND, exist_ok=True)
    argv = [sys.argv[0], "-max_total_time=%d" % seconds, *LIMITS]
    argv += ["-artifact_prefix=%s/%s-" % (FOUND, name.replace(" ", "-")), "-print_final_stats=1"]
    argv += [folder_of(name, "corpus"), write_seeds(readers, name)]
    atheris.Setup(argv, one)
    atheris.Fuzz()


def run(name: str, seconds: int) -> bool:
    """Fuzz in a process of its own. Returns whether nothing was found."""
    began_s = time.monotonic()
    log = os.path.join(BUILD, "%s.log" % name.replace(" ", "-"))
    with open(log, "wb") as output:
        command = [sys.executable, __file__, "--run", name, "--each", str(seconds)]
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    with open(log, encoding="utf-8", errors="replace") as handle:
        lines = handle.read().splitlines()
    count = [line.split()[-1] for line in lines if "number_of_executed_units" in line]
    print(
        "%-28s %10s inputs in %3d s  %s"
        % (
            name,
            "".join(count[-1:]) or "?",
            time.monotonic() - began_s,
            "FAILED" if ended.returncode else "ok",
        ),
        flush=True,
    )
    if ended.returncode:
        print("\n".join("    | " + line for line in lines[-TAIL_LINES:]), flush=True)
    return ended.returncode == 0


def again(path: str) -> None:
    """Give a finding to its reader once more."""
    readers = load(instrument=False)
    with open(path, "rb") as handle:
        data = handle.read()
    base = os.path.basename(path)
    if base.startswith(ALL + "-") and data:
        name, data = sorted(readers)[data[0] % len(readers)], data[1:]
    else:
        name = max((each for each in readers if base.startswith(each.replace(" ", "-"))), key=len)
    print("%s: %r" % (name, data))
    readers[name].call(data)


def repeat(names: Sequence[str], seed: int, count: int) -> bool:
    """Give the readers the inputs of a seed. Returns whether nothing was found."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Otherwise the order of sets would be another one each time.
        environ = dict(os.environ, PYTHONHASHSEED="0")
        os.execve(sys.executable, [sys.executable, *sys.argv], environ)  # noqa: S606
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    readers = load(instrument=False)
    seeded: Any = importlib.import_module("tools.seeded")
    chosen = {name: readers[name] for name in names or readers}
    return bool(seeded.search_all(chosen, seed, count, FOUND))


def main(arguments: Sequence[str]) -> int:
    """Run the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("readers", nargs="*")
    parser.add_argument("--each", type=int, default=0)
    parser.add_argument("--again", default="")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--run", default="")
    given = parser.parse_args(arguments)
    os.makedirs(BUILD, exist_ok=True)
    if given.again:
        again(given.again)
        return 0
    if given.run:
        fuzz(given.run, given.each)
    known = load(instrument=False)
    unknown = set(given.readers) - set(known)
    if unknown:
        print("fuzz: no such reader: %s; there are: %s" % (unknown, " ".join(sorted(known))))
        return 2
    if given.seed is not None:
        return int(not repeat(given.readers, given.seed, given.count))
    get_atheris()
    names: List[str] = list(given.readers)
    if given.each and not names:
        names = sorted(known)
    results = [run(name, given.each or ALL_S) for name in names or [ALL]]
    print("%d passed, %d failed" % (results.count(True), results.count(False)))
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
