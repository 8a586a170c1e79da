"""Packages and where they come from: ``packages``, ``package_*``, ``apt``, ``yum_repos``."""

from __future__ import annotations

import re
from typing import Any, List, Mapping, NamedTuple, Optional, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section, written

KEYS = (
    "packages",
    "package_update",
    "package_upgrade",
    "package_reboot_if_required",
    "apt_update",
    "apt_upgrade",
    "apt_reboot_if_required",
    "apt",
    "yum_repos",
    "yum_repo_dir",
)
OF_APT = (
    "preserve_sources_list",
    "generate_mirrorlists",
    "disable_suites",
    "primary",
    "security",
    "add_apt_repo_match",
    "debconf_selections",
    "sources_list",
    "conf",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "proxy",
    "sources",
)
APT_UNSUPPORTED = (
    "generate_mirrorlists",
    "disable_suites",
    "primary",
    "security",
    "add_apt_repo_match",
    "debconf_selections",
)
OF_A_SOURCE = ("source", "key", "keyid", "keyserver", "filename", "append")
# What a package's name or version may have, of all managers; a leading - would be an option.
_NAME = re.compile(r"[A-Za-z0-9@/_.*][A-Za-z0-9@/_.*+:~=<>!^-]*\Z")
_FILE = re.compile(r"[A-Za-z0-9_.-]+\Z")


class GivenPackage(NamedTuple):
    """One package: its name, the version or "", and the only manager that takes it or ""."""

    name: str
    version: str = ""
    manager: str = ""


class GivenSource(NamedTuple):
    """One source of apt. A text that is empty was not given.

    Attributes:
        name: its key.
        source: the line for sources.list, with ``$RELEASE``, ``$MIRROR`` and ``$KEY_FILE``; or a
            PPA.
        key: the public key, armoured.
        keyid: the key's fingerprint, to be had from ``keyserver``.
        keyserver: its name.
        filename: the file below sources.list.d.
        append: whether the line is added to a file that is there.
    """

    name: str
    source: str = ""
    key: str = ""
    keyid: str = ""
    keyserver: str = ""
    filename: str = ""
    append: bool = True


class GivenApt(NamedTuple):
    """What ``apt`` says.

    Attributes:
        preserve: whether sources.list stays as it is.
        sources_list: its new text, or "".
        conf: text for apt.conf.d, or "".
        proxies: (protocol, URL).
        sources: the further sources.
    """

    preserve: bool = False
    sources_list: str = ""
    conf: str = ""
    proxies: Tuple[Tuple[str, str], ...] = ()
    sources: Tuple[GivenSource, ...] = ()


class GivenRepository(NamedTuple):
    """One repository of dnf: its id, and its options as the file has them."""

    id: str
    options: Tuple[Tuple[str, str], ...] = ()


class GivenPackages(NamedTuple):
    """What a cloud-config says of packages.

    Attributes:
        packages: those to install.
        update: whether the lists are fetched first; None if nothing is said.
        upgrade: whether all packages are upgraded.
        reboot_if_required: whether the machine reboots if they ask for it.
        apt: its sources and configuration; None if nothing is said.
        repositories: those of dnf.
        repository_folder: where their files lie.
    """

    packages: Tuple[GivenPackage, ...] = ()
    update: Optional[bool] = None
    upgrade: bool = False
    reboot_if_required: bool = False
    apt: Optional[GivenApt] = None
    repositories: Tuple[GivenRepository, ...] = ()
    repository_folder: str = "/etc/yum.repos.d"


def read_packages(values: Mapping[str, Any]) -> Tuple[GivenPackages, List[Mistake]]:
    """Read packages and sources. What is wrong is left out.

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
        _apt(given),
        _repositories(given),
        given.line("yum_repo_dir") or "/etc/yum.repos.d",
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
    if not all(_NAME.match(text) for text in texts):
        inner.wrong(at, "no package can have this name or version", "such as `- git`")
        return []
    return [GivenPackage(texts[0], "".join(texts[1:]), manager)]


def _apt(given: Section) -> Optional[GivenApt]:
    section = given.section("apt")
    if section is None:
        return None
    section.know(OF_APT)
    for key in APT_UNSUPPORTED:
        if key in section:
            section.wrong(key, "it is not supported", "write the file of apt by `write_files`")
    proxies = [
        (protocol, section.line(key))
        for protocol, key in (
            ("http", "proxy"),
            ("http", "http_proxy"),
            ("https", "https_proxy"),
            ("ftp", "ftp_proxy"),
        )
    ]
    sources: List[GivenSource] = []
    named = section.section("sources")
    if named is not None:
        sources = [each for name in named.values for each in _source(named, name)]
    return GivenApt(
        section.yes("preserve_sources_list"),
        section.text("sources_list"),
        section.text("conf"),
        tuple(dict(each for each in proxies if each[1]).items()),
        tuple(sources),
    )


def _source(named: Section, name: str) -> List[GivenSource]:
    section = named.section(name)
    if section is None:
        return []
    section.know(OF_A_SOURCE)
    filename = section.line("filename") or name
    if not _FILE.match(filename.rpartition("/")[2]):
        section.wrong("filename", "it cannot be a file of apt", "letters, digits, -, _ and .")
        return []
    texts = {key: section.line(key).strip() for key in ("source", "keyid", "keyserver")}
    source = GivenSource(
        name,
        key=section.text("key"),
        filename=filename.rpartition("/")[2],
        append=section.yes("append", True),
        **texts,
    )
    if not source.source and not source.key and not source.keyid:
        section.wrong(None, "it has neither a source nor a key", "write `source: deb URL SUITE`")
        return []
    return [source]


def _repositories(given: Section) -> Tuple[GivenRepository, ...]:
    named = given.section("yum_repos")
    found = []
    for name in named.values if named is not None else ():
        section = named.section(name) if named is not None else None
        if section is None:
            continue
        if not any(section.values.get(key) for key in ("baseurl", "metalink", "mirrorlist")):
            section.wrong(None, "it has no baseurl, metalink or mirrorlist", "write `baseurl: URL`")
            continue
        options = [(key, _option(section, key)) for key in section.values]
        found.append(
            GivenRepository(re.sub(r"[^A-Za-z0-9_.-]", "_", name), tuple(each for each in options))
        )
    return tuple(found)


def _option(section: Section, key: str) -> str:
    value = section.values[key]
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return "\n ".join(section.texts(key))
    return section.line(key)
