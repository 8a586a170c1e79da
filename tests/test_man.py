"""The manual pages and the code say the same: commands, options, choices, exit codes, settings with
their defaults.

The pages are written in mdoc(7), whose macros say what a word is (`.It Fl` an option, `.It Va` a
key), so that nothing has to be guessed here.
"""

from __future__ import annotations

import argparse
import glob
import os
import re
import shlex
import shutil
import signal
import subprocess
from typing import Any, Dict, List, Sequence, Set

import pytest

from lightinit import __version__, errors
from lightinit.datasources import DATASOURCES, find_settings
from lightinit.emulator.grammar import build_parser
from lightinit.grammar import EPILOG, make_parser
from lightinit.registry import module_schema, shipped_modules
from lightinit.settings import CORE, Setting, render
from lightinit.settings.shipped import SHIPPED
from tests.lib.scratch import HERE

FOLDER = HERE + "/docs/man"
PAGES = sorted(os.path.basename(path) for path in glob.glob(FOLDER + "/*"))
COMMANDS: Dict[str, Any] = {"lightinit.8": make_parser, "lightinit-emulator.1": build_parser}
SHARED_KEYS = ("frequency", "required")


def read(page: str) -> str:
    """The source of a page, without its comments."""
    with open(os.path.join(FOLDER, page), encoding="utf-8") as file:
        return "".join(line for line in file if not line.startswith('.\\"'))


def split(text: str, macro: str) -> Dict[str, str]:
    """The parts of a page that ``macro`` (Sh, Ss) begins, by their heading; a part ends where a
    larger one begins.
    """
    parts = {}
    for part in re.split(r"^\.%s " % macro, text, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        parts[heading] = re.split(r"^\.Sh ", body, flags=re.MULTILINE)[0]
    return parts


def options_in(text: str) -> List[str]:
    """The options that are explained in a part."""
    return ["-" + name for name in re.findall(r"^\.It Fl (-[a-z-]+)", text, re.MULTILINE)]


def plain(text: str) -> str:
    """A part without macros and punctuation of its own: words with single spaces."""
    text = re.sub(r"^\.[A-Z][a-z]\b", "", text, flags=re.MULTILINE)
    return re.sub(r"\s+", " ", re.sub(r"\b(Fl|Ar|Cm|Op|Li|Ns|Ql|Va|Pa|No) ", "", text))


def commands(page: str) -> Dict[str, argparse.ArgumentParser]:
    """The parsers of the commands of a page's program, by name."""
    for action in COMMANDS[page]()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("no commands")


def described(page: str) -> Dict[str, str]:
    """The parts of a page that are about a command: name -> heading and text."""
    parts = split(split(read(page), "Sh")["COMMANDS"], "Ss")
    return {heading.split()[0]: heading + "\n" + body for heading, body in parts.items()}


def long_options(parser: argparse.ArgumentParser) -> List[str]:
    """The long options of a parser but those that every command has."""
    found = [
        text
        for action in parser._actions
        for text in action.option_strings
        if text.startswith("--")
    ]
    return [text for text in found if text not in ("--help", "--root")]


EVERY_COMMAND = [(page, name) for page in COMMANDS for name in commands(page)]


def test_there_are_three_pages() -> None:
    assert PAGES == ["lightinit-emulator.1", "lightinit.8", "lightinit.conf.5"]


@pytest.mark.parametrize("page", list(COMMANDS))
def test_every_command_is_described_and_no_other(page: str) -> None:
    assert list(described(page)) == list(commands(page))


@pytest.mark.parametrize("page, name", EVERY_COMMAND)
def test_every_option_of_a_command_is_described_and_no_other(page: str, name: str) -> None:
    assert options_in(described(page)[name]) == long_options(commands(page)[name])


@pytest.mark.parametrize("page, name", EVERY_COMMAND)
def test_choices_and_defaults_are_told(page: str, name: str) -> None:
    text = described(page)[name]
    for action in commands(page)[name]._actions:
        item = text
        if action.option_strings:
            item = (re.split(r"^\.It ", text, flags=re.MULTILINE) + [""])[-1]
            for part in re.split(r"^\.It ", text, flags=re.MULTILINE):
                if part.startswith("Fl -%s" % action.option_strings[-1].lstrip("-")):
                    item = part
        for choice in action.choices or ():
            assert re.search(r"\b%s\b" % choice, item), (action.dest, choice)
        default = action.default
        if isinstance(default, tuple):
            default = "%s:%s" % default
        if action.option_strings and default not in (None, False, argparse.SUPPRESS):
            shown = "%g" % default if isinstance(default, float) else default
            assert "default %s" % shown in plain(item).lower(), (action.dest, default)


def test_the_options_of_all_commands_are_described() -> None:
    text = split(read("lightinit.8"), "Sh")["COMMANDS"].split("\n.Ss ")[0]
    assert options_in(text) == ["--root", "--help"]
    for page, make in COMMANDS.items():
        known = {
            text for action in make()._actions for text in action.option_strings if text[:2] == "--"
        }
        for name in known:
            assert "Fl " + name[1:] in read(page), name


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_a_command_or_an_option_that_does_not_exist(page: str) -> None:
    known: Set[str] = {"--enable-agent"}  # of az
    for other, make in COMMANDS.items():
        for parser in [make()] + list(commands(other).values()):
            known |= {text for action in parser._actions for text in action.option_strings}
    text = read(page)
    named = {"-" + name for name in re.findall(r"\bFl (-[a-z-]+)", text)}
    named |= set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text.replace("Fl -", "Fl ")))
    assert named - known == set()
    for name in re.findall(r"(?:^\.Ql |^\.Dl |^|[`|;&]\s*)lightinit ([a-z]+) ", text, re.MULTILINE):
        assert name in commands("lightinit.8"), name


