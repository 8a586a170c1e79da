"""What comes at the end of a boot."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.formats.cloud_config.readers.ending import (
    POSTED,
    GivenCall,
    GivenEnding,
    GivenOutput,
    GivenPowerState,
    find_output,
    read_ending,
)


@pytest.mark.parametrize(
    "values, expected",
    [
        ({"mode": "reboot"}, GivenPowerState("reboot")),
        ({"mode": "poweroff", "delay": "+5"}, GivenPowerState("poweroff", 5)),
        ({"mode": "halt", "delay": 30, "message": "Bye"}, GivenPowerState("halt", 30, "Bye")),
        (
            {"mode": "reboot", "delay": "now", "timeout": 2.5, "condition": "test -e /x"},
            GivenPowerState("reboot", 0, "", 2.5, "test -e /x"),
        ),
        (
            {"mode": "reboot", "condition": ["test", "", "=", 5]},
            GivenPowerState("reboot", condition=("test", "", "=", "5")),
        ),
        ({"mode": "reboot", "condition": False}, GivenPowerState("reboot", condition=False)),
    ],
)
def test_power_state(values: Dict[str, Any], expected: GivenPowerState) -> None:
    assert read_ending({"power_state": values}) == (GivenEnding(expected), [])


@pytest.mark.parametrize(
    "values, expected",
    [
        ({"url": "https://e.org/x"}, GivenCall("https://e.org/x", POSTED, 10)),
        ({"url": "http://e", "post": "all", "tries": 3}, GivenCall("http://e", POSTED, 3)),
        ({"url": "http://e", "post": ["fqdn"]}, GivenCall("http://e", ("fqdn",))),
    ],
)
def test_phone_home(values: Dict[str, Any], expected: GivenCall) -> None:
    assert read_ending({"phone_home": values}) == (GivenEnding(phone_home=expected), [])
    assert "http" not in repr(expected)


def test_message_and_outputs() -> None:
    outputs = {
        "all": "| tee -a /var/log/x '/b c'",
        "init": [">/a", "> /a"],
        "final": {"output": "/c", "error": "&1"},
        "config": {"output": " | /usr/bin/tee /d"},  # no script runs in it
    }
    found, mistakes = read_ending({"final_message": "Up after $UPTIME s", "output": outputs})
    assert [each.what for each in mistakes] == ["nothing is printed there"]
    assert found.final_message == "Up after $UPTIME s"
    assert found.outputs == (
        GivenOutput("init", ("/a",), False),
        GivenOutput("config", ("/d",), False),
        GivenOutput("final", ("/c",), True),
        GivenOutput("all", ("/var/log/x", "/b c"), True),
    )


@pytest.mark.parametrize(
    "target",
    [
        ">",
        "",
        "| logger -t x",
        "| tee -a",
        "| tee -p /x",
        "| tee 'x",
        "| tee /x | cat",
        "> x",
        "> /dev/console",
        ">> /dev/null",
        "| tee /x y",
        "> /etc/passwd",
        ">> /etc//sudoers.d/../sudoers",
        "| tee -a /x /home/ada/.ssh/authorized_keys",
        [],
        5,
        {"output": ""},
        {"error": "> /x"},
    ],
)
def test_where_output_cannot_go(target: Any) -> None:
    found, mistakes = read_ending({"output": {"all": target, "final": ">> /x"}})
    assert found.outputs == (GivenOutput("final", ("/x",)),)
    assert "output.all: output cannot go there; it is in the log only" in str(mistakes[-1])


def test_a_device_beside_a_file_is_left_out() -> None:
    found, mistakes = read_ending({"output": {"all": "| tee -a /x /dev/tty0"}})
    assert found.outputs == (GivenOutput("all", ("/x",)),)
    assert [str(each) for each in mistakes] == [
        "output.all: output goes to no device; the files beside it get it; leave it out:"
        " `lightinit status` tells how far it is"
    ]


def test_errors_go_where_the_output_goes() -> None:
    found, mistakes = read_ending({"output": {"all": ["> /x", "> /y"]}})
    assert found.outputs == (GivenOutput("all", ("/x",), False),)
    assert [(each.what, each.has_effect) for each in mistakes] == [
        ("errors go where the output goes", True)
    ]


@pytest.mark.parametrize(
    "values, says",
    [
        ({"power_state": {"mode": "restart"}}, "power_state.mode: it is none, so nothing happens"),
        ({"power_state": {}}, "power_state.mode: it is none"),
        ({"power_state": {"mode": "reboot", "delay": "soon"}}, "delay: it is no number of minutes"),
        (
            {"power_state": {"mode": "reboot", "delay": "12:30"}},
            "delay: it is no number of minutes",
        ),
        ({"power_state": {"mode": "reboot", "condition": 5}}, "condition: it is a number"),
        ({"power_state": {"mode": "reboot", "condition": []}}, "condition: it is a list"),
        ({"power_state": {"mode": "reboot", "condition": [[]]}}, "condition: it is a list"),
        ({"power_state": "reboot"}, "power_state: it is text, and must be a mapping"),
        ({"phone_home": {"url": "ftp://x"}}, "phone_home.url: it is not an http or https URL"),
        ({"phone_home": {}}, "phone_home.url: it is not an http"),
        ({"output": {"al": "> x"}}, "output.al: the key is unknown here; did you mean `all`?"),
    ],
)
def test_mistakes(values: Dict[str, Any], says: str) -> None:
    found, mistakes = read_ending(values)
    assert says in str(mistakes[0]) and found == GivenEnding()


def test_what_is_wrong_beside_what_is_right() -> None:
    found, mistakes = read_ending({"power_state": {"mode": "reboot", "timeout": "x"}})
    assert found.power_state == GivenPowerState("reboot") and len(mistakes) == 1
    call = {"url": "http://e", "post": ["fqdn", "uptime"], "tries": 0}
    found, mistakes = read_ending({"phone_home": call})
    assert found.phone_home == GivenCall("http://e", ("fqdn",)) and len(mistakes) == 2


def test_the_stage_comes_before_all() -> None:
    outputs = read_ending({"output": {"all": ">> /a", "final": "> /f"}})[0].outputs
    assert find_output(outputs, "final") == GivenOutput("final", ("/f",), False)
    assert find_output(outputs, "init").paths == ("/a",)
    assert find_output((), "final").paths == ()
