"""PyYAML is optional: what needs it is skipped without it."""

from __future__ import annotations

import importlib.util

import pytest

needs_yaml = pytest.mark.skipif(
    importlib.util.find_spec("yaml") is None, reason="not installed here: yaml"
)
