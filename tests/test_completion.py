"""The completion of both commands in bash: a real bash, asked about every word that the parsers
know, and no other.

Nothing is compared with a list written here: what the parsers say is what must be offered.
"""

from __future__ import annotations

import argparse
import glob
import os
import pty
import re
import select
import shutil
import subprocess
import time
from typing import Any, Dict, List, Optional, Set, Tuple

import pytest

from lightinit.emulator.grammar import build_parser
from lightinit.emulator.scenario import list_names
from lightinit.grammar import make_parser
from lightinit.registry import shipped_modules
from tests.lib.scratch import HERE

FOLDER = HERE + "/packaging/bash-completion"
HELPERS = "/usr/share/bash-completion/bash_completion"
PARSERS: Dict[str, Any] = {"lightinit": make_parser, "lightinit-emulator": build_parser}
ASK = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
"$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\) .*/\\1/')" "$1" \
"${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
[ "${#COMPREPLY[@]}" = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
"""

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="not installed here: bash")


def offered(*words: str, cwd: Optional[str] = None, before: str = "") -> List[str]:
    """What bash would offer for the last of ``words``; ``before``: shell text that is run first."""
    program = words[0]
    ended = subprocess.run(
        [
            "bash",
            "--norc",
            "--noprofile",
            "-c",
            before + ASK,
            "bash",
            FOLDER + "/" + program,
            *words,
        ],
        cwd=cwd or "/",
        env=dict(os.environ, LIGHTINIT_LIBRARY=HERE, LIGHTINIT_EMULATOR_LIBRARY=HERE, LC_ALL="C"),
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=30,
    )
    assert ended.stderr == ""
    return ended.stdout.splitlines()


def commands(program: str) -> Dict[str, argparse.ArgumentParser]:
    """The parsers of a program's commands, by name."""
    for action in PARSERS[program]()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("no commands")


def long_options(parser: argparse.ArgumentParser) -> Set[str]:
    """The long options that a parser knows."""
    return {
        text
        for action in parser._actions
        for text in action.option_strings
        if text.startswith("--")
    }


def every_command() -> List[Tuple[str, str]]:
    """(program, command) for all there are."""
    return [(program, name) for program in PARSERS for name in commands(program)]


def every_option() -> List[Any]:
    """(program, command, option) for all there are but --help, which ends the command."""
    return [
        pytest.param(program, name, action, id="-".join((program, name, action.dest)))
        for program, name in every_command()
        for action in commands(program)[name]._actions
        if action.option_strings and "--help" not in action.option_strings
    ]


@pytest.mark.parametrize("program", list(PARSERS))
def test_the_commands_are_offered(program: str) -> None:
    assert sorted(offered(program, "")) == sorted(commands(program))
    assert offered(program, "s") == [name for name in commands(program) if name.startswith("s")]


@pytest.mark.parametrize("program", list(PARSERS))
def test_the_options_before_a_command_are_offered(program: str) -> None:
    assert set(offered(program, "-")) == long_options(PARSERS[program]())


@pytest.mark.parametrize("program, name", every_command())
def test_the_options_of_each_command_are_offered(program: str, name: str) -> None:
    found = offered(program, name, "--")
    assert set(found) == long_options(commands(program)[name])
    assert len(found) == len(set(found))


@pytest.mark.parametrize("program, name", every_command())
def test_the_choices_of_each_positional_argument_are_offered(program: str, name: str) -> None:
    for action in commands(program)[name]._actions:
        if not action.option_strings and action.choices:
            assert offered(program, name, "") == list(action.choices)
            first = str(next(iter(action.choices)))
            assert set(offered(program, name, first, "")) == long_options(commands(program)[name])


@pytest.mark.parametrize("program, name, action", every_option())
def test_what_follows_an_option(program: str, name: str, action: argparse.Action) -> None:
    option = action.option_strings[-1]
    if action.choices:
        assert offered(program, name, option, "") == list(action.choices)
        assert offered(program, name, option, "=", "") == list(action.choices)
        assert offered(program, name, option, "=") == list(action.choices)
    takes_value = action.nargs is None
    # After a flag, and after an option's value, the command goes on. An option's own value is not
    # an option.
    assert bool(offered(program, name, option, "--")) is not takes_value
    if takes_value:
        assert set(offered(program, name, option, "x", "--")) == long_options(
            commands(program)[name]
        )
        assert set(offered(program, name, option, "=", "x", "--")) == long_options(
            commands(program)[name]
        )


def test_root_takes_directories_and_is_not_taken_for_the_command(tmp_path: Any) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "file").write_text("")
    for words in (["--root"], ["--root", "="], ["status", "--root"]):
        assert offered("lightinit", *words, "", cwd=str(tmp_path)) == ["image"]
    assert offered("lightinit", "--root", str(tmp_path) + "/im") == [str(tmp_path / "image")]
    assert sorted(offered("lightinit", "--root", "stage", "")) == sorted(commands("lightinit"))
    assert offered("lightinit", "--root", "/x", "stage", "l") == ["local"]


def test_the_names_of_modules_are_offered(tmp_path: Any) -> None:
    assert sorted(offered("lightinit", "module", "")) == shipped_modules()
    settings = tmp_path / "etc/lightinit/conf.d"
    settings.mkdir(parents=True)
    (settings / "50-site.conf").write_text(
        "[lightinit]\n# modules = no\nmodules = users, mysite.timezone $(touch x) \n"
    )
    found = offered("lightinit", "--root", str(tmp_path) + "/", "module", "my", cwd=str(tmp_path))
    assert found == ["mysite.timezone"]
    assert not (tmp_path / "x").exists()


