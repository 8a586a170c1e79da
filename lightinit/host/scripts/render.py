"""The process that renders a template: JSON in, JSON out, with limits of time and memory.

It imports nothing of lightinit, so that it starts without it: it is run as a file.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any, Dict, List

CPU_S = 10
MEMORY_BYTES = 512 * 1024 * 1024
OUTPUT_LIMIT = 2 * 1024 * 1024
MISSING = "CI_MISSING_JINJA_VAR/"  # cloud-init's text, which scripts look for


def render(text: str, variables: Dict[str, Any]) -> Dict[str, Any]:
    """Render a template in jinja2's sandbox.

    Args:
        text: the template.
        variables: its variables.

    Returns:
        ``text`` and ``missing``, or ``why`` and ``line``, or ``lacks``.
    """
    try:
        jinja2: Any = importlib.import_module("jinja2")
        sandbox: Any = importlib.import_module("jinja2.sandbox")
    except ImportError:
        return {"lacks": "jinja2"}
    missing: List[str] = []

    class Missing(jinja2.DebugUndefined):
        """A variable that is not there."""

        def __str__(self) -> str:
            name = str(self._undefined_name)
            if name not in missing:
                missing.append(name)
            return MISSING + name

    made: List[str] = []
    size = 0
    try:
        environment = sandbox.SandboxedEnvironment(
            undefined=Missing, trim_blocks=True, extensions=["jinja2.ext.do"]
        )
        for piece in environment.from_string(text).generate(**variables):
            size += len(piece)
            if size > OUTPUT_LIMIT:
                return {"why": "it becomes more than %d characters" % OUTPUT_LIMIT, "line": ""}
            made.append(piece)
        if text.endswith("\n"):
            made.append("\n")  # as cloud-init does: also after a block, which trims its line end
    except MemoryError:
        return {"why": "it needs too much memory", "line": ""}
    except Exception as error:  # a template may raise anything
        why = "%s: %s" % (type(error).__name__, error)
        return {"why": why[:300], "line": getattr(error, "lineno", None) or ""}
    return {"text": "".join(made), "missing": missing[:20]}


def _limit() -> None:
    """Limit time and memory, where this Python can: small builds lack the module."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def main() -> None:
    """Answer the question on the standard input."""
    _limit()
    asked = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    sys.path[:] = asked["path"]
    print(json.dumps(render(asked["text"], asked["variables"])))


if __name__ == "__main__":
    main()
