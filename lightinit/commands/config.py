"""``lightinit config``: shows the effective settings, the origin of each, and the mistakes."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from typing import Dict, Sequence, Tuple

from lightinit.commands import terminal
from lightinit.errors import EXIT_FAILED, EXIT_OK
from lightinit.host.log import printable
from lightinit.host.system import System
from lightinit.registry import load_settings
from lightinit.settings import Setting, Settings, render

WIDTH = 100


def run(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit config``."""
    settings = load_settings(system)
    if arguments.format == "json":
        terminal.show(as_json(settings))
    else:
        terminal.show(as_text(settings))
    for problem in settings.problems:
        sys.stderr.write("lightinit: %s\n" % printable(str(problem)))
    if settings.problems:
        return EXIT_FAILED
    return EXIT_OK


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
            text = setting.help
            if setting.choices and setting.choices[0] + ":" not in text:
                text += " One of: %s." % ", ".join(setting.choices)
            lines += textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")
            lines += [("# %s = %s" % (setting.key, render(setting.default))).rstrip(), ""]
    return "\n".join(lines)
