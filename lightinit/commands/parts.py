"""The parts of user data, and how each ended: for ``lightinit query userdata`` and ``lightinit
status --long``. No content is shown: it may be secret.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from lightinit.commands import terminal
from lightinit.errors import EXIT_NO_PERMISSION, EXIT_NOT_RUN, EXIT_OK, LightinitError, RefusedError
from lightinit.formats.cloud_config.keys import KEYS, NOT
from lightinit.host.log import printable
from lightinit.host.system import System
from lightinit.registry import find_declaration, load_settings
from lightinit.settings import Settings
from lightinit.state import CURRENT, INSTANCE_LIMIT_BYTES, State, current_instance, read_json

RESULTS = {"ok": "done", "skipped": "done", "already": "done"}


def run(system: System) -> int:
    """``lightinit query userdata``.

    Raises:
        RefusedError: only root can read user data; or there are none yet.
    """
    try:
        system.read(CURRENT + "/instance.json", INSTANCE_LIMIT_BYTES)
    except PermissionError:
        raise RefusedError(
            "secrets are for root", EXIT_NO_PERMISSION, path="userdata", hint="run as root"
        ) from None
    except (OSError, LightinitError):
        pass
    found = look(system)
    if found is None:
        raise RefusedError(
            "no instance data",
            EXIT_NOT_RUN,
            path=CURRENT + "/instance.json",
            hint="the fetch stage writes them; see: lightinit status --long",
        )
    terminal.show("\n".join(as_lines(found) or ["no custom data or user data"]))
    return EXIT_OK


def look(system: System) -> Optional[List[Dict[str, Any]]]:
    """The documents with their parts; None if they cannot be read.

    Args:
        system: the machine.
    """
    recorded = current_instance(system)
    if recorded is None:
        return None
    instance = State(system, recorded).load_instance()
    if instance is None:
        return None
    from lightinit.cloud_config.choice import choose
    from lightinit.cloud_config.given import drop_unwanted
    from lightinit.user_data import overview

    settings = load_settings(system)
    section = settings.values.get("module.custom_data", {})
    documents = choose(settings["lightinit"]["user_data"], section.get("execute", ""))
    documents = drop_unwanted(
        overview.Untouched(system.root), instance, documents, overview.fetch_nothing
    )
    found = overview.as_data(overview.view(system, instance, documents))
    steps = _read_steps(system)
    commands = overview.describe_commands(system)
    for document in found:
        for part in document["parts"]:
            part["keys"] = {
                key: commands.get(key) or _ended(key, settings, steps) for key in part["keys"]
            }
    return found


def _read_steps(system: System) -> Dict[str, str]:
    """module -> how it ended."""
    steps = (read_json(system, CURRENT + "/result.json") or {}).get("steps")
    found: Dict[str, str] = {}
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict) and step.get("kind") == "module":
            result = str(step.get("result"))
            found[str(step.get("name"))] = RESULTS.get(result, result)
    return found


def _ended(key: str, settings: Settings, steps: Mapping[str, str]) -> str:
    """How a key of a cloud-config ended: as the modules did that take it."""
    if key not in KEYS or KEYS[key].works == NOT:
        return "no effect"
    found = []
    for name in settings.all_modules:
        try:
            takes = find_declaration(name).cloud_config
        except LightinitError:
            continue
        if key in takes:
            found.append("%s (%s)" % (steps.get(name, "not run"), name))
    return ", ".join(found) or "done"


def as_lines(documents: List[Dict[str, Any]]) -> List[str]:
    """The documents as lines of text.

    Args:
        documents: as from :func:`look`.
    """
    lines: List[str] = []
    for document in documents:
        lines.append("%(name)s: %(kind)s, %(size_bytes)d bytes" % document)
        for part in document["parts"]:
            lines += _lines_of(document["name"], part)
        lines += ["  " + text for text in document["warnings"]]
    return [printable(line) for line in lines]


def _lines_of(document: str, part: Mapping[str, Any]) -> List[str]:
    if part["name"] == document and not part["ended"]:
        lines = []
    elif part["name"] == document:
        lines = ["  " + part["ended"]]
    else:
        head = "  %s: %s, %d bytes" % (
            part["name"].replace(document + ", ", "", 1),
            part["kind"],
            part["size_bytes"],
        )
        lines = [": ".join(filter(None, (head, part["ended"])))]
    lines += ["    %s: %s" % item for item in part["keys"].items()]
    return lines + ["    " + text for text in part["mistakes"]]
