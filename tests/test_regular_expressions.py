"""No regular expression repeats a repetition: then the time to see that a text does not match can
grow with its length's square, or exponentially. tests/formats/test_linear.py measures the readers.
"""

from __future__ import annotations

import ast
import os
import warnings
from typing import Any, Iterator, List, Tuple

from tests.lib.scratch import HERE

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it has another name since Python 3.11
    import sre_parse

FUNCTIONS = ("compile", "match", "search", "fullmatch", "findall", "finditer", "sub", "split")
LARGE = 64  # a repetition up to a smaller number is none
REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


def patterns(text: str) -> Iterator[Tuple[int, Any]]:
    """The line and the text of each pattern that is written out in a source."""
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and (node.func.value.id, node.func.attr in FUNCTIONS) == ("re", True)
        ):
            first = node.args[0]
            while isinstance(first, ast.BinOp):
                first = first.left
            if not isinstance(first, ast.Name):
                yield node.lineno, ast.literal_eval(first)


def repeats_repetition(parsed: Any, inside: bool = False) -> bool:
    for operation, argument in parsed:
        repeated = False
        if str(operation) in REPEATS:
            _, high, body = argument
            repeated = high > LARGE
            if (inside and repeated) or repeats_repetition(body, inside or repeated):
                return True
        elif str(operation) == "BRANCH":
            if any(repeats_repetition(each, inside) for each in argument[1]):
                return True
        elif isinstance(argument, tuple):
            for each in argument:
                if isinstance(each, sre_parse.SubPattern) and repeats_repetition(each, inside):
                    return True
    return False


def is_bad(pattern: Any) -> bool:
    return repeats_repetition(sre_parse.parse(pattern))


def sources() -> Iterator[str]:
    for base in ("lightinit", "modules"):
        for folder, _, names in os.walk(os.path.join(HERE, base)):
            yield from (os.path.join(folder, name) for name in names if name.endswith(".py"))


def test_no_repetition_is_repeated() -> None:
    found: List[Tuple[str, int]] = []
    count = 0
    for path in sources():
        with open(path, encoding="utf-8") as handle:
            for line, pattern in patterns(handle.read()):
                count += 1
                if is_bad(pattern):
                    found.append((os.path.relpath(path, HERE), line))
    assert count > 60
    assert found == []


def test_what_is_wrong_is_seen() -> None:
    for pattern in (r"(a+)+$", r"(?:\s+|#[^\n]*)+", r"(?:a|(b*c))*", rb"(x(?:y*)){70,}"):
        assert is_bad(pattern)
    for pattern in (r"a+b*", r"(?:a{1,3}b)+", r'"(?:\\.|[^"])*"', r"(?:a+b){3}"):
        assert not is_bad(pattern)