def test_an_odd_file_among_the_modules_is_not_expanded(tmp_path: Any) -> None:
    folder = tmp_path / "lightinit/modules"
    folder.mkdir(parents=True)
    for name in ("users.py", "__init__.py", "$(touch x).py"):
        (folder / name).write_text("")
    found = offered(
        "lightinit", "module", "", cwd=str(tmp_path), before='LIGHTINIT_LIBRARY="%s"\n' % tmp_path
    )
    assert found == ["users"]
    assert not (tmp_path / "x").exists()


def test_without_the_package_no_module_is_offered(tmp_path: Any) -> None:
    assert set(
        offered("lightinit", "module", "", before='LIGHTINIT_LIBRARY="%s"\n' % tmp_path)
    ) == long_options(commands("lightinit")["module"])


def test_scenarios_and_files_are_offered(tmp_path: Any) -> None:
    (tmp_path / "good-mine.json").write_text("{}")
    program = "lightinit-emulator"
    assert sorted(offered(program, "run", "--scenario", "", cwd=str(tmp_path))) == sorted(
        list_names() + ["good-mine.json"]
    )
    assert offered(program, "run", "--certificates", "", cwd=str(tmp_path)) == [
        "good-mine.json",
        "auto",
    ]
    assert sorted(offered(program, "run", "--scenario", "good", cwd=str(tmp_path))) == [
        "good",
        "good-mine.json",
    ]
    for words in (
        ["check"],
        ["kvp"],
        ["run", "--instance"],
        ["run", "--log"],
        ["run", "--ready-file"],
        ["media", "--output"],
        ["media", "--ovf"],
        ["media", "--password-file"],
        ["media", "--custom-data"],
        ["media", "--ssh-key"],
    ):
        assert offered(program, *words, "", cwd=str(tmp_path)) == ["good-mine.json"]


def test_no_program_is_started() -> None:
    """Completion that starts Python is completion that stutters. Functions and builtins need no
    PATH.
    """
    for words in (["lightinit", "module", ""], ["lightinit-emulator", "run", "--scenario", ""]):
        before = (
            'source "$1"; function=_${2//-/_}; shift; PATH=/nonexistent; COMP_WORDS=("$@");'
            ' COMP_CWORD=$(($# - 1))\n"$function"; printf "%s\\n" "${#COMPREPLY[@]}"; exit\n'
        )
        assert int(offered(*words, before=before)[0]) >= 3


@pytest.mark.parametrize("program", list(PARSERS))
def test_it_is_loaded_by_the_helpers_too(program: str, tmp_path: Any) -> None:
    if not os.path.exists(HELPERS):
        assert os.environ.get("CI") != "true", "CI needs bash-completion"
        pytest.skip("not installed here: bash-completion")
    (tmp_path / "completions").mkdir()
    shutil.copy(FOLDER + "/" + program, str(tmp_path / "completions" / program))
    before = (
        'BASH_COMPLETION_USER_DIR="%s"; source %s; _completion_loader %s\ncomplete -p %s >/dev/null'
        " || exit 9\n" % (tmp_path, HELPERS, program, program)
    )
    assert sorted(offered(program, "", before=before)) == sorted(commands(program))


@pytest.mark.parametrize(
    "typed, run",
    [
        ("lightinit gen\t", "generalize"),
        ("lightinit config --format=js\t", "config --format=json"),
        ("lightinit --root /us\t stage fe\t", "--root /usr/ stage fetch"),
        ("lightinit-emulator run --scenario two-500\t", "run --scenario two-500-then-good"),
    ],
)
def test_a_tab_at_a_real_prompt(typed: str, run: str) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir("/")
        os.environ.update(
            LIGHTINIT_LIBRARY=HERE,
            LIGHTINIT_EMULATOR_LIBRARY=HERE,
            TERM="dumb",
            INPUTRC="/dev/null",
        )
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    try:
        program = typed.split()[0]
        lines = [
            "bind 'set enable-bracketed-paste off'",
            "source " + FOLDER + "/" + program,
            '%s() { echo "<$*>"; }' % program,
            "echo ready",
        ]
        os.write(terminal, "".join(line + "\n" for line in lines).encode())
        assert _read_until(terminal, b"\nready")
        os.write(terminal, (typed + "\n").encode())
        said = _read_until(terminal, b">\r\n")
        assert "<%s>" % run in re.sub(r" +>", ">", said.decode()), said
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def _read_until(terminal: int, mark: bytes, limit_s: float = 30.0) -> bytes:
    said = b""
    end_s = time.monotonic() + limit_s
    while mark not in said and time.monotonic() < end_s:
        if select.select([terminal], [], [], 0.2)[0]:
            said += os.read(terminal, 4096)
    return said if mark in said else b""


def test_shellcheck_is_content() -> None:
    # As tools/requirements.txt brings it, also for the Pythons of tools/test-pythons.
    beside = os.path.join(HERE, ".venv", "bin", "shellcheck")
    shellcheck = beside if os.access(beside, os.X_OK) else shutil.which("shellcheck")
    if shellcheck is None:
        assert os.environ.get("CI") != "true", "CI needs shellcheck"
        pytest.skip("not installed here: shellcheck")
    files = sorted(glob.glob(FOLDER + "/*"))
    assert [os.path.basename(name) for name in files] == sorted(PARSERS)
    ended = subprocess.run(
        [shellcheck, *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        universal_newlines=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout
