"""The keys of the settings' section [nocloud]."""

from __future__ import annotations

from typing import Any, List, Mapping, Tuple

from lightinit.host.system import System
from lightinit.settings import Setting

AUTO, NONE = "auto", "none"
LABEL = "cidata"

SETTINGS: Tuple[Setting, ...] = (
    Setting(
        "seedfrom",
        "text",
        "",
        "Where the seed is, if whoever started this machine does not say so: a URL that begins with"
        " http:// or https://, or the path of a folder.",
    ),
    Setting(
        "media",
        "text",
        AUTO,
        "The volume with the seed. auto: search the block devices for its label. none: do not use"
        " volumes. Else the path of a device, of an image file, or of a folder.",
    ),
    Setting("label", "text", LABEL, "The label of that volume, in upper or lower case."),
    Setting(
        "media_wait_s",
        "seconds",
        10.0,
        "How long to wait for a seed if the settings name this datasource and there is none yet.",
    ),
    Setting(
        "fetch_timeout_s",
        "seconds",
        120.0,
        "Seconds for a seed at a URL, with all attempts.",
    ),
    Setting("request_timeout_s", "seconds", 10.0, "Seconds for one request of them."),
)


def is_url(text: str) -> bool:
    """Whether a place of a seed is a URL."""
    return text.lower().startswith(("http://", "https://"))


def path_in(text: str) -> str:
    """The path that a place of a seed names, "" if it names none."""
    if text.lower().startswith("file://"):
        text = text[len("file://") :]
        if text.lower().startswith("localhost/"):
            text = text[len("localhost") :]
    return text if text.startswith("/") else ""


def check_settings(system: System, options: Mapping[str, Any]) -> List[Tuple[str, str]]:
    """The mistakes in the settings, for ``lightinit config``: (key, what to do)."""
    found = []
    seedfrom, media = str(options["seedfrom"]), str(options["media"])
    if seedfrom and not is_url(seedfrom) and not path_in(seedfrom):
        found.append(("seedfrom", "expected a URL with http:// or https://, or an absolute path"))
    if media not in (AUTO, NONE) and not media.startswith("/"):
        found.append(("media", "expected auto, none, or an absolute path"))
    return found
