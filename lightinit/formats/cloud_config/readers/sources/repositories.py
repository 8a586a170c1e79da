"""Repositories of dnf, zypper and apk: ``yum_repos``, ``zypper``, ``apk_repos``."""

from __future__ import annotations

import re
from typing import Any, List, Mapping, Optional, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section, written
from lightinit.model import NamedTuple

KEYS = ("yum_repos", "yum_repo_dir", "zypper", "apk_repos")
YUM_FOLDER, ZYPPER_FOLDER = "/etc/yum.repos.d", "/etc/zypp/repos.d"
# cloud-init's default is a mirror that is gone.
APK_URL = "https://dl-cdn.alpinelinux.org/alpine"
SOURCES = ("baseurl", "metalink", "mirrorlist")
_OPTION = re.compile(r"[A-Za-z0-9_.-]+\Z")
_URL = re.compile(r"(?:[a-z]+://|/)[^\s]+\Z")
_VERSION = re.compile(r"[A-Za-z0-9_.-]+\Z")


class GivenRepository(NamedTuple):
    """One repository: its id, and its options as the file has them."""

    id: str
    options: Tuple[Tuple[str, str], ...] = ()


class GivenZypper(NamedTuple):
    """What ``zypper`` says: repositories, where their files lie, and options of zypp.conf."""

    repositories: Tuple[GivenRepository, ...] = ()
    folder: str = ZYPPER_FOLDER
    options: Tuple[Tuple[str, str], ...] = ()


class GivenApk(NamedTuple):
    """What ``apk_repos`` says: of the mirror, which release and parts; one more mirror or ""."""

    version: str
    base_url: str = APK_URL
    community: bool = False
    testing: bool = False
    local_url: str = ""


class GivenRepositories(NamedTuple):
    """What a cloud-config says of repositories other than apt's.

    Attributes:
        yum: those of dnf.
        yum_folder: where their files lie.
        zypper, apk: None if nothing is said.
    """

    yum: Tuple[GivenRepository, ...] = ()
    yum_folder: str = YUM_FOLDER
    zypper: Optional[GivenZypper] = None
    apk: Optional[GivenApk] = None


def read_repositories(values: Mapping[str, Any]) -> Tuple[GivenRepositories, List[Mistake]]:
    """Read these keys. What is wrong is left out.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    found = GivenRepositories(
        _yum(given), _folder(given, "yum_repo_dir", YUM_FOLDER), _zypper(given), _apk(given)
    )
    return found, given.mistakes


def _folder(section: Section, key: str, default: str) -> str:
    path = section.line(key).strip()
    if path and (not path.startswith("/") or ".." in path.split("/")):
        section.wrong(key, "it is no absolute path", "write such as `%s`" % default)
        path = ""
    return path.rstrip("/") or default


def _yum(given: Section) -> Tuple[GivenRepository, ...]:
    named = given.section("yum_repos")
    found = []
    for name in () if named is None else named.values:
        section = None if named is None else named.section(name)
        if section is None:
            continue
        options = _options(section, {})
        if not any(value for key, value in options if key in SOURCES):
            section.wrong(None, "it has no baseurl, metalink or mirrorlist", "write `baseurl: URL`")
            continue
        found.append(GivenRepository(_identify(name), options))
    return tuple(found)


def _zypper(given: Section) -> Optional[GivenZypper]:
    section = given.section("zypper")
    if section is None:
        return None
    section.know(("repos", "config"))
    found = []
    for repository in section.sections("repos"):
        name = repository.line("id").strip()
        options = _options(repository, {"enabled": "1", "autorefresh": "1"})
        if not name or not dict(options).get("baseurl"):
            repository.wrong(None, "it has no id or no baseurl", "write `id: NAME, baseurl: URL`")
            continue
        kept = tuple(each for each in options if each[0] != "id")
        found.append(GivenRepository(_identify(name), kept))
    config = section.section("config")
    if config is None:
        return GivenZypper(tuple(found))
    if "configdir" in config:
        config.wrong("configdir", "it cannot be moved", "leave it out")
    named = [(key, _option(config, key)) for key in config.values if _OPTION.match(key)]
    kept = tuple(each for each in named if each[0] not in ("configdir", "reposdir") and each[1])
    return GivenZypper(tuple(found), _folder(config, "reposdir", ZYPPER_FOLDER), kept)


def _apk(given: Section) -> Optional[GivenApk]:
    section = given.section("apk_repos")
    if section is None:
        return None
    section.know(("preserve_repositories", "alpine_repo", "local_repo_base_url"))
    if section.yes("preserve_repositories"):
        return None
    repository = section.section("alpine_repo")
    if repository is None:
        section.wrong("alpine_repo", "it is missing", "write `alpine_repo: {version: v3.12}`")
        return None
    repository.know(("version", "base_url", "community_enabled", "testing_enabled"))
    version = repository.line("version").strip()
    if not _VERSION.match(version):
        repository.wrong("version", "it is missing, or no release", "such as `v3.12` or `edge`")
        return None
    return GivenApk(
        version,
        _url(repository, "base_url") or APK_URL,
        repository.yes("community_enabled"),
        repository.yes("testing_enabled"),
        _url(section, "local_repo_base_url"),
    )


def _url(section: Section, key: str) -> str:
    url = section.line(key).strip()
    if url and not _URL.match(url):
        section.wrong(key, "it is no URL", "write `https://HOST/PATH`")
        return ""
    return url


def _identify(name: str) -> str:
    """An id without blanks, and without what has a meaning in a path or a file."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "-", name).lstrip(".") or "repository"


def _options(section: Section, defaults: Mapping[str, str]) -> Tuple[Tuple[str, str], ...]:
    found = {}
    for key in section.values:
        name = key.lower().strip().replace("-", "_")
        if not _OPTION.match(name):
            section.wrong(key, "no option has this name", "see dnf.conf(5)")
            continue
        found[name] = _option(section, key)
    return tuple({**found, **{key: defaults[key] for key in defaults if key not in found}}.items())


def _option(section: Section, key: str) -> str:
    value = section.values[key]
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return "\n".join(each for each in section.texts(key) if "\n" not in each)
    if isinstance(value, (int, float)):
        return written(value)
    return section.line(key)
