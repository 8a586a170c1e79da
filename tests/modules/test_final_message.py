"""The final message: what is filled in, and what a terminal gets of it."""

from __future__ import annotations

import importlib.util
from typing import Any, List

import pytest

from lightinit import __version__
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import final_message
from tests.lib.scratch import ScriptedClock

INSTANCE = Instance("the-id", "azure", ("web-1",))


def say(root: Any, message: Any) -> Outcome:
    system = System(root, ScriptedClock(0.0))
    system.write("/proc/uptime", b"12.34 40.0\n")
    settings = final_message.from_cloud_config({"final_message": message})
    return final_message.apply(INSTANCE, system, settings)


def lines(caplog: Any) -> List[str]:
    """What was said. Who is not root also hears what a scratch root leaves out."""
    said = [record.getMessage() for record in caplog.records]
    return [line for line in said if not line.startswith("scratch root: ")]


def test_the_values_are_filled_in(tmp_path: Any, caplog: Any) -> None:
    caplog.set_level("INFO")
    outcome = say(tmp_path, "up ${UPTIME}\n$version $datasource\n\n$TIMESTAMP $hostname")
    assert lines(caplog) == [
        "up 12.34",
        "%s azure" % __version__,
        "",
        "Tue, 14 Nov 2023 22:13:20 +0000 web-1",
    ]
    assert outcome == Outcome("4 lines")


def test_what_is_unknown_stays_and_is_told(tmp_path: Any, caplog: Any) -> None:
    caplog.set_level("INFO")
    assert say(tmp_path, "$nothing $version").warnings == ("unknown in the message: nothing",)
    assert lines(caplog) == ["$nothing %s" % __version__]


def test_a_template(tmp_path: Any, caplog: Any) -> None:
    if importlib.util.find_spec("jinja2") is None:
        pytest.skip("not installed here: jinja2")
    caplog.set_level("INFO")
    outcome = say(tmp_path, "## template: jinja\n{% if 1 %}{{version}}{% endif %}\n {{nothing}}")
    assert lines(caplog) == [__version__ + " CI_MISSING_JINJA_VAR/nothing"]
    assert outcome.warnings == ("unknown in the message: nothing",)


def test_a_template_with_a_mistake_is_printed_as_it_is(tmp_path: Any, caplog: Any) -> None:
    caplog.set_level("INFO")
    outcome = say(tmp_path, "## template: jinja\n{% if %}")
    assert lines(caplog)[-1:] == ["{% if %}"]
    assert "printed as it is" in outcome.warnings[0]


def test_a_message_without_end_is_cut(tmp_path: Any, caplog: Any) -> None:
    caplog.set_level("INFO")
    assert say(tmp_path, "x\n" * 1000).warnings == ("the message has 1000 lines: 200 are printed",)
    assert len(lines(caplog)) == 200


@pytest.mark.parametrize("message", ["", " \n", None, ["a"], True, b"\x00\xff"])
def test_what_is_no_message(tmp_path: Any, message: Any) -> None:
    assert say(tmp_path, message).skipped
