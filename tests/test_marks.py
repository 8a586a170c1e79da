"""Marks: there after success, void in the right case, and never a reason to fail when damaged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lightinit import __version__
from lightinit.host.system import System
from lightinit.marks import Marks
from lightinit.model import Frequency, Outcome

FOLDER = "/var/lib/lightinit/instances/a"


@pytest.mark.parametrize("frequency", list(Frequency))
def test_a_mark_is_found_again_and_can_be_read_by_people(
    tmp_path: Any, frequency: Frequency
) -> None:
    system = System(str(tmp_path))
    marks = Marks(system, FOLDER, "boot-1")
    assert marks.find("stage.fetch", frequency) is None
    marks.write("stage.fetch", frequency, 1.25, Outcome("fetched", ("no keys",)), 86400.0)
    found = marks.find("stage.fetch", frequency)
    assert found is not None
    assert (found.finished, found.duration_s, found.version) == (
        "1970-01-02T00:00:00Z",
        1.25,
        __version__,
    )
    assert (found.message, found.warnings) == ("fetched", ("no keys",))
    text = json.loads(system.read(marks.path("stage.fetch", frequency)).decode())
    assert text["frequency"] == frequency.value


def test_each_frequency_ends_where_it_should(tmp_path: Any) -> None:
    system = System(str(tmp_path))
    first = Marks(system, FOLDER, "boot-1")
    for frequency in Frequency:
        first.write("module.x", frequency, 0.0, Outcome(), 0.0)
    next_boot = Marks(system, FOLDER, "boot-2")
    next_instance = Marks(system, "/var/lib/lightinit/instances/b", "boot-2")
    held = {
        frequency: (
            next_boot.find("module.x", frequency) is not None,
            next_instance.find("module.x", frequency) is not None,
        )
        for frequency in Frequency
    }
    assert held == {
        Frequency.INSTANCE: (True, False),
        Frequency.BOOT: (False, False),
        Frequency.ONCE: (True, True),
    }


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"name": 1}', '{"duration_s": "x"}', "\x00" * 99]
)
def test_a_damaged_mark_is_none(tmp_path: Any, content: str) -> None:
    system = System(str(tmp_path))
    marks = Marks(system, FOLDER, "boot-1")
    system.write(marks.path("module.x", Frequency.INSTANCE), content.encode())
    assert marks.find("module.x", Frequency.INSTANCE) is None


def test_a_forgotten_mark_is_gone(tmp_path: Any) -> None:
    marks = Marks(System(str(tmp_path)), FOLDER, "boot-1")
    marks.write("module.x", Frequency.INSTANCE, 0.0, Outcome(), 0.0)
    marks.forget("module.x", Frequency.INSTANCE)
    marks.forget("module.x", Frequency.INSTANCE)
    assert marks.find("module.x", Frequency.INSTANCE) is None


@pytest.mark.parametrize("frequency", list(Frequency))
def test_what_a_step_must_not_do_twice_is_forgotten_with_its_mark(
    tmp_path: Any, frequency: Frequency
) -> None:
    """A step leaves such marks with the instance, whatever its frequency."""
    system = System(str(tmp_path))
    marks = Marks(system, FOLDER, "boot-1")
    names = ["module.x+first", "module.x+second", "module.xy+first", "module.x.y+first", "module.y"]
    for name in names:
        system.write("%s/sem/%s" % (FOLDER, name), b"")
    marks.write("module.x", frequency, 0.0, Outcome(), 0.0)
    marks.forget("module.x", frequency)
    assert marks.find("module.x", frequency) is None
    assert system.list_dir(FOLDER + "/sem") == sorted(names[2:])
