"""Packages: ``packages`` and ``package_*``. Where they come from is read in sources/."""

from __future__ import annotations

import re
from typing import Any, List, Mapping, Optional, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section, written
from lightinit.model import NamedTuple

KEYS = (
    "packages",
    "package_update",
    "package_upgrade",
    "package_reboot_if_required",
    "apt_update",
    "apt_upgrade",
    "apt_reboot_if_required",
)
# What a package's name or version may have, of all managers; a leading - would be an option.
_NAME = re.compile(r"[A-Za-z0-9@/_.*][A-Za-z0-9@/_.*+:~=<>!()^-]*\Z")

# Options that cloud-init hands to `snap install` as they are; each is short for a channel.
_CHANNEL = re.compile(r"--(?:channel=(\S+)|(stable|candidate|beta|edge))\Z")


class GivenPackage(NamedTuple):
    """One package: its name, the version or "", and the only manager that takes it or ""."""

    name: str
    version: str = ""
    manager: str = ""


class GivenPackages(NamedTuple):
    """What a cloud-config says of packages.

    Attributes:
        packages: those to install.
        update: whether the lists are fetched first; None if nothing is said.
        upgrade: whether all packages are upgraded.
        reboot_if_required: whether the machine reboots if they ask for it.
    """

    packages: Tuple[GivenPackage, ...] = ()
    update: Optional[bool] = None
    upgrade: bool = False
    reboot_if_required: bool = False


def read_packages(values: Mapping[str, Any]) -> Tuple[GivenPackages, List[Mistake]]:
    """Read what is to be installed. What is wrong is left out.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    update = given.flag("package_update")
    if update is None:
        update = given.flag("apt_update")
    found = GivenPackages(
        tuple(_packages(given)),
        update,
        given.yes("package_upgrade") or given.yes("apt_upgrade"),
        given.yes("package_reboot_if_required") or given.yes("apt_reboot_if_required"),
    )
    return found, given.mistakes


def _packages(given: Section) -> List[GivenPackage]:
    found: List[GivenPackage] = []
    inner = Section({}, ("packages",), given.mistakes)
    if isinstance(given.values.get("packages"), str):
        given.wrong("packages", "it is text; taken as one name", "begin it with `- `", True)
        return _package(inner, 0, given.values["packages"], "")
    for at, each in given.items("packages"):
        if isinstance(each, dict):
            managers = Section(each, ("packages", at), given.mistakes)
            for manager in each:
                names = Section({}, (*managers.path, manager), given.mistakes)
                for number, name in managers.items(manager):
                    found += _package(names, number, name, manager)
        else:
            found += _package(inner, at, each, "")
    return found


def _package(inner: Section, at: int, value: Any, manager: str) -> List[GivenPackage]:
    words = value if isinstance(value, list) else [value]
    if not 1 <= len(words) <= 2 or not all(
        isinstance(word, (str, int, float)) and not isinstance(word, bool) for word in words
    ):
        inner.expected(at, "a name, or a list of name and version", value, "such as `- git`")
        return []
    texts = [written(word).strip() for word in words]
    channel = _CHANNEL.match(texts[-1]) if manager == "snap" and len(texts) == 2 else None
    if channel is not None:
        texts[1] = channel.group(1) or "latest/" + channel.group(2)
    if not all(_NAME.match(text) for text in texts):
        inner.wrong(at, "no package can have this name or version", "such as `- git`")
        return []
    return [GivenPackage(texts[0], "".join(texts[1:]), manager)]
