"""What a source file imports."""

from __future__ import annotations

import ast
from typing import Set


def imports_of(path: str) -> Set[str]:
    """The dotted names that a file imports, also inside functions; of ``from a import b`` both
    ``a`` and ``a.b``. Relative imports are not understood.
    """
    with open(path, encoding="utf-8") as handle:
        tree = ast.parse(handle.read(), path)
    found: Set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update("%s.%s" % (node.module, alias.name) for alias in node.names)
    return found
