"""One look at a device, by a reader that stands for ours."""

from __future__ import annotations

import sys
from typing import List

import pytest

from lightinit.host.media import look as media_look
from lightinit.host.media.look import Look, LookResult

DEADLINE_S = 60.0
NAMES = ("ovf-env.xml",)


def reader(program: str) -> List[str]:
    return [sys.executable, "-I", "-S", "-c", program]


def answer_of(look: Look) -> LookResult:
    while not media_look.wait_for({"/": look}, 1.0):
        pass
    return look.end()


def test_a_reader_that_never_stops_talking_is_ended() -> None:
    program = reader("while True: print('x' * 1000)")
    answer = answer_of(Look("look", "/", NAMES, 1000, DEADLINE_S, False, program))
    assert not answer.found and not answer.hung


@pytest.mark.parametrize(
    "line, answer",
    [
        ("found\t3\t1\tby test\nxyz", LookResult(True, b"xyz", "by test", optical=True)),
        ("nothing\t1\t0\t0\tit\n", LookResult(False, b"", "it", again=True)),
        ("nothing\t0\t1\t0\tit\n", LookResult(False, b"", "it", optical=True)),
        ("nothing\t0\t0\t1\tit\n", LookResult(False, b"", "it", harmless=True)),
        ("ejected\n", LookResult(True, b"", "ejected", optical=True)),
    ],
)
def test_the_fields_of_an_answer(line: str, answer: LookResult) -> None:
    program = reader("import sys; sys.stdout.write(%r)" % line)
    assert answer_of(Look("look", "/", NAMES, 1000, DEADLINE_S, False, program)) == answer


def test_what_the_reader_is_told() -> None:
    program = reader("import sys; print('nothing\\t0\\t0\\t0\\t' + ' '.join(sys.argv[1:]))")
    answer = answer_of(Look("look", "/dev/sr0", ("a", "b"), 9, 60, True, program))
    assert answer.text == "look /dev/sr0 9 60 1 a b"
