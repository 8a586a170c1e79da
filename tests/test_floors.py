"""The house's floors hold: a file imports only from floors below its own (docs/architecture.md)."""

from __future__ import annotations

import ast
import os
import sys
from typing import Dict, Iterator, List, Set, Tuple

import pytest

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

GROUND = {"errors", "model", ""}
MIDDLE = GROUND | {
    "retry",
    "ini",
    "settings",
    "formats",
    "host",
    "datasources",
    "marks",
    "state",
}
MAY_IMPORT: Dict[str, Set[str]] = {
    "": set(),
    "errors": set(),
    "model": set(),
    "quick": {""},
    "retry": GROUND,
    "ini": GROUND,
    "settings": GROUND | {"ini"},
    "formats": GROUND | {"formats"},
    "host": GROUND | {"host"},
    "datasources": GROUND | {"retry", "settings", "formats", "host", "datasources"},
    "marks": GROUND | {"settings", "formats", "host"},
    "state": GROUND | {"settings", "formats", "host"},
    "user_data": GROUND | {"formats", "host", "user_data"},
    "modules": GROUND | {"settings", "formats", "host", "user_data"},
    "registry": MIDDLE | {"modules"},
    "pipeline": MIDDLE,
    "stages": MIDDLE | {"registry", "pipeline", "stages"},
    "stamp": MIDDLE | {"", "pipeline", "stages"},
    "result": MIDDLE | {"", "pipeline", "stages", "stamp"},
    "boot": MIDDLE | {"registry", "pipeline", "stages", "result"},
    "single": MIDDLE | {"registry", "pipeline", "stages", "stamp", "result", "boot"},
    "commands": MIDDLE | {"registry", "pipeline", "stages", "commands"},
    "grammar": GROUND | {""},
    "cli": MIDDLE
    | {"grammar", "registry", "pipeline", "stages", "result", "boot", "single", "commands"},
    "__main__": {"quick", "cli", ""},
    "emulator": {"emulator"},
}


def files() -> Iterator[Tuple[str, str, str]]:
    """Each source file as (path, its floor, its dotted name)."""
    for base, prefix in (("lightinit", ""), ("modules", "modules")):
        for folder, folders, names in os.walk(os.path.join(HERE, base)):
            folders[:] = [
                name
                for name in folders
                if not os.path.islink(os.path.join(folder, name)) and name != "__pycache__"
            ]
            for name in names:
                if name.endswith(".py"):
                    parts = [prefix] if prefix else []
                    below = os.path.relpath(os.path.join(folder, name), os.path.join(HERE, base))
                    parts += [part for part in below[:-3].split(os.sep) if part != "__init__"]
                    yield (
                        os.path.join(folder, name),
                        parts[0] if parts else "",
                        ".".join(["lightinit"] + parts),
                    )


def imports(path: str, dotted: str) -> List[str]:
    """The dotted names of lightinit's own that a file imports, also inside functions."""
    with open(path, encoding="utf-8") as handle:
        tree = ast.parse(handle.read(), path)
    found: List[str] = []
    package = dotted if path.endswith("__init__.py") else dotted.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(above + ([node.module] if node.module else []))
            # `from lightinit import x` names a floor only where x is one; __version__ is the
            # ground.
            found += (
                ["%s.%s" % (base, alias.name) for alias in node.names]
                if base == "lightinit"
                else [base]
            )
    return [name for name in found if name == "lightinit" or name.startswith("lightinit.")]


def floor_of(name: str) -> str:
    """The floor that an imported dotted name lies on."""
    part = name.split(".")[1] if "." in name else ""
    return part if part in MAY_IMPORT else ""


ALL = sorted(files())


def test_every_file_has_a_floor() -> None:
    assert len(ALL) > 30
    assert {floor for _, floor, _ in ALL} <= set(MAY_IMPORT)


@pytest.mark.parametrize("path, floor, dotted", ALL, ids=[dotted for _, _, dotted in ALL])
def test_imports_only_from_below(path: str, floor: str, dotted: str) -> None:
    for name in imports(path, dotted):
        target = floor_of(name)
        assert target in MAY_IMPORT[floor] or name == dotted, "%s may not import %s" % (
            dotted,
            name,
        )


def test_modules_do_not_import_each_other() -> None:
    for path, floor, dotted in ALL:
        if floor == "modules":
            assert not [
                name for name in imports(path, dotted) if name.startswith("lightinit.modules")
            ]


# Gone in Python 3.12 and 3.13 (PEP 594 and others), of those that an agent might reach for: crypt
# makes password hashes.
GONE = {
    "crypt",
    "spwd",
    "nis",
    "telnetlib",
    "pipes",
    "cgi",
    "imghdr",
    "uu",
    "imp",
    "asyncore",
    "distutils",
    "pkg_resources",
}


def test_no_module_that_newer_pythons_lack() -> None:
    for path, _, _ in ALL:
        with open(path, encoding="utf-8") as handle:
            tree = ast.parse(handle.read())
        for node in ast.walk(tree):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
            assert not {name.split(".")[0] for name in names} & GONE, path


def test_the_emulator_needs_only_the_standard_library() -> None:
    known = set(getattr(sys, "stdlib_module_names", ()))
    if not known:
        pytest.skip("sys.stdlib_module_names came with Python 3.10")
    for path, floor, _ in ALL:
        if floor == "emulator":
            with open(path, encoding="utf-8") as handle:
                tree = ast.parse(handle.read())
            for node in ast.walk(tree):
                names = (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                    if isinstance(node, ast.ImportFrom) and not node.level
                    else []
                )
                assert {name.split(".")[0] for name in names} <= known | {"lightinit"}, path


def test_a_wrong_import_is_seen(tmp_path: object) -> None:
    path = os.path.join(str(tmp_path), "wrong.py")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(
            "def f():\n    from lightinit.datasources import azure\n    from ..host import system\n"
        )
    found = [floor_of(name) for name in imports(path, "lightinit.formats.wrong")]
    assert found == ["datasources", "host"]
    assert not set(found) & MAY_IMPORT["formats"]
