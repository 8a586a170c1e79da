"""``lightinit datasources``: which datasource a boot of this machine would take, and why not the
others.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import Any, Dict, List

from lightinit.commands import terminal
from lightinit.datasources.detect import AZURE, Detection, detect
from lightinit.errors import EXIT_FAILED, EXIT_OK
from lightinit.host.log import printable
from lightinit.host.system import System
from lightinit.registry import load_settings
from lightinit.settings import AUTO, Settings

WORDS = {True: "yes", False: "no", None: "perhaps"}
ONLY_ROOT = "some signs only root can see, such as a label without udev: run as root to be sure"
LINE = "%-7s %-12s %-8s %s"


def run(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit datasources``."""
    settings = load_settings(system)
    found = detect(system, settings.values, whole=True)
    taken = find_taken(settings, found)
    if arguments.format == "json":
        terminal.show(json.dumps(as_data(found, taken), indent=1))
    else:
        terminal.show("\n".join(map(printable, as_lines(settings, found, taken))))
    if system.live and os.geteuid() != 0:
        terminal.note(ONLY_ROOT)
    return EXIT_OK if taken else EXIT_FAILED


def find_taken(settings: Settings, found: Detection) -> str:
    """The datasource that a boot would take, "" for none: then it does nothing."""
    core = settings["lightinit"]
    if core["datasource"] != AUTO:
        return str(core["datasource"])
    if core["platform_check"] == "none":
        return found.name or AZURE
    return found.name


def as_data(found: Detection, taken: str) -> Dict[str, Any]:
    """The answer for scripts."""
    return {
        "taken": taken,
        "datasources": [
            {"name": name, "found": sign.found, "why": sign.why} for name, sign in found.signs
        ],
    }


def as_lines(settings: Settings, found: Detection, taken: str) -> List[str]:
    """The answer for people: a heading, a line for each, and what the settings have to do with
    it.
    """
    lines = [LINE % ("taken", "datasource", "sign", "why")]
    for name, sign in found.signs:
        lines.append(LINE % ("taken" if name == taken else "", name, WORDS[sign.found], sign.why))
    core, origins = settings["lightinit"], settings.origins["lightinit"]
    if core["datasource"] != AUTO:
        if taken not in dict(found.signs):
            lines.append(LINE % ("taken", taken, "", "a class of your own"))
        lines.append("the settings name it: %s" % origins["datasource"])
    elif core["platform_check"] == "none":
        lines.append("no sign is needed: platform_check = none (%s)" % origins["platform_check"])
    elif not taken:
        lines.append("no datasource: a boot does nothing")
    lines += ["settings: " + str(problem) for problem in settings.problems]
    return [line.rstrip() for line in lines]
