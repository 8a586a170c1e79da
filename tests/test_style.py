"""What the code looks like, as far as a machine can tell: short functions, small folders, few
conditional expressions (CONTRIBUTING.md).
"""

from __future__ import annotations

import ast
import os
from typing import Dict, Iterator, List, Tuple

import pytest

from tests.lib.imports import imports_of

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINES_OF_A_FUNCTION = 54
FILES_OF_A_FOLDER = 14
# The entries of the program, what quick.py, init/check and the stamp tie to their paths, and the
# ground that formats and host share.
FILES_AT_THE_TOP = 19
CONDITIONALS_IN_1000_LINES = 15.0


def sources() -> Iterator[str]:
    """The path of each source file, below the repository."""
    for base in ("lightinit", "modules"):
        for folder, folders, names in os.walk(os.path.join(HERE, base)):
            folders[:] = [
                name for name in folders if not os.path.islink(os.path.join(folder, name))
            ]
            for name in names:
                if name.endswith(".py"):
                    yield os.path.relpath(os.path.join(folder, name), HERE)


ALL = sorted(sources())


def read(path: str) -> str:
    with open(os.path.join(HERE, path), encoding="utf-8") as handle:
        return handle.read()


def conditionals(text: str) -> List[ast.IfExp]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.IfExp)]


def nested(text: str) -> List[int]:
    """The lines of conditional expressions that have another one inside."""
    return [
        node.lineno
        for node in conditionals(text)
        if any(isinstance(each, ast.IfExp) for each in ast.walk(node) if each is not node)
    ]


def long_functions(text: str) -> List[Tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            # ast knows no end of a node before Python 3.8.
            last = max(getattr(each, "lineno", 0) for each in ast.walk(node))
            if last - node.lineno >= LINES_OF_A_FUNCTION:
                found.append((node.name, last - node.lineno + 1))
    return found


def class_names(text: str) -> List[str]:
    """The names of a file's classes; a private one's without its underscore."""
    nodes = ast.walk(ast.parse(text))
    return [node.name.lstrip("_") for node in nodes if isinstance(node, ast.ClassDef)]


def by_folder() -> Dict[str, List[str]]:
    found: Dict[str, List[str]] = {}
    for path in ALL:
        found.setdefault(os.path.dirname(path), []).append(path)
    return found


@pytest.mark.parametrize("folder", sorted(by_folder()))
def test_a_folder_has_few_files(folder: str) -> None:
    if folder == "modules":
        return  # one file for each name in the settings
    limit = FILES_AT_THE_TOP if folder == "lightinit" else FILES_OF_A_FOLDER
    assert len(by_folder()[folder]) <= limit


# What needs more than SHA-256. It is imported only where there is such a thing to read.
NEED_HASHLIB = ("lightinit/formats/certificates/", "lightinit/formats/packages/openpgp.py")


def test_nothing_else_loads_openssl_for_a_hash() -> None:
    """It takes 3 of 25 MiB (docs/bench.md). Use lightinit.libraries.sha256."""
    imported = {path for path in ALL if {"hashlib", "ssl"} & imports_of(os.path.join(HERE, path))}
    own = {path for path in imported if not path.startswith("lightinit/emulator/")}
    assert len(own) > 2
    allowed = NEED_HASHLIB + ("lightinit/host/network/download.py",)
    assert {path for path in own if not path.startswith(allowed)} == set()


def test_functions_are_short() -> None:
    found = {(path, name): lines for path in ALL for name, lines in long_functions(read(path))}
    assert found == {}


def test_conditional_expressions_are_not_nested() -> None:
    found = {path: nested(read(path)) for path in ALL}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_conditional_expressions_are_few() -> None:
    texts = [read(path) for path in ALL]
    lines = sum(text.count("\n") for text in texts)
    count = sum(len(conditionals(text)) for text in texts)
    assert 1000.0 * count / lines <= CONDITIONALS_IN_1000_LINES


def test_a_noun_names_one_thing() -> None:
    """The emulator is another program: it plays the other side of the same wire."""
    found: Dict[str, List[str]] = {}
    for path in ALL:
        if not path.startswith("lightinit/emulator/"):
            for name in class_names(read(path)):
                found.setdefault(name, []).append(path)
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}


def test_what_is_wrong_is_seen() -> None:
    assert class_names("class A: pass\nclass _A: pass") == ["A", "A"]
    assert nested("a = 1 if b else 2 if c else 3") == [1]
    assert nested("a = (1 if b else 2) + (1 if c else 3)") == []
    text = "def f():\n" + "    pass\n" * LINES_OF_A_FUNCTION
    assert long_functions(text) == [("f", LINES_OF_A_FUNCTION + 1)]
    assert long_functions(text[: -len("    pass\n")]) == []
