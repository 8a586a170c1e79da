"""Whether this machine has a config drive."""

from __future__ import annotations

from typing import Any, Mapping

from lightinit.datasources.configdrive.settings import AUTO, FOLDERS, LABELS
from lightinit.datasources.signs import Evidence, Sign, find_unfinished
from lightinit.formats.nova.tree import META_DATA
from lightinit.host.system import System


def find_sign(evidence: Evidence, options: Mapping[str, Any]) -> Sign:
    """Look for the folder, and for a volume with the label."""
    found = _find_drive(evidence, str(options.get("media", AUTO)))
    unfinished = Sign(False, "")
    if not found.found:
        unfinished = find_unfinished(evidence.system, "configdrive")
    return unfinished if unfinished.found else found


def _find_drive(evidence: Evidence, place: str) -> Sign:
    if place != AUTO:
        if evidence.system.exists(place):
            return Sign(True, "%s, by the settings" % place)
        return Sign(False, "%s of the settings does not exist" % place)
    for folder in FOLDERS:
        if has_tree(evidence.system, folder):
            return Sign(True, "the folder %s" % folder)
    for volume in evidence.find_volumes(LABELS):
        return Sign(True, "a volume labelled %s (%s)" % (volume.label, volume.device))
    return Sign(False, "no volume labelled config-2, and no folder %s" % FOLDERS[0])


def has_tree(system: System, folder: str) -> bool:
    """Whether a folder has the tree of a config drive."""
    if not system.is_dir(folder + "/openstack"):
        return False
    return bool(system.glob("%s/openstack/*/%s" % (folder, META_DATA)))
