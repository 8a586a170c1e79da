"""Writing the repositories of dnf, zypper and apk, in a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

from lightinit.formats.cloud_config.readers.sources.repositories import read_repositories
from lightinit.formats.packages.repository_files import HEAD
from lightinit.host.system import System
from lightinit.package_sources.repositories import write_repositories

VALUES: Any = {
    "yum_repos": {"a": {"baseurl": "http://a"}},
    "zypper": {"repos": [{"id": "z", "baseurl": "http://z"}], "config": {"x.y": "1"}},
    "apk_repos": {"alpine_repo": {"version": "edge"}},
}


def write(system: System) -> List[str]:
    given, mistakes = read_repositories(VALUES)
    assert not mistakes
    return write_repositories(system, given)


def test_each_is_written_where_its_manager_is(tmp_path: Path) -> None:
    system = System(str(tmp_path))
    assert write(system) == [
        "yum_repos has no effect: dnf is not here",
        "zypper has no effect: zypper is not here",
        "apk_repos has no effect: apk is not here",
    ]
    for folder in ("/etc/yum.repos.d", "/etc/zypp", "/etc/apk"):
        system.make_dir(folder)
    for _ in range(2):
        assert write(system) == []
        assert system.read_text("/etc/yum.repos.d/a.repo") == HEAD + "[a]\nbaseurl = http://a\n"
        assert system.read_text("/etc/zypp/zypp.conf") == "[main]\nx.y = 1\n"
        assert "[z]" in system.read_text("/etc/zypp/repos.d/z.repo")
        assert "/edge/main" in system.read_text("/etc/apk/repositories")


def test_a_file_of_somebody_else_stays(tmp_path: Path) -> None:
    system = System(str(tmp_path))
    system.write("/etc/yum.repos.d/a.repo", b"mine")
    assert write(system)[0] == "/etc/yum.repos.d/a.repo was there, and is left as it is"
    assert system.read_text("/etc/yum.repos.d/a.repo") == "mine"
