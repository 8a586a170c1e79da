"""``lightinit config``: shows the effective settings, the origin of each, and the mistakes."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

from lightinit.commands import terminal
from lightinit.errors import EXIT_FAILED, EXIT_OK, LightinitError
from lightinit.formats.accounts.admin_account import why_no_admin
from lightinit.formats.dhcp.options import interface_from_text
from lightinit.hooks.find import find_mistakes as find_wrong_hooks
from lightinit.host.log import printable
from lightinit.host.system import System
from lightinit.registry import load_module, load_settings
from lightinit.settings import Setting, Settings, datasource_section, render
from lightinit.settings.files import problem_at
from lightinit.settings.ini import Problem

WIDTH = 100


def run(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit config``."""
    settings = load_settings(system, whole=True)
    found = settings.problems + tuple(find_mistakes(system, settings))
    problems = tuple(sorted(found, key=lambda each: (each.file, each.line)))
    settings = Settings(settings.values, settings.origins, problems, settings.fingerprint)
    if arguments.format == "json":
        terminal.show(as_json(settings))
    else:
        terminal.show(as_text(settings))
    mistakes = [str(problem) for problem in settings.problems] + find_wrong_hooks(system)
    for text in mistakes:
        sys.stderr.write("lightinit: %s\n" % printable(text))
    if mistakes:
        return EXIT_FAILED
    return EXIT_OK


def find_mistakes(system: System, settings: Settings) -> List[Problem]:
    """The mistakes that only the owner of a value can see: each module checks its own settings.

    A boot does not ask: there each module does what it can, and warns.

    Args:
        system: the machine that the settings are for; nothing on it is changed.
        settings: the effective settings.
    """
    found = []
    mistakes = _mistakes_of_core(system, settings) + _mistakes_of_source(system, settings)
    for section, key, text in mistakes:
        found.append(problem_at(settings.origins[section][key], _told(section, key, text)))
    for name in settings.all_modules:
        section = "module." + name
        try:
            check = getattr(load_module(name), "check_settings", None)
        except LightinitError:
            continue  # this is among the problems already
        if check is None:
            continue
        for key, text in _ask(check, system, settings[section]):
            origin = settings.origins[section].get(key, "default")
            found.append(problem_at(origin, _told(section, key, text)))
    return found


def _mistakes_of_core(system: System, settings: Settings) -> List[Tuple[str, str, str]]:
    found = []
    interface, log_file = settings["network"]["interface"], settings["lightinit"]["log_file"]
    if interface and interface_from_text(interface) is None:
        found.append(
            ("network", "interface", "no interface can have this name; write one such as eth0")
        )
    if log_file and system.is_dir(log_file):
        found.append(("lightinit", "log_file", "it is a directory; name a file in it"))
    default_user = settings["lightinit"]["default_user"]
    why = why_no_admin(default_user) if default_user else ""
    if why:
        found.append(("lightinit", "default_user", why + "; write another name"))
    modules = settings.all_modules
    twice = sorted({name for name in modules if modules.count(name) > 1})
    if twice:
        text = "%s is listed more than once; remove all but one" % ", ".join(twice)
        found.append(("lightinit", "modules", text))
    return found


def _mistakes_of_source(system: System, settings: Settings) -> List[Tuple[str, str, str]]:
    from lightinit import datasources

    found = []
    chosen = settings["lightinit"]["datasource"]
    for name in dict.fromkeys([*datasources.DATASOURCES, chosen]):
        section = datasource_section(name)
        if section not in settings.values:
            continue
        try:
            check = datasources.load(name).check_settings
        except LightinitError:
            continue  # this is among the problems already
        found += [(section, key, text) for key, text in _ask(check, system, settings[section])]
    return found


def _ask(
    check: Callable[[System, Dict[str, Any]], Iterable[Tuple[str, str]]],
    system: System,
    values: Mapping[str, Any],
) -> List[Tuple[str, str]]:
    try:
        return list(check(system, dict(values)))
    except Exception as error:  # it may be anybody's code
        return [("", "its settings cannot be checked: %s" % (str(error)[:200] or error))]


def _told(section: str, key: str, text: str) -> str:
    return "[%s] %s: %s" % (section, key, text) if key else "[%s] %s" % (section, text)


def as_text(settings: Settings) -> str:
    """Return the settings in the form of a settings file, each with its origin."""
    lines = []
    for section, values in settings.values.items():
        lines += ["[%s]" % section]
        for key, value in values.items():
            first, newline, more = ("%s = %s" % (key, render(value))).partition("\n")
            lines.append("%-50s # %s%s%s" % (first, settings.origins[section][key], newline, more))
        lines.append("")
    return "\n".join(lines).rstrip()


def as_json(settings: Settings) -> str:
    """Return the settings as JSON."""
    return json.dumps(
        {
            "values": settings.values,
            "origins": settings.origins,
            "problems": [str(problem) for problem in settings.problems],
        },
        indent=1,
    )


def default_file(schema: Dict[str, Tuple[str, Sequence[Setting]]]) -> str:
    """Return the text of etc/lightinit.conf: each key, commented out, with its default and meaning.

    Args:
        schema: by section, a sentence about the section and its keys.
    """
    lines = [
        (
            "# Settings of lightinit. Every key is here with its default; remove the # to change"
            " one."
        ),
        (
            "# Files in /etc/lightinit/conf.d/*.conf are read after this one, sorted by name;"
            " a later value wins."
        ),
        "# `lightinit config` shows the effective settings, the origin of each, and each mistake.",
        "",
    ]
    for section, (about, settings) in schema.items():
        lines += textwrap.wrap(about, WIDTH, initial_indent="# ", subsequent_indent="# ") + [
            "[%s]" % section,
            "",
        ]
        for setting in settings:
            if setting.replaced_by:
                continue
            text = setting.help
            if setting.choices and setting.choices[0] + ":" not in text:
                text += " One of: %s." % ", ".join(setting.choices)
            lines += textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")
            lines += [("# %s = %s" % (setting.key, render(setting.default))).rstrip(), ""]
    return "\n".join(lines)
