"""The config stage: what comes before its time."""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.host.system import System
from lightinit.pipeline import Context
from lightinit.stages import config
from tests.lib.context import make_context
from tests.lib.scratch import UUID, Machine


class FullDisk(System):
    """A machine whose disk is nearly full, or is not."""

    def __init__(self, root: Any, full: bool) -> None:
        super().__init__(root)
        self._full = full

    def has_room(self) -> bool:
        return not self._full


def make(root: Any, full: bool) -> Context:
    system = FullDisk(Machine(root).root, full)
    context = make_context(system)
    context.use_instance(UUID)
    return context


@pytest.mark.parametrize("full", [True, False])
def test_what_makes_room_comes_first_on_a_full_disk(tmp_path: Any, full: bool) -> None:
    """N7: canonical/cloud-init#1046: grown before anything has to be written."""
    context = make(tmp_path, full)
    config.make_room(context)
    assert [step.name for step in context.steps] == ["root_disk"] * full
    assert ("root_disk" in config.pending(context)) is not full


def test_what_is_not_listed_does_not_run(tmp_path: Any) -> None:
    context = make(tmp_path, True)
    context.settings.values["lightinit"]["modules"] = ("hostname",)  # type: ignore[index]
    config.make_room(context)
    assert context.steps == []
