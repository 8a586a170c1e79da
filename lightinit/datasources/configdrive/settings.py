"""The keys of the settings' section [configdrive]."""

from __future__ import annotations

from typing import Any, List, Mapping, Tuple

from lightinit.host.system import System
from lightinit.settings import Setting

AUTO = "auto"
LABELS = ("config-2",)
# Where cloud-init, too, looks for a tree that is not on a volume.
FOLDERS = ("/var/lib/cloud/seed/config_drive", "/config-drive")

SETTINGS: Tuple[Setting, ...] = (
    Setting(
        "media",
        "text",
        AUTO,
        "The config drive. auto: a volume labelled config-2, or the folder"
        " /var/lib/cloud/seed/config_drive. Else the path of a device, of an image file, or of a"
        " folder with openstack/latest/meta_data.json.",
    ),
    Setting(
        "media_wait_s",
        "seconds",
        10.0,
        "How long to wait for the volume, if the settings name this datasource.",
    ),
)


def check_settings(system: System, options: Mapping[str, Any]) -> List[Tuple[str, str]]:
    """The mistakes that no kind of value excludes: (key, what is wrong and what to do)."""
    place = str(options["media"])
    if place == AUTO:
        return []
    if not place.startswith("/"):
        return [("media", "it is neither auto nor an absolute path; write one of them")]
    if not system.exists(place):
        return [("media", "%s does not exist; attach it, or put it into the image" % place)]
    return []
