"""A machine that is busy turns no test red: what answers well is waited for (CONTRIBUTING.md)."""

from __future__ import annotations

import os
import re
from typing import Iterator, List

import pytest

from lightinit.emulator import Platform
from tests.lib import http_server, tiny_platform
from tests.lib.scratch import HERE, IMPATIENT, PATIENT, deadlines

LEAST_S = 20.0
NUMBER = r"(?P<limit>[0-9]+(?:\.[0-9]+)?)"
# Each of them ends as soon as it can, so a long limit costs nothing; and a pause of some seconds,
# of any process or thread, is no failure.
LIMITS = (
    r"[ (]timeout=%s\b",
    r"\bwait_until\(.*, %s, ",
    r"\bassert (?!not )\S*\bwait(?:_for)?\((?:.*, )?%s\)(?! is False)",
    r"\bcreate_connection\(.*, %s\)",
    r"monotonic\(\) - \w+ < %s\b",
    r"\btook_s < %s\b",
    r"\btimeout_s: float = %s\b",
    r"\bDownloader\(.*\)\.(?:get\([^,]*|post\([^,]*, [^,]*), %s[,)]",
)

# Loops that try so many times, with so long a pause in between.
TRIES = (
    r"for \w+ in range\((?P<times>[0-9]+)\):\n(?:.*\n){0,8}?"
    r" +(?:time\.)?sleep\((?P<pause>[0-9.]+)\)",
    r"\bseq (?P<times>[0-9]+)\).*\bsleep (?P<pause>[0-9.]+)",
)
# Others take and give back loop devices at the same time: tests/lib/loops.py knows how.
OWN_LOOPS = r'"losetup", (?:"--(?:find|detach|show|read-only)|\*|[a-z])'


def short_limits(text: str) -> List[str]:
    """What a test waits for, and for less than ``LEAST_S``."""
    found = []
    for pattern in LIMITS:
        for match in re.finditer(pattern % NUMBER, text):
            if float(match.group("limit")) < LEAST_S:
                found.append(match.group())
    for pattern in TRIES:
        for match in re.finditer(pattern, text):
            if int(match.group("times")) * float(match.group("pause")) < LEAST_S:
                found.append(match.group())
    return found


# What depends on chance: the pattern, and what to write instead.
CHANCES = {
    r"\bos\.urandom\(": "tests.lib.noise: a finding must come again",
    r"\bRandom\(\)": "give it a seed: a finding must come again",
    r"raises\(ProcessLookupError\)": "wait until it is not is_alive (tests.lib.scripts): one that"
    " was killed needs time to end",
    r"\bnot os\.path\.exists\(.?/proc/%d": "the same; where nobody waits for orphans, it stays",
    r"\bassert .* in os\.read\(": "read until it is there: a terminal passes it on piece by piece",
}
# These fill disks and files with bytes that nobody looks at.
CHANCES_APART = ("real_tools", "real_clients", "vm", "peers", "packages")


def chances(text: str) -> List[str]:
    """What a test leaves to chance."""
    return [why for pattern, why in CHANCES.items() if re.search(pattern, text)]


def files() -> Iterator[str]:
    for folder, _, names in os.walk(os.path.join(HERE, "tests")):
        for name in names:
            if name.endswith(".py") and name != os.path.basename(__file__):
                yield os.path.join(folder, name)


def test_what_ends_by_itself_is_waited_for() -> None:
    found = {}
    for path in files():
        with open(path, encoding="utf-8") as handle:
            found[path] = short_limits(handle.read())
    assert {path: limits for path, limits in found.items() if limits} == {}


def test_loop_devices_are_taken_in_one_way() -> None:
    found = []
    for path in files():
        with open(path, encoding="utf-8") as handle:
            if re.search(OWN_LOOPS, handle.read()):
                found.append(os.path.relpath(path, HERE))
    assert found == ["tests/lib/loops.py"]


@pytest.mark.parametrize(
    "line, is_short",
    [
        ("process.communicate(timeout=5)", True),
        ("process.communicate(timeout=60)", False),
        ('wait_until(lambda: f(1), 10.0, "it does not come")', True),
        ("assert called.wait(5)", True),
        ("assert platform.wait_for(lambda it: it.requests, 2)", True),
        ("assert platform.wait_for(lambda it: it.ready_count, 0.05) is False", False),
        ("assert not called.wait(0.2)", False),
        ("socket.create_connection((host, int(port)), 2)", True),
        ("assert time.monotonic() - started_s < 0.5", True),
        ("def fails(url: str, timeout_s: float = 5.0) -> Error:", True),
        ('assert Downloader().get(server.url + "?sig=a%2Fb", 5.0, 5) == b"hello"', True),
        ('"udevadm settle --timeout=15"', False),
        ("for _ in range(50):\n    if f():\n        break\n    time.sleep(0.1)", True),
        ("for _ in range(600):\n    if f():\n        break\n    time.sleep(0.1)", False),
        ("for try in $(seq 100); do [ ! -e x ] || break; sleep 0.1; done", True),
        ("for try in $(seq 600); do [ ! -e x ] || break; sleep 0.1; done", False),
    ],
)
def test_what_is_too_short_is_seen(line: str, is_short: bool) -> None:
    assert bool(short_limits(line)) == is_short


def test_nothing_is_left_to_chance() -> None:
    found = {}
    for path in files():
        if os.path.relpath(path, HERE + "/tests").split("/")[0] not in CHANCES_APART:
            with open(path, encoding="utf-8") as handle:
                found[path] = chances(handle.read())
    assert {path: whys for path, whys in found.items() if whys} == {}


@pytest.mark.parametrize(
    "line, is_chance",
    [
        ("data = os.urandom(300)", True),
        ("dice = random.Random()", True),
        ("dice = random.Random(4)", False),
        ("with pytest.raises(ProcessLookupError):", True),
        ('assert not os.path.exists("/proc/%d" % pid)', True),
        ('assert os.path.exists("/proc/%d" % pid)', False),
        ('assert b"ready" in os.read(terminal, 4096)', True),
    ],
)
def test_what_is_left_to_chance_is_seen(line: str, is_chance: bool) -> None:
    assert bool(chances(line)) == is_chance


def test_a_platform_that_answers_has_time() -> None:
    for limits in (PATIENT, tiny_platform.PATIENT):
        assert {key: value for key, value in limits.items() if value < 30.0} == {
            key: limits[key] for key in limits if key == "retry_first_s"
        }
    assert http_server.PATIENT_S >= 30.0


@pytest.mark.parametrize("name", ["good", "two-500-then-good", "slow-answers", "progress-hangs"])
def test_so_has_one_that_fails_for_a_while(name: str) -> None:
    found = deadlines(Platform(scenario=name))
    found.pop("request_timeout_s")
    assert min(found.values()) >= 30.0


@pytest.mark.parametrize(
    "name, key",
    [
        ("imds-500-forever", "imds"),
        ("imds-extended-500-forever", "extended"),
        ("wireserver-refused-forever", "wireserver"),
        ("health-500-forever", "health"),
        ("certificates-cut-forever", "certificates"),
    ],
)
def test_only_what_fails_for_ever_has_a_short_deadline(name: str, key: str) -> None:
    found = deadlines(Platform(scenario=name))
    assert {limit for limit in found if found[limit] < 30.0} == set(IMPATIENT[key])


def test_an_imds_that_says_too_little_is_waited_for() -> None:
    found = deadlines(Platform(scenario="imds-incomplete-forever"))
    assert [limit for limit in found if found[limit] < 30.0] == ["complete_timeout_s"]
