"""Packages and where they come from."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.formats.cloud_config.document import read
from lightinit.formats.cloud_config.readers.packages import (
    GivenPackage,
    GivenPackages,
    read_packages,
)
from lightinit.formats.cloud_config.readers.sources.apt import (
    KEYSERVER,
    GivenApt,
    GivenKey,
    GivenMirror,
    GivenSource,
    read_apt,
)
from lightinit.formats.cloud_config.readers.sources.repositories import (
    GivenApk,
    GivenRepositories,
    GivenRepository,
    GivenZypper,
    read_repositories,
)
from lightinit.formats.cloud_config.schema import check
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


def apt(**values: Any) -> GivenApt:
    found, mistakes = read_apt(values)
    assert not mistakes, mistakes
    return found


def test_keys_that_stood_for_apt() -> None:
    """A list of sources is that of Azure/azure-osconfig's agents: names are keys without values."""
    one, two = {"azcli": None, "source": "deb a b c"}, {"source": "deb d e f", "filename": "docker"}
    file = "cloud_config_sources.list"
    sources = apt(apt_sources=[one, two, {**one, "key": "K"}]).sources
    assert [each.source for each in sources] == ["deb a b c", "deb d e f", "deb a b c"]
    assert [each.filename for each in sources] == [file, "docker.list", file]
    assert sources[2].key == GivenKey("K")
    found = apt(apt_sources={"x": two}, apt_mirror="http://m/d", apt_proxy="http://p:1")
    assert found.sources == (GivenSource("x", "deb d e f", filename="docker.list"),)
    assert found.primary == (GivenMirror(("default",), "http://m/d"),)
    assert found.proxies == (("http", "http://p:1"),)
    found = apt(apt_preserve_sources_list=True, apt_https_proxy="http://p:2", apt_sources=None)
    assert found == GivenApt(preserve=True, proxies=(("https", "http://p:2"),))


@needs_yaml
def test_mistakes_below_old_keys_have_their_lines() -> None:
    text = "apt_sources: [{source: deb a b, kyid: 1}, 5, {filename: x/y, source: deb a b}]\n"
    told = [str(each) for each in check(read((text + "apt_mirror: a b\n").encode()))]
    assert [each.partition(";")[0] for each in told if "deprecated" not in each] == [
        "line 1, apt_sources[1]: it is a number, and must be a mapping",
        "line 1, apt_sources[0].kyid: the key is unknown here",
        "line 1, apt_sources[2].filename: it cannot be a file of apt",
        "line 2, apt_mirror: it is no URI of a mirror",
    ]
    for name in ("apt source x", "apt source ", "apt source 9" * 9):
        assert read_apt({"apt_sources": {name: 5}})[1][0].path == ("apt_sources", name)
    found, mistakes = read_apt({"apt": {"conf": "x"}, "apt_proxy": "http://p"})
    assert found == GivenApt(conf="x")
    assert str(mistakes[0]) == "apt_proxy: it has no effect beside `apt`; write it below `apt`"


def repositories(**values: Any) -> GivenRepositories:
    found, mistakes = read_repositories(values)
    assert not mistakes, mistakes
    return found


def test_apt() -> None:
    values: Dict[str, Any] = {
        "preserve_sources_list": True,
        "conf": 'APT::Get::Assume-Yes "true";',
        "proxy": "http://old",
        "http_proxy": "http://p:3128",
        "disable_suites": ["updates"],
        "debconf_selections": {"b": "b b/q string x", "a": "# why\na a/q boolean true\n"},
        "primary": [{"arches": ["amd64"], "uri": "http://m/debian", "keyid": "0x DEAD BEEF"}],
        "security": [{"arches": "default", "search": ["http://a", "http://b/c"]}],
        "sources": {
            "docker": {"source": "deb [signed-by=$KEY_FILE] https://d $RELEASE stable", "key": "K"},
            "own.list": {"keyid": "ABCD1234", "keyserver": "keys", "filename": "/etc/x/o.list"},
        },
    }
    assert apt(apt=values, apt_pipelining=False) == GivenApt(
        True,
        "",
        (GivenMirror(("amd64",), "http://m/debian", (), GivenKey("", "0xDEADBEEF", KEYSERVER)),),
        (GivenMirror(("default",), "", ("http://a", "http://b/c")),),
        ("updates",),
        'APT::Get::Assume-Yes "true";',
        (("http", "http://p:3128"),),
        0,
        "# why\na a/q boolean true\nb b/q string x\n",
        (
            GivenSource(
                "docker", values["sources"]["docker"]["source"], GivenKey("K"), "docker.list"
            ),
            GivenSource("own.list", "", GivenKey("", "ABCD1234", "keys"), "/etc/x/o.list"),
        ),
    )


@pytest.mark.parametrize(
    "value, depth",
    [("os", None), ("none", None), ("unchanged", None), (3, 3), ("3", 3), (False, 0)],
)
def test_pipelining(value: Any, depth: Any) -> None:
    assert apt(apt_pipelining=value).pipelining == depth


