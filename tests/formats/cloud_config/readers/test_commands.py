"""``bootcmd`` and ``runcmd`` become one script, as cloud-init writes it."""

from __future__ import annotations

import subprocess
from typing import Any, List

import pytest

from lightinit.formats.cloud_config.document import read
from lightinit.formats.cloud_config.readers.commands import GivenCommands, read_commands
from tests.lib.needs_yaml import needs_yaml


def script(commands: Any) -> str:
    found, mistakes = read_commands({"runcmd": commands})
    assert not mistakes
    return found.runcmd


# What cloud-init 22.4.2 of Debian 12 makes of the same: cloudinit.util.shellify, asked by a script.
@pytest.mark.parametrize(
    "commands, expected",
    [
        (["echo hi", "a && b"], "#!/bin/sh\necho hi\na && b\n"),
        (
            [["sh", "-xc", "date > '/run/x y'"]],
            "#!/bin/sh\n'sh' '-xc' 'date > '\\''/run/x y'\\'''\n",
        ),
        ([["echo", 5], None, "x"], "#!/bin/sh\n'echo' '5'\nx\n"),
        (["for a in b; do\n  echo $a\ndone\n"], "#!/bin/sh\nfor a in b; do\n  echo $a\ndone\n\n"),
        ([[]], "#!/bin/sh\n\n"),
    ],
)
def test_as_cloud_init_does(commands: List[Any], expected: str) -> None:
    assert script(commands) == expected


def test_nothing_is_no_script() -> None:
    for nothing in (None, [], [None]):
        assert read_commands({"runcmd": nothing}) == (GivenCommands(), [])
    assert read_commands({}) == (GivenCommands(), [])
    assert read_commands({"bootcmd": ["a"]})[0] == GivenCommands("#!/bin/sh\na\n")


def test_the_shell_gets_each_word_as_it_was() -> None:
    words = ["printf", "%s|", "it's", 'a "b"', "$HOME", "`x`", "a\nb", "\\", ""]
    ended = subprocess.run(["sh", "-c", script([words])], stdout=subprocess.PIPE, check=True)
    assert ended.stdout.decode() == "".join(word + "|" for word in words[2:])


@needs_yaml
def test_a_number_stays_as_it_was_written() -> None:
    """There cloud-init makes 420 of 0644."""
    found = read(b"runcmd: [[chmod, 0644, /x], [install, ripgrep=1.10, 1.10]]\n").values
    assert script(found["runcmd"]).splitlines()[1:] == [
        "'chmod' '0644' '/x'",
        "'install' 'ripgrep=1.10' '1.10'",
    ]


def test_what_is_wrong_is_left_out_and_told() -> None:
    found, mistakes = read_commands({"runcmd": [{"echo a": "b"}, "echo c", 5]})
    assert found.runcmd == "#!/bin/sh\necho c\n"
    assert [str(each).partition(";")[0] for each in mistakes] == [
        "runcmd[0]: it is a mapping, and must be a command",
        "runcmd[2]: it is a number, and must be a command",
    ]
    assert "`: `" in mistakes[0].remedy


def test_what_surprises_is_told_and_done() -> None:
    found, mistakes = read_commands({"runcmd": [["echo", True]], "bootcmd": "ls"})
    assert found == GivenCommands("#!/bin/sh\nls\n", "#!/bin/sh\n'echo' 'True'\n")
    assert [each.path for each in mistakes] == [("bootcmd",), ("runcmd", 0, 1)]
    assert all(each.has_effect for each in mistakes)
    assert read_commands({"runcmd": {"a": 1}})[0] == GivenCommands()


def test_commands_are_not_shown() -> None:
    assert "s3cret" not in repr(read_commands({"runcmd": ["curl -H s3cret"]})[0])
