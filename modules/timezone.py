"""Sets the time zone from the settings: in /etc/localtime, and in other files that hosts read.

It needs neither timedatectl nor a running service. Programs that already run keep their zone.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats import timezone as zones
from lightinit.formats.assignments import edit_assignment
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings, nearest

ZONES = "/usr/share/zoneinfo"
LOCALTIME = "/etc/localtime"
PLAIN_FILE = "/etc/timezone"
RULE_FILE = "/etc/TZ"
# Files of shell assignments that init scripts read: OpenRC's, SUSE's and Red Hat's, runit's. A key
# is set only if the file already has it.
ASSIGNMENTS = (
    ("/etc/conf.d/clock", "TIMEZONE"),
    ("/etc/sysconfig/clock", "ZONE"),
    ("/etc/sysconfig/clock", "TIMEZONE"),
    ("/etc/rc.conf", "TIMEZONE"),
)
ZONE_LIMIT_BYTES = 256 * 1024


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Set the time zone.

    Args:
        instance: not used.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.

    Returns:
        The zone; a warning if it cannot be written to /etc/TZ.

    Raises:
        ProvisioningError: the zone is not installed, or a file could not be read or written.
    """
    zone = settings["zone"]
    if not zone:
        return Outcome("time zone left as it is", skipped=True)
    compiled = _read_zone(system, zone)
    warnings: List[str] = []
    changed = _link(system, zone)
    changed |= _edit(system, PLAIN_FILE, lambda text: zone + "\n")
    for path, key in ASSIGNMENTS:
        changed |= _edit(system, path, partial(edit_assignment, key=key, value=zone, add=False))
    rule = zones.read_posix_rule(compiled)
    if rule:
        changed |= _edit(system, RULE_FILE, lambda text: rule + "\n")
    elif system.exists(RULE_FILE):
        warnings.append(
            "%s is left as it is: the zone %s has no rule that could be written there"
            % (RULE_FILE, zone)
        )
    message = "time zone is " + zone
    if not changed:
        message += " already"
    return Outcome(message, tuple(warnings))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of this module's settings."""
    from lightinit.formats.cloud_config.readers.clock import read_clock

    zone = read_clock(values)[0].timezone
    if not zone:
        return {}
    return {"zone": zone}


def check_settings(system: System, settings: ModuleSettings) -> List[Tuple[str, str]]:
    """Check the settings. Returns (key, text) for each mistake. Changes nothing."""
    if not settings["zone"]:
        return []
    try:
        _read_zone(system, settings["zone"])
    except ProvisioningError as error:
        return [("zone", str(error) + _similar_zone(system, settings["zone"]))]
    return []


def _similar_zone(system: System, zone: str) -> str:
    folder, _, last = zone.rpartition("/")
    place = "%s/%s" % (ZONES, folder)
    found = nearest(last, system.list_dir(place.rstrip("/")))
    if not found:
        return ""
    return "; did you mean %s?" % "/".join(filter(None, (folder, found)))


def _read_zone(system: System, zone: str) -> bytes:
    """The compiled zone. Its file must be below the zones' folder, even after following links."""
    if not zones.is_zone_name(zone):
        raise ProvisioningError(
            "time zone is not valid",
            zone=ascii(zone[:80]),
            hint="use the path of a file below " + ZONES,
        )
    if not system.is_dir(ZONES):
        raise ProvisioningError(
            "time zones are not installed",
            zone=zone,
            folder=ZONES,
            hint="install the package tzdata in the image",
        )
    path = "%s/%s" % (ZONES, zone)
    data = b""
    try:
        # On some hosts a name there is a link to /etc/localtime, which would become a loop.
        if system.path(path).startswith(system.path(ZONES) + "/"):
            data = system.read(path, ZONE_LIMIT_BYTES)
    except (OSError, MalformedError):
        pass
    if not zones.is_zone(data):
        raise ProvisioningError(
            "time zone is not there",
            zone=zone,
            folder=ZONES,
            hint="use an installed zone, or install its package (tzdata, tzdata-legacy)",
        )
    return data


def _link(system: System, zone: str) -> bool:
    """Make /etc/localtime a link to the zone. Returns whether it was changed."""
    path = system.path(LOCALTIME, follow_last=False)
    wanted = "%s/%s" % (ZONES, zone)
    if os.path.islink(path) and os.path.normpath(os.path.join("/etc", os.readlink(path))) == wanted:
        return False
    # A regular file there is a copy of a zone, as on hosts with /usr on a separate file system.
    system.link(LOCALTIME, ".." + wanted, over_file=True)
    restore_labels(system, [LOCALTIME])
    return True


def _edit(system: System, path: str, edit: Callable[[str], str]) -> bool:
    """Edit the text of a file, if the file exists. Returns whether it was changed."""
    before = read_text_file(system, path)
    if before is None:
        return False
    after = edit(before)
    if after == before:
        return False
    write_text_file(system, path, after)
    return True
