"""Writes the repositories of dnf, zypper and apk."""

from __future__ import annotations

from typing import List, Sequence

from lightinit.errors import LightinitError
from lightinit.formats.cloud_config.readers.sources.repositories import (
    YUM_FOLDER,
    GivenApk,
    GivenRepositories,
    GivenRepository,
    GivenZypper,
)
from lightinit.formats.packages.repository_files import (
    HEAD,
    set_options,
    write_apk_list,
    write_repository,
)
from lightinit.host.system import System

ZYPP_CONF = "/etc/zypp/zypp.conf"
APK_LIST = "/etc/apk/repositories"


def write_repositories(system: System, given: GivenRepositories) -> List[str]:
    """Write them where their manager is.

    Args:
        system: the machine.
        given: what a cloud-config says.

    Returns:
        A warning for each that was not written.
    """
    warnings: List[str] = []
    if given.yum:
        there = any(map(system.is_dir, (YUM_FOLDER, given.yum_folder, "/etc/dnf", "/etc/yum")))
        warnings += _for("yum_repos", there, "dnf is") or _repositories(
            system, given.yum_folder, given.yum
        )
    if given.zypper is not None:
        warnings += _for("zypper", system.is_dir("/etc/zypp"), "zypper is") or _zypper(
            system, given.zypper
        )
    if given.apk is not None:
        warnings += _for("apk_repos", system.is_dir("/etc/apk"), "apk is") or _apk(
            system, given.apk
        )
    return warnings


def _for(key: str, there: bool, name: str) -> List[str]:
    if there:
        return []
    return ["%s has no effect: %s not here" % (key, name)]


def _repositories(
    system: System, folder: str, repositories: Sequence[GivenRepository]
) -> List[str]:
    warnings = []
    for each in repositories:
        path = "%s/%s.repo" % (folder, each.id)
        if system.exists(path) and not system.read_text(path).startswith(HEAD):
            warnings.append("%s was there, and is left as it is" % path)
            continue
        warnings += write(system, path, write_repository(each.id, each.options))
    return warnings


def _zypper(system: System, given: GivenZypper) -> List[str]:
    warnings: List[str] = []
    if given.options:
        before = system.read_text(ZYPP_CONF, "[main]\n")
        warnings += write(system, ZYPP_CONF, set_options(before, given.options))
    return warnings + _repositories(system, given.folder, given.repositories)


def _apk(system: System, given: GivenApk) -> List[str]:
    text = write_apk_list(
        given.base_url, given.version, given.community, given.testing, given.local_url
    )
    return write(system, APK_LIST, text)


def write(system: System, path: str, text: str) -> List[str]:
    """Write a file that everybody may read. Returns a warning if that fails."""
    if system.exists(path) and system.read_text(path) == text:
        return []
    try:
        system.write(path, text.encode("utf-8"))
    except LightinitError as error:
        return [str(error)]
    return []