def test_the_exit_codes_of_lightinit() -> None:
    page = split(read("lightinit.8"), "Sh")["EXIT STATUS"]
    told = {
        int(code)
        for codes in re.findall(r"^\.It ([\d, ]+)$", page, re.MULTILINE)
        for code in codes.split(", ")
    }
    exits = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    signals = {128 + number for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}
    assert told == exits | signals
    help_says = {
        int(code)
        for codes in re.findall(r"^  ([\d, ]+?)  ", EPILOG, re.MULTILINE)
        for code in codes.split(", ")
    }
    assert help_says and help_says <= told


def test_the_exit_codes_of_the_emulator() -> None:
    page = split(read("lightinit-emulator.1"), "Sh")["EXIT STATUS"]
    assert re.findall(r"^\.It (\d+)$", page, re.MULTILINE) == ["0", "1", "2"]


def sections() -> Dict[str, Sequence[Setting]]:
    """The keys of every section that the page has to describe; those that all modules share are
    told once.
    """
    found: Dict[str, Sequence[Setting]] = dict(CORE)
    for name in DATASOURCES:
        found[name] = find_settings(name)
    for name in shipped_modules():
        found["module." + name] = [
            setting for setting in module_schema(name) if setting.key not in SHARED_KEYS
        ]
    return found


def test_every_section_of_the_settings_is_described_and_no_other() -> None:
    assert sorted(split(read("lightinit.conf.5"), "Ss")) == sorted(
        "[%s]" % name for name in sections()
    )


@pytest.mark.parametrize("name", list(sections()))
def test_every_key_is_described_with_kind_default_and_choices(name: str) -> None:
    text = split(read("lightinit.conf.5"), "Ss")["[%s]" % name]
    told = re.findall(r"^\.It Va (\S+) No \((\w+), default (.*)\)$", text, re.MULTILINE)
    assert told == [
        (
            setting.key,
            setting.kind,
            render(setting.default).replace(__version__, "VERSION") or "empty",
        )
        for setting in sections()[name]
    ]
    assert len(told) == text.count("\n.It Va ") + text.startswith(".It Va ")
    items = {part.split()[1]: part for part in re.split(r"^\.It ", text, flags=re.MULTILINE)[1:]}
    for setting in sections()[name]:
        for choice in setting.choices:
            assert re.search(r"\b%s\b" % choice, items[setting.key].partition("\n")[2]), (
                setting.key,
                choice,
            )


