"""A whole boot by a Python that lacks what builds for musl, and small builds, lack."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.emulated import boots
from tests.lib.poor_python import RARE_MODULES, RARE_OS
from tests.lib.scratch import HERE, Machine

POOR = HERE + "/tests/lib/poor_python.py"
# Where an import may fail because the caller counts with it: (file, module).
CAUGHT_BY_THE_CALLER = {
    ("lightinit/host/network/watch.py", "ctypes"),
    ("lightinit/host/media/reading/mounting.py", "ctypes"),  # nothing is mounted without it
}


class PoorMachine(Machine):
    """A machine whose Python lacks things.

    Args:
        root: an empty directory.
        kind: which, as in ``tests.lib.poor_python.KINDS``.
    """

    def __init__(self, root: Any, kind: str) -> None:
        super().__init__(root)
        self._kind = kind

    def argv(self, *arguments: str) -> List[str]:
        return [sys.executable, POOR, self._kind, "--root", self.root, *arguments]


@pytest.mark.parametrize(
    "kind", ["musl", "no threads", pytest.param("minimal", marks=pytest.mark.long)]
)
def test_a_boot_by_it_is_as_any_other(tmp_path: Any, kind: str) -> None:
    machine = PoorMachine(tmp_path, kind)
    # A file with a label is replaced, and documents are read in threads.
    machine.put("/etc/ssh/sshd_config", "PasswordAuthentication no\n")
    boots.put(machine, make_ovf(password="Pa55w0rd-of-media"))
    with Platform() as platform:
        boots.lead(machine, platform)
        boots.ready(machine, platform, machine.run("boot"))
    assert machine.run("status").returncode == 0
    assert "azureuser" in machine.read("/etc/passwd")


@pytest.mark.long
def test_a_document_of_many_levels_crashes_no_thread_of_musl(tmp_path: Any) -> None:
    machine = PoorMachine(tmp_path, "musl")
    with Platform(scenario="imds-deep-forever") as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert "crash" not in ended.stderr
        assert boots.reported(platform) == ["NotReady"]
        assert "imds" in platform.final_reports[-1]["description"]


@pytest.mark.long
@pytest.mark.parametrize("lacks", ["unicodedata", "zlib"])
def test_without_what_requests_needs_the_platform_hears_why(tmp_path: Any, lacks: str) -> None:
    """Any look-up of a host needs unicodedata, too."""
    machine = PoorMachine(tmp_path, "no " + lacks)
    with Platform() as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert boots.reported(platform) == ["NotReady"], ended.stderr
        description = platform.final_reports[-1]["description"]
        assert "python library cannot be loaded" in description and lacks in description


@pytest.mark.parametrize("kind", ["musl", "minimal"])
def test_media_are_read(tmp_path: Any, kind: str) -> None:
    (tmp_path / "ovf-env.xml").write_bytes(b"<Environment/>")
    reader = HERE + "/lightinit/host/media/reader.py"
    words = ["look", str(tmp_path), "1000", "5", "1", "ovf-env.xml"]
    said = subprocess.run(
        [sys.executable, POOR, kind, reader] + words, stdout=subprocess.PIPE, check=True
    ).stdout
    assert said.startswith(b"found\t14\t") and said.endswith(b"<Environment/>")


# -- nothing else comes to need them
# --------------------------------------------------------------------------------------------------


def sources() -> Iterator[Tuple[str, str]]:
    """(path, text) of each file of the agent."""
    for base in ("lightinit", "modules"):
        for folder, _, names in os.walk(os.path.join(HERE, base)):
            path = os.path.relpath(folder, HERE)
            if not path.startswith("lightinit/emulator"):
                for name in names:
                    if name.endswith(".py"):
                        with open(os.path.join(folder, name), encoding="utf-8") as handle:
                            yield os.path.join(path, name), handle.read()


def unguarded_names(text: str) -> List[str]:
    """The rare names of os that a file uses without asking whether they are there."""
    return [
        node.attr
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in RARE_OS
        and 'hasattr(os, "%s")' % node.attr not in text
    ]


def _imported(node: ast.AST) -> List[str]:
    if isinstance(node, ast.ImportFrom):
        return [str(node.module).partition(".")[0]]
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return []


def unguarded_imports(text: str) -> List[str]:
    """The rare modules that a file imports and cannot be without."""
    tree = ast.parse(text)
    guarded = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and "ImportError" in "".join(map(ast.dump, node.handlers)):
            guarded |= {id(each) for part in node.body for each in ast.walk(part)}
    return [
        name
        for node in ast.walk(tree)
        if id(node) not in guarded
        for name in _imported(node)
        if name in RARE_MODULES + ("zlib", "unicodedata")
    ]


def test_the_agent_does_not_count_on_what_builds_lack() -> None:
    found: Dict[str, List[str]] = {}
    for path, text in sources():
        imports = [
            name for name in unguarded_imports(text) if (path, name) not in CAUGHT_BY_THE_CALLER
        ]
        found[path] = unguarded_names(text) + imports
    assert len(found) > 200
    wrong = {path: names for path, names in found.items() if names}
    assert wrong == {}, wrong


def test_what_is_not_guarded_is_seen() -> None:
    assert unguarded_names("os.setxattr('a')") == ["setxattr"]
    assert unguarded_names('hasattr(os, "setxattr") and os.setxattr(1)') == []
    assert unguarded_imports("def f():\n  import zlib") == ["zlib"]
    assert unguarded_imports("try:\n  import zlib\nexcept ImportError: pass") == []
