"""Packages and where they come from."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.formats.cloud_config.document import read
from lightinit.formats.cloud_config.readers.packages import (
    GivenApt,
    GivenPackage,
    GivenPackages,
    GivenRepository,
    GivenSource,
    read_packages,
)
from tests.lib.needs_yaml import needs_yaml


def packages(**values: Any) -> GivenPackages:
    found, mistakes = read_packages(values)
    assert not mistakes, mistakes
    return found


def test_packages() -> None:
    names = ["git", ["nginx", "1.22-3+deb12u1"], {"apt": ["curl"], "snap": [["lxd", "5.0"]]}]
    assert packages(packages=names).packages == (
        GivenPackage("git"),
        GivenPackage("nginx", "1.22-3+deb12u1"),
        GivenPackage("curl", "", "apt"),
        GivenPackage("lxd", "5.0", "snap"),
    )
    assert packages() == GivenPackages()


@needs_yaml
def test_a_version_is_as_it_was_written() -> None:
    found = read(b"packages: [[a, 1.10], [b, '2:0.5-1'], '@tools', 'c=1.0*']\n")
    assert [each.version for each in read_packages(found.values)[0].packages] == [
        "1.10",
        "2:0.5-1",
        "",
        "",
    ]


def test_flags_and_their_old_names() -> None:
    found = packages(package_update=True, package_upgrade=True, package_reboot_if_required=True)
    assert (found.update, found.upgrade, found.reboot_if_required) == (True, True, True)
    found = packages(apt_update=False, apt_upgrade=True, apt_reboot_if_required=True)
    assert (found.update, found.upgrade, found.reboot_if_required) == (False, True, True)
    assert packages().update is None


def test_apt() -> None:
    values: Dict[str, Any] = {
        "preserve_sources_list": True,
        "conf": 'APT::Get::Assume-Yes "true";',
        "proxy": "http://old",
        "http_proxy": "http://p:3128",
        "sources": {
            "docker": {"source": "deb [signed-by=$KEY_FILE] https://d $RELEASE stable", "key": "K"},
            "own.list": {"keyid": "AB12", "keyserver": "keys", "filename": "/etc/x/o.list"},
        },
    }
    assert packages(apt=values).apt == GivenApt(
        True,
        "",
        'APT::Get::Assume-Yes "true";',
        (("http", "http://p:3128"),),
        (
            GivenSource("docker", values["sources"]["docker"]["source"], "K", filename="docker"),
            GivenSource("own.list", keyid="AB12", keyserver="keys", filename="o.list"),
        ),
    )


def test_repositories_of_dnf() -> None:
    repository = {"baseurl": "https://r", "enabled": False, "gpgcheck": True, "priority": 5}
    assert packages(yum_repos={"my repo": repository}).repositories == (
        GivenRepository(
            "my_repo",
            (("baseurl", "https://r"), ("enabled", "0"), ("gpgcheck", "1"), ("priority", "5")),
        ),
    )


@pytest.mark.parametrize(
    "values, says",
    [
        ({"packages": ["--allow-downgrades"]}, "packages[0]: no package can have this name"),
        ({"packages": ["a b"]}, "packages[0]: no package can have this name"),
        ({"packages": ["$(reboot)"]}, "packages[0]: no package can have this name"),
        ({"packages": [["a", "1", "2"]]}, "packages[0]: it is a list, and must be a name"),
        ({"packages": [True]}, "packages[0]: it is a boolean"),
        ({"packages": {"apt": ["a"]}}, "packages: it is a mapping, and must be a list"),
        ({"packages": [{"apt": "a"}]}, "packages[0].apt: it is text, and must be a list"),
        ({"package_update": "maybe"}, "package_update: it is text"),
        ({"apt": {"primary": []}}, "apt.primary: it is not supported"),
        ({"apt": {"sources": {"a": {}}}}, "apt.sources.a: it has neither a source nor a key"),
        ({"apt": {"sources": {"a b": {"source": "x"}}}}, "filename: it cannot be a file of apt"),
        ({"apt": {"source": {}}}, "apt.source: the key is unknown here; did you mean `sources`?"),
        ({"yum_repos": {"a": {"name": "x"}}}, "yum_repos.a: it has no baseurl"),
    ],
)
def test_mistakes(values: Dict[str, Any], says: str) -> None:
    found, mistakes = read_packages(values)
    assert says in str(mistakes[0])
    assert not found.packages and not found.repositories
    assert found.apt is None or not found.apt.sources


def test_one_text_is_one_package() -> None:
    found, mistakes = read_packages({"packages": "git"})
    assert found.packages == (GivenPackage("git"),) and mistakes[0].has_effect