def test_the_keys_that_all_modules_share() -> None:
    text = split(read("lightinit.conf.5"), "Sh")["MODULES"].split("\n.Ss ")[0]
    assert re.findall(r"^\.It Va (\w+) No \((\w+)\)$", text, re.MULTILINE) == [
        (setting.key, setting.kind)
        for setting in module_schema("users")
        if setting.key in SHARED_KEYS
    ]
    for setting in module_schema("users"):
        for choice in setting.choices if setting.key in SHARED_KEYS else ():
            assert ".Cm %s :" % choice in text
    rows = dict(re.findall(r"^\.It (\w+) Ta (\w+ Ta \w+)$", text, re.MULTILINE))
    assert rows == {
        name: "%s Ta %s" % (SHIPPED[name].frequency.value, render(SHIPPED[name].required))
        for name in shipped_modules()
    }


def test_every_kind_is_explained() -> None:
    told = re.findall(r"^\.It (\w+)$", split(read("lightinit.conf.5"), "Sh")["KINDS"], re.MULTILINE)
    assert set(told) == {setting.kind for settings in sections().values() for setting in settings}


def test_every_file_of_the_state_that_the_page_names_exists_in_the_code() -> None:
    from lightinit import hooks, state

    page = read("lightinit.8")
    for path in (
        state.CURRENT,
        state.DISABLED,
        state.LIBRARY + "/sem",
        os.path.dirname(state.STATUS),
    ):
        assert path in page, path
    for path in re.findall(r"Pa (/etc/lightinit/\S+|/var/lib/lightinit/\S+)", page):
        assert path.startswith(
            (
                state.LIBRARY,
                state.DISABLED,
                "/etc/lightinit/lightinit.conf",
                "/etc/lightinit/conf.d",
                hooks.FOLDER,
            )
        )


def commands_in(text: str) -> List[str]:
    """Every command line of ours in a Markdown page: in code spans and in shell blocks."""
    fences = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    )
    lines = "\n".join(fences).replace("\\\n", " ").split("\n") + spans
    found = [re.match(r"(?:sudo )?((?:lightinit|lightinit-emulator) .*)", line) for line in lines]
    return [match.group(1) for match in found if match]


@pytest.mark.parametrize("name", ["azure-image.md", "operations.md"])
def test_every_command_line_in_these_pages_is_one(name: str) -> None:
    with open(os.path.join(HERE, "docs", name), encoding="utf-8") as file:
        lines = commands_in(file.read())
    assert len(lines) > 5
    for line in lines:
        words = shlex.split(re.split(r"[;|]", line)[0], comments=True)
        assert make_parser().parse_args(words[1:]).command, line


def sources() -> str:
    """All of the agent's code, with the texts that are split over lines put together."""
    text = ""
    for path in sorted(glob.glob(HERE + "/lightinit/**/*.py", recursive=True)):
        with open(path, encoding="utf-8") as file:
            text += file.read()
    return re.sub(r'"\s*\n\s*"', "", text)


def test_what_the_pages_quote_the_code_says() -> None:
    quoted = [
        phrase
        for line in re.findall(
            r"^\.It Sy (.*)$", split(read("lightinit.8"), "Sh")["DIAGNOSTICS"], re.MULTILINE
        )
        for phrase in line.split(" , ")
    ]
    with open(os.path.join(HERE, "docs", "azure-image.md"), encoding="utf-8") as file:
        table = file.read().partition("| symptom |")[2]
    for cell in re.findall(r"^\| (.*?) \|", table, re.MULTILINE):
        quoted += [
            phrase for phrase in re.findall(r"`([a-z][^`=…]*)`", cell) if phrase != "emergency mode"
        ]
    assert len(quoted) > 15
    text = sources()
    for phrase in quoted:
        # What both servers may do is said by one line, which puts the name before it.
        assert phrase in text or '"%s' % re.sub(r"^(imds|wireserver)", "", phrase) in text, phrase


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_a_version(page: str) -> None:
    assert not re.search(r"\b\d+\.\d+\.\d+\b(?!\.)", re.sub(r"\d+\.\d+\.\d+\.\d+", "", read(page)))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("tool", ["mandoc", "groff"])
def test_the_page_renders_without_a_warning(tool: str, page: str) -> None:
    if not shutil.which(tool):
        assert os.environ.get("CI") != "true", "CI needs %s" % tool
        pytest.skip("not installed here: %s" % tool)
    command = {
        "mandoc": ["mandoc", "-T", "lint", "-W", "warning"],
        "groff": ["groff", "-mdoc", "-ww", "-Tascii", "-z"],
    }[tool]
    ended = subprocess.run(
        command + [os.path.join(FOLDER, page)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        universal_newlines=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (0, "")
