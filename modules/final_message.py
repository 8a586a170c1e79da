"""Prints the ``final_message`` of a cloud-config on the console and into the log, line by line."""

from __future__ import annotations

import logging
import time
from typing import Any, Dict, List, Mapping, Tuple

from lightinit import __version__
from lightinit.errors import LightinitError
from lightinit.formats.user_parts.placeholders import fill_in
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.final_message")
TEMPLATE = ("## template: jinja", "## template:jinja")
MAX_LINES = 200


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The message of a cloud-config: ``message``."""
    from lightinit.formats.cloud_config.readers.ending import read_ending

    return {"message": read_ending(values)[0].final_message}


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Print the message. It may have ``$version``, ``$timestamp``, ``$datasource``, ``$uptime``,
    ``$hostname`` and ``$instance_id``, in small or capital letters; or be a template of jinja.

    Args:
        instance: its platform, id and name.
        system: the machine.
        settings: ``message``, or nothing.

    Returns:
        How many lines there were; a warning for each thing that is missing.
    """
    message = settings.get("message", "").strip()
    if not message:
        return Outcome("no message", skipped=True)
    text, warnings = _render(system, message, _values(instance, system))
    lines = [line.expandtabs() for line in text.splitlines()]
    for line in lines[:MAX_LINES]:
        LOG.info("%s", line)  # the log replaces control characters, which could steer a terminal
    if len(lines) > MAX_LINES:
        warnings.append("the message has %d lines: %d are printed" % (len(lines), MAX_LINES))
    return Outcome("%d lines" % len(lines[:MAX_LINES]), tuple(warnings))


def _values(instance: Instance, system: System) -> Dict[str, str]:
    now = time.gmtime(system.clock.time())
    values = {
        "version": __version__,
        "timestamp": time.strftime("%a, %d %b %Y %H:%M:%S +0000", now),
        "datasource": instance.platform,
        "uptime": system.read_text("/proc/uptime").partition(" ")[0].strip(),
        "hostname": next(iter(instance.hostnames), ""),
        "instance_id": instance.id,
    }
    values.update({name.upper(): value for name, value in values.items()})
    return values


def _render(system: System, message: str, values: Dict[str, str]) -> Tuple[str, List[str]]:
    """Fill the message in. What cannot be rendered is printed as it is, as cloud-init does."""
    first, _, rest = message.partition("\n")
    warnings: List[str] = []
    if first.strip().lower().startswith(TEMPLATE):
        from lightinit.host.scripts.template import render_template

        message = rest
        try:
            rendered = render_template(rest, values)
            return rendered.text, _describe(rendered.missing)
        except LightinitError as error:
            warnings.append("the message is printed as it is: %s" % error)
    text, unknown = fill_in(message, values)
    return text, warnings + _describe(unknown)


def _describe(unknown: Tuple[str, ...]) -> List[str]:
    if not unknown:
        return []
    return ["unknown in the message: %s" % ", ".join(name[:40] for name in unknown[:20])]