def test_repositories_of_dnf() -> None:
    repository = {"baseurl": "https://r", "enabled": False, "gpgcheck": True, "priority": 5}
    found = repositories(yum_repos={"my repo": repository}, yum_repo_dir="/etc/r/")
    assert found.yum_folder == "/etc/r" and found.yum == (
        GivenRepository(
            "my-repo",
            (("baseurl", "https://r"), ("enabled", "0"), ("gpgcheck", "1"), ("priority", "5")),
        ),
    )


def test_zypper_and_apk() -> None:
    found = repositories(
        zypper={
            "repos": [{"id": "a b", "baseurl": "http://r", "autorefresh": False}],
            "config": {"reposdir": "/r", "solver.onlyRequires": True, "servicesdir": ""},
        },
        apk_repos={
            "alpine_repo": {"version": "v3.12", "community_enabled": True},
            "local_repo_base_url": "https://l/alpine",
        },
    )
    assert found.zypper == GivenZypper(
        (
            GivenRepository(
                "a-b", (("baseurl", "http://r"), ("autorefresh", "0"), ("enabled", "1"))
            ),
        ),
        "/r",
        (("solver.onlyRequires", "1"),),
    )
    assert found.apk == GivenApk("v3.12", community=True, local_url="https://l/alpine")
    assert repositories(apk_repos={"preserve_repositories": True}) == GivenRepositories()


@pytest.mark.parametrize(
    "values, says",
    [
        ({"packages": ["--allow-downgrades"]}, "packages[0]: no package can have this name"),
        ({"packages": ["a b"]}, "packages[0]: no package can have this name"),
        ({"packages": ["$(reboot)"]}, "packages[0]: no package can have this name"),
        ({"packages": [{"snap": [["a", "--classic"]]}]}, "snap[0]: no package can have this"),
        ({"packages": [{"apt": [["a", "--edge"]]}]}, "apt[0]: no package can have this name"),
        ({"packages": [["a", "1", "2"]]}, "packages[0]: it is a list, and must be a name"),
        ({"packages": [True]}, "packages[0]: it is a boolean"),
        ({"packages": {"apt": ["a"]}}, "packages: it is a mapping, and must be a list"),
        ({"packages": [{"apt": "a"}]}, "packages[0].apt: it is text, and must be a list"),
        ({"package_update": "maybe"}, "package_update: it is text"),
    ],
)
def test_mistakes(values: Dict[str, Any], says: str) -> None:
    found, mistakes = read_packages(values)
    assert says in str(mistakes[0])
    assert not found.packages


APT_MISTAKES = [
    ({"generate_mirrorlists": True}, "apt.generate_mirrorlists: it is not supported"),
    ({"primary": [{"uri": "http://a"}]}, "apt.primary[0].arches: it is missing"),
    ({"sources": {"a": {}}}, "apt.sources.a: it has neither a source nor a key"),
    ({"sources": {"a b": {"source": "x"}}}, "filename: it cannot be a file of apt"),
    (
        {"sources": {"a": {"source": "x", "filename": "/etc/../x"}}},
        "filename: it cannot be a file of apt",
    ),
    ({"sources": {"a": {"source": "ppa:a/b"}}}, "a PPA is not supported"),
    ({"sources": {"a": {"keyid": "--x"}}}, "it is no id of a key"),
    ({"sources": {"a": {"keyid": "ABCD1234", "keyserver": "-x y"}}}, "it is no name of a server"),
    ({"source": {}}, "apt.source: the key is unknown here; did you mean `sources`?"),
    ({"proxy": 'http://a"; X'}, "apt.proxy: it is no URL"),
    ({"debconf_selections": {"a": "b c"}}, "a line has no answer"),
    ({"sources_list": "## template:jinja\n"}, "a template is not supported"),
]


@pytest.mark.parametrize("values, says", APT_MISTAKES)
def test_mistakes_of_apt(values: Dict[str, Any], says: str) -> None:
    found, mistakes = read_apt({"apt": values})
    assert says in str(mistakes[0]) and found == GivenApt()


@pytest.mark.parametrize(
    "values, says",
    [
        ({"yum_repos": {"a": {"name": "x"}}}, "yum_repos.a: it has no baseurl"),
        ({"yum_repos": {"a": {"baseurl": "x\n[b]\nbaseurl=y"}}}, "it has several lines"),
        ({"yum_repo_dir": "etc"}, "yum_repo_dir: it is no absolute path"),
        ({"zypper": {"repos": [{"id": "a"}]}}, "zypper.repos[0]: it has no id or no baseurl"),
        ({"apk_repos": {"alpine_repo": {}}}, "apk_repos.alpine_repo.version: it is missing"),
    ],
)
def test_mistakes_of_repositories(values: Dict[str, Any], says: str) -> None:
    found, mistakes = read_repositories(values)
    assert says in str(mistakes[0]) and found._replace(zypper=None) == GivenRepositories()


def test_one_text_is_one_package() -> None:
    found, mistakes = read_packages({"packages": "git"})
    assert found.packages == (GivenPackage("git"),) and mistakes[0].has_effect
