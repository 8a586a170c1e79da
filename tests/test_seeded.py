"""The random inputs of CI are the same ones each time, and find what is to be found."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, List

import pytest

from tests.lib.readers.reader import Reader
from tests.lib.readers.table import READERS
from tests.lib.scratch import HERE
from tools.mutations import Damage
from tools.seeded import Finding, search

EXAMPLES = (b"words ssh-rsa AAAA1 bob@example\n", b"number 12: 10.0.0.1\n")


def digest_of(name: str, seed: int) -> str:
    inputs = list(Damage(name, seed, EXAMPLES).inputs(500))
    return hashlib.sha256(b"\n".join(inputs)).hexdigest()[:12]


def test_a_seed_means_the_same_inputs_everywhere() -> None:
    """Whatever Python, machine or tree this is."""
    assert digest_of("a", 1) == "9309f99dd909"
    assert len({digest_of("a", 1), digest_of("a", 2), digest_of("b", 1)}) == 3


def test_the_examples_are_the_same_in_each_process() -> None:
    command = "from tests.lib.readers.table import READERS as r; import hashlib; print("
    command += "hashlib.sha256(repr([r[each].examples() for each in sorted(r)]).encode())"
    command += ".hexdigest())"
    digest = hashlib.sha256(repr([READERS[each].examples() for each in sorted(READERS)]).encode())
    environ = dict(os.environ, PYTHONHASHSEED="7", PYTHONPATH=HERE)
    shown = subprocess.check_output([sys.executable, "-c", command], env=environ, cwd=HERE)
    assert shown.decode().strip() == digest.hexdigest()


def takes_a_first_word(data: bytes) -> None:
    """As authorized_keys was once read: a form feed is no blank to strip, and one to split at."""
    for line in data.split(b"\n"):
        rest = line.strip(b" \t\r").partition(b" ")[2]
        if rest:
            rest.split(None, 1)[0]


def takes_a_digit_for_a_number(data: bytes) -> None:
    for word in data.decode("utf-8", "replace").split():
        if word.isdigit():
            int(word)


def has_no_end(data: bytes) -> None:
    while data.startswith(b"number"):
        pass


@pytest.mark.parametrize(
    "read, told",
    [
        (takes_a_first_word, "IndexError"),
        (takes_a_digit_for_a_number, "ValueError"),
        (has_no_end, "Slow: more than 0.2 s"),
    ],
)
def test_faults_are_found(read: Callable[[bytes], None], told: str, tmp_path: Path) -> None:
    findings: List[Finding] = search(Reader("a b", read, (), seeds=EXAMPLES), 1, 3000, 0.2).findings
    assert len(findings) == 1 and told in findings[0].told
    path = findings[0].write(str(tmp_path / "found"))
    assert os.path.basename(path).startswith("a-b-seeded-")
    assert Path(path).read_bytes() == findings[0].data


def test_what_is_right_has_no_findings() -> None:
    found = search(Reader("a", bytes.split, (), seeds=EXAMPLES), 1, 100)
    assert (found.inputs, found.findings) == (102, [])
